"""
Tiny pipelines of two loops.

A prior makes a small code from the text, a decoder makes the image from the code.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    DDPMWuerstchenScheduler,
    DiffusionPipeline,
    StableCascadeCombinedPipeline,
    StableCascadeUNet,
    WuerstchenCombinedPipeline,
)
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from nodetool_core.models.components.component_class import component_class
from tests.nodes.huggingface.tiny_controlnets import outspoken
from tests.nodes.huggingface.tiny_parts import WIDTH, clip_config, clip_tokenizer


def _own(name: str) -> Any:
    """Return a class under its name in a published model's index, so that it is saved as such."""
    return component_class("wuerstchen", name)


def _vqgan() -> Any:
    return _own("PaellaVQModel")(bottleneck_blocks=1, embed_dim=8, num_vq_embeddings=16)


def wuerstchen() -> DiffusionPipeline:
    decoder = _own("WuerstchenDiffNeXt")(
        c_cond=WIDTH,
        c_hidden=[16, 16],
        nhead=[-1, 2],
        blocks=[1, 1],
        level_config=["CT", "CTA"],
        inject_effnet=[False, True],
        clip_embd=WIDTH,
    )
    return WuerstchenCombinedPipeline(
        tokenizer=clip_tokenizer(),
        text_encoder=CLIPTextModel(clip_config()),
        decoder=outspoken(decoder),
        scheduler=DDPMWuerstchenScheduler(),
        vqgan=_vqgan(),
        prior_tokenizer=clip_tokenizer(),
        prior_text_encoder=CLIPTextModel(clip_config()),
        prior_prior=outspoken(_own("WuerstchenPrior")(c=32, c_cond=WIDTH, depth=1, nhead=4)),
        prior_scheduler=DDPMWuerstchenScheduler(),
    )


def stable_cascade() -> DiffusionPipeline:
    shape: dict[str, Any] = {
        "conditioning_dim": 32,
        "block_out_channels": (16, 16),
        "down_num_layers_per_block": (1, 1),
        "up_num_layers_per_block": (1, 1),
        "clip_text_pooled_in_channels": WIDTH,
    }
    prior = StableCascadeUNet(
        **shape,
        num_attention_heads=(2, 2),
        clip_text_in_channels=WIDTH,
        clip_image_in_channels=WIDTH,
        switch_level=(False,),
    )
    decoder = StableCascadeUNet(
        **shape,
        num_attention_heads=(0, 2),
        in_channels=4,
        out_channels=4,
        patch_size=2,
        block_types_per_layer=(
            ("SDCascadeResBlock", "SDCascadeTimestepBlock"),
            ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"),
        ),
        effnet_in_channels=16,
        pixel_mapper_in_channels=3,
        timestep_conditioning_type=("sca",),
    )
    return StableCascadeCombinedPipeline(
        tokenizer=clip_tokenizer(),
        text_encoder=CLIPTextModelWithProjection(clip_config()),
        decoder=decoder,
        scheduler=DDPMWuerstchenScheduler(),
        vqgan=_vqgan(),
        prior_prior=prior,
        prior_text_encoder=CLIPTextModelWithProjection(clip_config()),
        prior_tokenizer=clip_tokenizer(),
        prior_scheduler=DDPMWuerstchenScheduler(),
    )


CASCADES = {builder.__name__: builder for builder in (stable_cascade, wuerstchen)}
"""Families of two loops, by name."""
