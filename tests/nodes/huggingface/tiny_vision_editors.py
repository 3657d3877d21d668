"""Tiny pipelines that edit what a vision language model reads, and those that draw beside them."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderTiny,
    DiffusionPipeline,
    DreamLiteMobilePipeline,
    DreamLitePipeline,
    DreamLiteUNetModel,
    FlowMatchEulerDiscreteScheduler,
    JoyImageEditPipeline,
    JoyImageEditTransformer3DModel,
    Kandinsky5I2IPipeline,
    Kandinsky5T2IPipeline,
    Kandinsky5Transformer3DModel,
    LongCatImageEditPipeline,
    LongCatImagePipeline,
    LongCatImageTransformer2DModel,
)
from transformers import CLIPTextModel

from tests.nodes.huggingface.tiny_bria import wan_vae
from tests.nodes.huggingface.tiny_controlnets import outspoken
from tests.nodes.huggingface.tiny_language_models import (
    qwen3_vl,
    qwen3_vl_processor,
    reader_tokenizer,
)
from tests.nodes.huggingface.tiny_parts import WIDTH, clip_config, clip_tokenizer, vae
from tests.nodes.huggingface.tiny_qwen_models import qwen2_vl


def _kandinsky5_parts(levels: int, **options: Any) -> dict[str, Any]:
    transformer = Kandinsky5Transformer3DModel(
        in_text_dim=WIDTH,
        in_text_dim2=WIDTH,
        time_dim=16,
        model_dim=32,
        ff_dim=32,
        num_text_blocks=1,
        num_visual_blocks=1,
        axes_dims=(4, 6, 6),
        **options,
    )
    reader = qwen2_vl()
    return {
        "transformer": outspoken(transformer),
        "vae": vae(levels=levels, mid_block_add_attention=False),
        "text_encoder": reader["text_encoder"],
        "tokenizer": reader["processor"],
        "text_encoder_2": CLIPTextModel(clip_config()),
        "tokenizer_2": clip_tokenizer(),
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def kandinsky5() -> DiffusionPipeline:
    """Return a model of one megapixel, of which an autoencoder of two levels leaves a part."""
    return Kandinsky5T2IPipeline(**_kandinsky5_parts(2))


def kandinsky5_edit() -> DiffusionPipeline:
    """Return a model with the autoencoder of factor 8 that it counts on."""
    return Kandinsky5I2IPipeline(**_kandinsky5_parts(4, visual_cond=True))


def _longcat_parts(levels: int) -> dict[str, Any]:
    transformer = LongCatImageTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        axes_dims_rope=[4, 4, 8],
    )
    reader = qwen2_vl()
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": vae(16, levels=levels, shift_factor=0.1, mid_block_add_attention=False),
        "text_encoder": reader["text_encoder"],
        "tokenizer": reader["tokenizer"],
        "text_processor": reader["processor"],
        "transformer": transformer,
    }


def longcat() -> DiffusionPipeline:
    return LongCatImagePipeline(**_longcat_parts(1))


def longcat_edit() -> DiffusionPipeline:
    """Return a model that makes little of a megapixel, with six levels of an autoencoder."""
    return LongCatImageEditPipeline(**_longcat_parts(6))


def _dreamlite_parts() -> dict[str, Any]:
    unet = DreamLiteUNetModel(
        block_out_channels=(8, 8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=WIDTH,
        attention_head_dim=(2, 2, 4),
        addition_embed_type="time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=16,
    )
    return {
        "text_encoder": qwen3_vl(),
        "tokenizer": reader_tokenizer(),
        "processor": qwen3_vl_processor(),
        "vae": AutoencoderTiny(
            encoder_block_out_channels=(8,),
            decoder_block_out_channels=(8,),
            num_encoder_blocks=(1,),
            num_decoder_blocks=(1,),
        ),
        "unet": unet,
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }


def dreamlite() -> DiffusionPipeline:
    return DreamLitePipeline(**_dreamlite_parts())


def dreamlite_mobile() -> DiffusionPipeline:
    """Return a model that was distilled to draw without guidance."""
    return DreamLiteMobilePipeline(**_dreamlite_parts())


def joyimage_edit() -> DiffusionPipeline:
    """Return a model that makes little of a megapixel, with six levels of an autoencoder."""
    transformer = JoyImageEditTransformer3DModel(
        in_channels=4,
        hidden_size=32,
        num_attention_heads=2,
        text_dim=WIDTH,
        num_layers=1,
        rope_dim_list=[4, 6, 6],
    )
    return JoyImageEditPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=wan_vae(6, blocks=0),
        text_encoder=qwen3_vl(),
        tokenizer=reader_tokenizer(),
        transformer=transformer,
        processor=qwen3_vl_processor(),
    )


VISION_EDITORS = {
    builder.__name__: builder
    for builder in (
        dreamlite,
        dreamlite_mobile,
        joyimage_edit,
        kandinsky5,
        kandinsky5_edit,
        longcat,
        longcat_edit,
    )
}
"""By name."""
