"""
What hangs on a tiny pipeline: LoRAs, an IP adapter with its image encoder, ControlNets.

Random weights, real files.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from diffusers import DiffusionPipeline
from diffusers.loaders import SD3IPAdapterMixin
from diffusers.models.attention_processor import SD3IPAdapterJointAttnProcessor2_0
from diffusers.models.embeddings import IPAdapterTimeImageProjection
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from tests.nodes.huggingface import tiny_pipelines
from tests.nodes.huggingface.tiny_controlnets import (
    FOR_DENOISER,
    FOR_INPAINTING,
    unet_t2i_adapter,
    unet_union,
)
from tests.nodes.huggingface.tiny_parts import (
    WIDTH,
    clip_config,
    clip_images,
    clip_vision,
    siglip_images,
    siglip_vision,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def _built(family: str) -> DiffusionPipeline:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return tiny_pipelines.BUILDERS[family]()


def save_lora(family: str, path: Path) -> str:
    """Return a LoRA for the denoiser of a family, in diffusers' form."""
    pipeline = _built(family)
    name = "unet" if hasattr(pipeline, "unet") else "transformer"
    denoiser: Any = getattr(pipeline, name)
    layers = ["to_q", "to_v", "to_query", "to_value"]
    denoiser.add_adapter(
        LoraConfig(r=2, lora_alpha=2, target_modules=layers, init_lora_weights="gaussian")
    )
    generator = torch.Generator().manual_seed(1)
    tensors = {
        key: torch.randn(tensor.shape, generator=generator)
        for key, tensor in get_peft_model_state_dict(denoiser).items()
    }
    save_file({f"{name}.{key}": tensor for key, tensor in tensors.items()}, path)
    return str(path)


def save_controlnet(family: str, directory: Path) -> str:
    return _save_net(family, directory, FOR_DENOISER)


def save_controlnet_for_inpainting(family: str, directory: Path) -> str:
    return _save_net(family, directory, FOR_INPAINTING)


def save_controlnet_union(family: str, directory: Path) -> str:
    return _save_net(family, directory, {"UNet2DConditionModel": unet_union})


def save_t2i_adapter(family: str, directory: Path) -> str:
    return _save_net(
        family,
        directory,
        {"UNet2DConditionModel": partial(unet_t2i_adapter, pixels=_pixels(family))},
    )


def save_grey_t2i_adapter(family: str, directory: Path) -> str:
    """Return one that looks at grey images, such as those for sketches."""
    made = partial(unet_t2i_adapter, pixels=_pixels(family), channels=1)
    return _save_net(family, directory, {"UNet2DConditionModel": made})


def _pixels(family: str) -> int:
    """Return how many pixels one latent of a family covers along a side."""
    pipeline: Any = _built(family)
    return int(pipeline.vae_scale_factor)


def _save_net(family: str, directory: Path, builders: Mapping[str, Callable[[Any], Any]]) -> str:
    denoiser = _denoiser(_built(family))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = builders[type(denoiser).__name__](denoiser)
    net.save_pretrained(directory)
    return str(directory)


def _denoiser(pipeline: Any) -> Any:
    return pipeline.unet if hasattr(pipeline, "unet") else pipeline.transformer


def save_ip_adapter(family: str, directory: Path) -> str:
    """Return an IP adapter's file, with its image encoder in the folder beside it."""
    pipeline: Any = _built(family)
    if isinstance(pipeline, SD3IPAdapterMixin):
        encoder, tensors = siglip_vision(), _for_sd3(pipeline.transformer)
        siglip_images().save_pretrained(directory / "image_encoder")
    else:
        encoder = clip_vision()
        tensors = (
            _for_unet(pipeline.unet)
            if hasattr(pipeline, "unet")
            else _for_flux(pipeline.transformer)
        )
    encoder.save_pretrained(directory / "image_encoder")
    save_file(tensors, directory / "ip-adapter.safetensors")
    return str(directory / "ip-adapter.safetensors")


def save_eye(family: str, directory: Path) -> str:
    """
    Return the model that the image encoder of a family's IP adapters is half of.

    The other half reads texts.
    """
    sigmoid = isinstance(_built(family), SD3IPAdapterMixin)
    seeing = (siglip_vision() if sigmoid else clip_vision()).config.to_dict()
    reading = clip_config().to_dict() | {"max_position_embeddings": 77}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        whole: Any = (
            SiglipModel(SiglipConfig(text_config=reading, vision_config=seeing))
            if sigmoid
            else CLIPModel(
                CLIPConfig(text_config=reading, vision_config=seeing, projection_dim=WIDTH)
            )
        )
    whole.save_pretrained(directory)
    (siglip_images() if sigmoid else clip_images()).save_pretrained(directory)
    return str(directory)


def _projection(prefix: str, width: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}.proj.weight": torch.randn(4 * width, WIDTH, generator=generator),
        f"{prefix}.proj.bias": torch.zeros(4 * width),
        f"{prefix}.norm.weight": torch.ones(width),
        f"{prefix}.norm.bias": torch.zeros(width),
    }


def _for_unet(unet: Any) -> dict[str, torch.Tensor]:
    width, generator = unet.config.cross_attention_dim, torch.Generator().manual_seed(1)
    tensors = _projection("image_proj", width, generator)
    crossings = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, name in enumerate(crossings):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        for part in ("to_k_ip", "to_v_ip"):
            shape = (attention.to_k.out_features, width)
            tensors[f"ip_adapter.{2 * index + 1}.{part}.weight"] = torch.randn(
                shape, generator=generator
            )
    return tensors


def _for_flux(transformer: Any) -> dict[str, torch.Tensor]:
    """Under the names that the published adapters for Flux have."""
    width, generator = transformer.config.joint_attention_dim, torch.Generator().manual_seed(1)
    tensors = _projection("ip_adapter_proj_model", width, generator)
    for block in range(transformer.config.num_layers):
        for part in ("k", "v"):
            stem = f"double_blocks.{block}.processor.ip_adapter_double_stream_{part}_proj"
            tensors[f"{stem}.weight"] = torch.randn(
                transformer.inner_dim, width, generator=generator
            )
            tensors[f"{stem}.bias"] = torch.zeros(transformer.inner_dim)
    return tensors


def _for_sd3(transformer: Any) -> dict[str, torch.Tensor]:
    width, hidden = transformer.inner_dim, 64
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        projection = IPAdapterTimeImageProjection(
            embed_dim=WIDTH,
            output_dim=width,
            hidden_dim=hidden,
            heads=1,
            num_queries=4,
            timestep_in_dim=16,
        )
        crossings = [
            SD3IPAdapterJointAttnProcessor2_0(
                hidden_size=width,
                ip_hidden_states_dim=width,
                head_dim=transformer.config.attention_head_dim,
                timesteps_emb_dim=hidden,
            )
            for _ in transformer.attn_processors
        ]
    tensors = {f"image_proj.{name}": tensor for name, tensor in projection.state_dict().items()}
    for index, crossing in enumerate(crossings):
        tensors |= {
            f"ip_adapter.{index}.{name}": tensor for name, tensor in crossing.state_dict().items()
        }
    return tensors
