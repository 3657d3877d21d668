"""Tiny Kandinsky pipelines: priors from text to CLIP embeddings, decoders, inpainting decoders."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DiffusionPipeline,
    Kandinsky3Pipeline,
    Kandinsky3UNet,
    KandinskyCombinedPipeline,
    KandinskyInpaintCombinedPipeline,
    KandinskyV22CombinedPipeline,
    KandinskyV22InpaintCombinedPipeline,
    PriorTransformer,
    UnCLIPScheduler,
)
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from transformers import CLIPTextModelWithProjection

from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_images,
    clip_tokenizer,
    clip_vision,
    movq,
    t5_encoder,
    t5_tokenizer,
    unet,
    xlm_tokenizer,
)


def prior() -> PriorTransformer:
    made = PriorTransformer(
        num_attention_heads=2, attention_head_dim=8, embedding_dim=WIDTH, num_layers=1
    )
    torch.nn.init.ones_(made.clip_std)  # which a checkpoint brings
    return made


def prior_scheduler() -> UnCLIPScheduler:
    return UnCLIPScheduler(
        prediction_type="sample",
        variance_type="fixed_small_log",
        clip_sample=True,
        clip_sample_range=5.0,
    )


def _prior() -> dict[str, Any]:
    return {
        "prior_prior": prior(),
        "prior_image_encoder": clip_vision(),
        "prior_text_encoder": CLIPTextModelWithProjection(clip_config()),
        "prior_tokenizer": clip_tokenizer(),
        "prior_scheduler": prior_scheduler(),
        "prior_image_processor": clip_images(),
    }


def _parts22(in_channels: int = 4) -> dict[str, Any]:
    decoder = unet(
        in_channels,
        out_channels=8,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        addition_embed_type="image",
        addition_embed_type_num_heads=1,
        encoder_hid_dim=WIDTH,
        encoder_hid_dim_type="image_proj",
        resnet_time_scale_shift="scale_shift",
        class_embed_type=None,
    )
    return {
        "unet": decoder,
        "scheduler": DDPMScheduler(
            beta_schedule="linear",
            beta_start=0.00085,
            beta_end=0.012,
            thresholding=False,
            clip_sample=False,
        ),
        "movq": movq(),
        **_prior(),
    }


def kandinsky22() -> DiffusionPipeline:
    return KandinskyV22CombinedPipeline(**_parts22())


def kandinsky22_inpainting() -> DiffusionPipeline:
    return KandinskyV22InpaintCombinedPipeline(**_parts22(9))


def _parts21(in_channels: int = 4) -> dict[str, Any]:
    language = MCLIPConfig(
        transformerDimSize=WIDTH,
        imageDimSize=WIDTH,
        vocab_size=len(xlm_tokenizer()),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
    )
    decoder = unet(
        in_channels,
        out_channels=8,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        addition_embed_type="text_image",
        addition_embed_type_num_heads=2,
        encoder_hid_dim=WIDTH,
        encoder_hid_dim_type="text_image_proj",
        resnet_time_scale_shift="scale_shift",
    )
    return {
        "text_encoder": MultilingualCLIP(language),
        "tokenizer": xlm_tokenizer(),
        "unet": decoder,
        "scheduler": DDIMScheduler(
            beta_schedule="linear",
            beta_start=0.00085,
            beta_end=0.012,
            clip_sample=False,
            set_alpha_to_one=False,
        ),
        "movq": movq(),
        **_prior(),
    }


def kandinsky() -> DiffusionPipeline:
    """Kandinsky 2.1."""
    return KandinskyCombinedPipeline(**_parts21())


def kandinsky_inpainting() -> DiffusionPipeline:
    return KandinskyInpaintCombinedPipeline(**_parts21(9))


def kandinsky3() -> DiffusionPipeline:
    decoder = Kandinsky3UNet(
        time_embedding_dim=4,
        groups=2,
        attention_head_dim=4,
        layers_per_block=2,
        block_out_channels=(8, 16),
        cross_attention_dim=4,
        encoder_hid_dim=WIDTH,
    )
    return Kandinsky3Pipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        unet=decoder,
        scheduler=DDPMScheduler(
            beta_schedule="squaredcos_cap_v2", clip_sample=True, thresholding=False
        ),
        movq=movq(levels=1),
    )
