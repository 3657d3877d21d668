"""
Where layers are in the layouts of trainers and of the models' authors.

diffusers converts whole checkpoints from the layouts of their authors: every layer that our rules
name must come out of that conversion where they say it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import (
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from diffusers.loaders import single_file_utils as converters

from nodetool_core.models.diffusers.loras.layouts import LayerNames, _authors_paths
from tests.nodes.huggingface import tiny_pipelines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Tensors = dict[str, torch.Tensor]

SD1 = {"cross_attention_dim": 768}
SDXL: dict[str, Any] = {
    "cross_attention_dim": 2048,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


class Forgiving(dict[str, torch.Tensor]):
    """A checkpoint that has whatever a converter asks for besides what is looked at here."""

    def pop(self, name: str, *default: Any) -> Any:
        return super().pop(name, *default) if name in self or default else torch.zeros(12)


def unet(checkpoint: Tensors, config: Mapping[str, Any]) -> Tensors:
    prefixed = {f"model.diffusion_model.{name}": one for name, one in checkpoint.items()}
    return converters.convert_ldm_unet_checkpoint(prefixed, config)


ASKED_FOR = (
    "context_embedder.weight",
    "context_embedder.bias",
    "distilled_guidance_layer.layers.0.in_layer.bias",
)
"""What converters look at to learn sizes."""


def transformer(convert: Callable[[Forgiving], Tensors]) -> Callable[..., Tensors]:
    return lambda checkpoint, config: convert(
        Forgiving(dict.fromkeys(ASKED_FOR, torch.zeros(12, 1)) | checkpoint)
    )


@pytest.mark.parametrize(
    ("cls", "settings", "convert", "same"),
    [
        (UNet2DConditionModel, SD1, unet, set()),
        (UNet2DConditionModel, SDXL, unet, set()),
        (
            SD3Transformer2DModel,
            {"num_layers": 2, "dual_attention_layers": (0,), "qk_norm": "rms_norm"},
            transformer(converters.convert_sd3_transformer_checkpoint_to_diffusers),
            set(),
        ),
        (
            FluxTransformer2DModel,
            {"num_layers": 1, "num_single_layers": 1, "guidance_embeds": True},
            transformer(converters.convert_flux_transformer_checkpoint_to_diffusers),
            set(),
        ),
        (
            Flux2Transformer2DModel,
            {"num_layers": 1, "num_single_layers": 1},
            transformer(converters.convert_flux2_transformer_checkpoint_to_diffusers),
            set(),
        ),
        (
            ChromaTransformer2DModel,
            {"num_layers": 1, "num_single_layers": 1},
            transformer(converters.convert_chroma_transformer_checkpoint_to_diffusers),
            {f"distilled_guidance_layer.{one}" for one in ("in_proj", "out_proj", "norms.*")},
        ),
    ],
)
def test_layers_are_where_the_conversion_of_checkpoints_puts_them(
    cls: Any, settings: dict[str, Any], convert: Callable[..., Tensors], same: set[str]
) -> None:
    with torch.device("meta"):
        module = cls(**settings)
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    generator = torch.Generator().manual_seed(1)
    known = {
        name: torch.randn(shape[0], *(1 for _ in shape[1:]), generator=generator)
        for name, shape in shapes.items()
    }
    checkpoint = {name: known[name] for name in ASKED_FOR if name in known}
    places = {
        original: rest
        for original, *rest in _authors_paths(module)
        # Names of a trainer's, which no checkpoint has.
        if ".processor." not in original
    }
    for original, (paths, is_swapped) in places.items():
        for kind in ("weight", "bias"):
            if all(f"{path}.{kind}" in known for path in paths):
                whole = torch.cat([known[f"{path}.{kind}"] for path in paths])
                name = "scale" if re.search(r"(query|key)_norm$", original) else kind
                checkpoint[f"{original}.{name}"] = (
                    torch.cat(whole.chunk(2)[::-1]) if is_swapped else whole
                )
    converted = convert(checkpoint, module.config)
    compared = set()
    for paths, _ in places.values():
        for path in paths:
            for kind in ("weight", "bias"):
                if (name := f"{path}.{kind}") in known:
                    assert torch.equal(converted[name].reshape(-1), known[name].reshape(-1)), path
                    compared.add(path)
    layers = {name.removesuffix(".weight") for name in known if name.endswith(".weight")}
    assert {re.sub(r"\d+", "*", path) for path in layers - compared} == same


@pytest.fixture(scope="module")
def names() -> dict[str, LayerNames]:
    found = {}
    for family in ("stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux"):
        pipeline: Any = tiny_pipelines.BUILDERS[family]()
        found[family] = LayerNames(
            {
                name: part
                for name, part in pipeline.components.items()
                if isinstance(part, torch.nn.Module) and name != "vae"
            }
        )
    return found


UP = "up_blocks.0.attentions.0.transformer_blocks.0"


@pytest.mark.parametrize(
    ("family", "name", "component", "path"),
    [
        # kohya
        (
            "stable_diffusion",
            f"lora_unet_{UP.replace('.', '_')}_attn1_to_out_0",
            "unet",
            "to_out.0",
        ),
        ("stable_diffusion", "lora_te_text_model_encoder_layers_0_mlp_fc1", "text_encoder", "fc1"),
        ("stable_diffusion_xl", "lora_unet_input_blocks_2_0_op", "unet", "downsamplers.0.conv"),
        (
            "stable_diffusion_xl",
            "lora_te2_text_model_encoder_layers_0_self_attn_q_proj",
            "text_encoder_2",
            "q_proj",
        ),
        ("stable_diffusion_3", "lora_unet_joint_blocks_0_x_block_mlp_fc1", "transformer", "0.proj"),
        (
            "stable_diffusion_3",
            "lora_te3_encoder_block_0_layer_0_SelfAttention_q",
            "text_encoder_3",
            "SelfAttention.q",
        ),
        ("flux", "lora_unet_double_blocks_0_img_mod_lin", "transformer", "norm1.linear"),
        ("flux", "lora_te1_text_model_encoder_layers_0_mlp_fc2", "text_encoder", "fc2"),
        (
            "flux",
            "lora_te3_encoder_block_0_layer_0_SelfAttention_o",
            "text_encoder_2",
            "SelfAttention.o",
        ),
        # OneTrainer, LyCORIS
        ("flux", "lora_transformer_transformer_blocks_0_attn_to_q", "transformer", "attn.to_q"),
        ("flux", "lycoris_transformer_blocks_0_attn_to_q", "transformer", "attn.to_q"),
        # diffusers, now and before it used PEFT
        ("stable_diffusion", f"unet.{UP}.attn2.to_k", "unet", "attn2.to_k"),
        ("stable_diffusion", f"unet.{UP}.attn2.processor.to_k_lora", "unet", "attn2.to_k"),
        ("stable_diffusion", f"unet.{UP}.attn2.processor.to_out_lora", "unet", "to_out.0"),
        (
            "stable_diffusion",
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
            "text_encoder",
            "q_proj",
        ),
        (
            "stable_diffusion",
            "text_encoder.text_model.encoder.layers.0.self_attn.to_out_lora",
            "text_encoder",
            "out_proj",
        ),
        # PEFT
        ("stable_diffusion", f"base_model.model.{UP}.attn2.to_k", "unet", "attn2.to_k"),
        ("flux", "base_model.model.transformer_blocks.0.attn.to_q", "transformer", "attn.to_q"),
        ("flux", "base_model.model.transformer.transformer_blocks.0.ff.net.2", "transformer", "2"),
        # ComfyUI and the authors
        ("flux", "diffusion_model.double_blocks.0.img_attn.proj", "transformer", "to_out.0"),
        ("flux", "diffusion_model.transformer_blocks.0.attn.to_k", "transformer", "attn.to_k"),
        ("flux", "double_blocks.0.processor.proj_lora2", "transformer", "to_add_out"),
        (
            "stable_diffusion_3",
            "model.diffusion_model.final_layer.linear",
            "transformer",
            "proj_out",
        ),
        (
            "stable_diffusion_xl",
            "text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1",
            "text_encoder_2",
            "fc1",
        ),
        (
            "flux",
            "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.k",
            "text_encoder_2",
            "SelfAttention.k",
        ),
    ],
)
def test_names_of_every_trainer_are_found(
    names: dict[str, LayerNames], family: str, name: str, component: str, path: str
) -> None:
    place = names[family].find(name)
    assert place is not None, name
    assert place.component == component and place.paths[0].endswith(path), place


def test_queries_keys_and_values_are_one_layer_of_the_authors(names: dict[str, LayerNames]) -> None:
    place = names["flux"].find("lora_unet_single_blocks_0_linear1")
    assert place is not None
    assert [path.rpartition(".")[2] for path in place.paths] == ["to_q", "to_k", "to_v", "proj_mlp"]
    assert names["flux"].find("lora_unet_single_blocks_9_linear1") is None
    assert names["stable_diffusion"].find("lora_unet_joint_blocks_0_x_block_mlp_fc1") is None
