"""
Tiny ControlNets, one builder for each kind that pipelines take.

Each gets the denoiser that it is to lead.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from diffusers import (
    ControlNetModel,
    ControlNetUnionModel,
    FluxControlNetModel,
    HunyuanDiT2DControlNetModel,
    QwenImageControlNetModel,
    SanaControlNetModel,
    SD3ControlNetModel,
    T2IAdapter,
    ZImageControlNetModel,
)


def outspoken(net: Any) -> Any:
    """
    Return a ControlNet that changes its model's results, which a new one does not.

    Layers that were made with zeros get random weights.
    """
    for module in net.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.5)
    return net


def unet_controlnet(unet: Any) -> Any:
    return outspoken(ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32)))


def unet_union(unet: Any) -> Any:
    """Knows several kinds of control images, told apart by a number."""
    first = unet.config.block_out_channels[0]
    narrow = {
        "num_trans_channel": first,
        "num_trans_head": 2,
        "num_proj_channel": first,
        "conditioning_embedding_out_channels": (16, 32),
    }
    known = inspect.signature(ControlNetUnionModel).parameters
    return outspoken(
        ControlNetUnionModel(
            **{name: value for name, value in unet.config.items() if name in known} | narrow
        )
    )


def unet_t2i_adapter(unet: Any, pixels: int, channels: int = 3) -> Any:
    """
    Return an adapter that adds to the levels of a UNet.

    Args:
        pixels: How many of them one latent covers along a side.
    """
    first, *others = unet.config.block_out_channels
    # Levels without attention take what is added after they have halved the sides.
    is_late = unet.config.down_block_types[0] == "DownBlock2D"
    widths = [first, *others, others[-1], others[-1]] if is_late else [first, *others]
    return outspoken(
        T2IAdapter(
            in_channels=channels,
            channels=widths,
            num_res_blocks=1,
            downscale_factor=2 * pixels if is_late else pixels,
            adapter_type="full_adapter_xl" if is_late else "full_adapter",
        )
    )


def flux_controlnet(transformer: Any) -> Any:
    sizes = {
        "num_layers": 1,
        "num_single_layers": 1,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
    }
    return outspoken(FluxControlNetModel.from_transformer(transformer, **sizes))


def sd3_controlnet(transformer: Any, extra_channels: int = 0) -> Any:
    config = dict(transformer.config) | {
        "num_layers": 1,
        "extra_conditioning_channels": extra_channels,
    }
    return outspoken(SD3ControlNetModel.from_config(config))


def sd3_inpainting_controlnet(transformer: Any) -> Any:
    """Return a network that takes the image without its masked part, and the mask."""
    return sd3_controlnet(transformer, 1)


def qwen_controlnet(transformer: Any, extra_channels: int = 0) -> Any:
    config = dict(transformer.config) | {
        "num_layers": 1,
        "extra_condition_channels": extra_channels,
    }
    return outspoken(QwenImageControlNetModel.from_config(config))


def qwen_inpainting_controlnet(transformer: Any) -> Any:
    """
    Return a network that takes the image without its masked part, and the mask.

    Four times, as latents are packed by fours.
    """
    return qwen_controlnet(transformer, 4)


def z_image_controlnet(transformer: Any, channels: int | None = None) -> Any:
    config = transformer.config
    net = ZImageControlNetModel(
        control_layers_places=[0],
        control_in_dim=channels or config.in_channels,
        all_patch_size=config.all_patch_size,
        all_f_patch_size=config.all_f_patch_size,
        dim=config.dim,
        n_refiner_layers=1,
        n_heads=config.n_heads,
        n_kv_heads=config.n_kv_heads,
    )
    return outspoken(net)


def z_image_inpainting_controlnet(transformer: Any) -> Any:
    """Return a network that takes control image, mask, and the image without its masked part."""
    return z_image_controlnet(transformer, 2 * transformer.config.in_channels + 1)


def sana_controlnet(transformer: Any) -> Any:
    known = inspect.signature(SanaControlNetModel).parameters
    sizes = {name: value for name, value in transformer.config.items() if name in known}
    return outspoken(SanaControlNetModel(**sizes | {"num_layers": 1}))


def hunyuan_controlnet(transformer: Any) -> Any:
    # It takes this many layers from the transformer, half of which it has.
    known = inspect.signature(HunyuanDiT2DControlNetModel).parameters
    sizes = {name: value for name, value in transformer.config.items() if name in known}
    return outspoken(
        HunyuanDiT2DControlNetModel(**sizes, transformer_num_layers=transformer.config.num_layers)
    )


FOR_DENOISER = {
    "UNet2DConditionModel": unet_controlnet,
    "FluxTransformer2DModel": flux_controlnet,
    "SD3Transformer2DModel": sd3_controlnet,
    "HunyuanDiT2DModel": hunyuan_controlnet,
    "QwenImageTransformer2DModel": qwen_controlnet,
    "SanaTransformer2DModel": sana_controlnet,
    "ZImageTransformer2DModel": z_image_controlnet,
}
"""What leads the denoiser of that class."""

FOR_INPAINTING = FOR_DENOISER | {
    "SD3Transformer2DModel": sd3_inpainting_controlnet,
    "QwenImageTransformer2DModel": qwen_inpainting_controlnet,
    "ZImageTransformer2DModel": z_image_inpainting_controlnet,
}
"""The same where it is to fill in what a mask covers."""
