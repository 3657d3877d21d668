"""What hangs on a tiny pipeline: LoRAs, an IP adapter with its image encoder, ControlNets. Random weights, real files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import ControlNetModel, DiffusionPipeline, FluxControlNetModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.nodes.huggingface import tiny_pipelines
from tests.nodes.huggingface.tiny_parts import WIDTH

if TYPE_CHECKING:
    from pathlib import Path


def _built(family: str) -> DiffusionPipeline:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return tiny_pipelines.BUILDERS[family]()


def save_lora(family: str, path: Path) -> str:
    """A LoRA for the denoiser of a family, in diffusers' form."""
    pipeline = _built(family)
    name = "unet" if hasattr(pipeline, "unet") else "transformer"
    denoiser: Any = getattr(pipeline, name)
    denoiser.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights="gaussian"))
    generator = torch.Generator().manual_seed(1)
    tensors = {key: torch.randn(tensor.shape, generator=generator) for key, tensor in get_peft_model_state_dict(denoiser).items()}
    save_file({f"{name}.{key}": tensor for key, tensor in tensors.items()}, path)
    return str(path)


def save_controlnet(family: str, directory: Path) -> str:
    pipeline = _built(family)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        if hasattr(pipeline, "unet"):
            net: Any = ControlNetModel.from_unet(pipeline.unet, conditioning_embedding_out_channels=(16, 32))
            # A ControlNet starts as one that says nothing.
            for block in (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out):
                torch.nn.init.normal_(block.weight, std=0.5)
        else:
            net = FluxControlNetModel.from_transformer(
                pipeline.transformer, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2
            )
            for block in (*net.controlnet_blocks, *net.controlnet_single_blocks, net.controlnet_x_embedder):
                torch.nn.init.normal_(block.weight, std=0.5)
    net.save_pretrained(directory)
    return str(directory)


def save_ip_adapter(family: str, directory: Path) -> str:
    """An IP adapter's file, with its image encoder in the folder beside it."""
    pipeline: Any = _built(family)
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=32,
        patch_size=16,
    )
    CLIPVisionModelWithProjection(vision).save_pretrained(directory / "image_encoder")
    tensors = _for_unet(pipeline.unet) if hasattr(pipeline, "unet") else _for_flux(pipeline.transformer)
    save_file(tensors, directory / "ip-adapter.safetensors")
    return str(directory / "ip-adapter.safetensors")


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
            tensors[f"ip_adapter.{2 * index + 1}.{part}.weight"] = torch.randn(shape, generator=generator)
    return tensors


def _for_flux(transformer: Any) -> dict[str, torch.Tensor]:
    """Under the names that the published adapters for Flux have."""
    width, generator = transformer.config.joint_attention_dim, torch.Generator().manual_seed(1)
    tensors = _projection("ip_adapter_proj_model", width, generator)
    for block in range(transformer.config.num_layers):
        for part in ("k", "v"):
            stem = f"double_blocks.{block}.processor.ip_adapter_double_stream_{part}_proj"
            tensors[f"{stem}.weight"] = torch.randn(transformer.inner_dim, width, generator=generator)
            tensors[f"{stem}.bias"] = torch.zeros(transformer.inner_dim)
    return tensors
