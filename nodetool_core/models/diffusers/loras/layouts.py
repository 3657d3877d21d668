"""
Where the layers that files name are in a pipeline.

Trainers name a layer by its path in diffusers or in the code of the model's authors, with dots or
with underscores (kohya), behind a prefix for the component. All are brought to one spelling, with
underscores, and looked up among the paths of the pipeline's own modules. The paths that authors use
follow from those of diffusers, by a rule for UNets and a table for transformers: a row counts where
the layers that it names are there. Authors keep queries, keys and values in one layer, where
diffusers has three.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

DENOISERS: Final = ("unet", "transformer", "prior")
ENCODERS: Final = ("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4")

_PREFIXES: Final = (
    (r"lora_te3_|text_encoder_3\.|(text_encoders\.)?t5xxl\.(transformer\.)?", ENCODERS[2:0:-1]),
    (r"lora_te2_|text_encoder_2\.|(text_encoders\.)?clip_g\.(transformer\.)?", ENCODERS[1:2]),
    (r"lora_te1?_|text_encoder\.|(text_encoders\.)?clip_l\.(transformer\.)?", ENCODERS[:1]),
    (r"text_encoder_4\.", ENCODERS[3:]),
    (r"lora_(unet|transformer|prior)_|lycoris_(unet_)?", DENOISERS),
    (r"(model\.)?diffusion_model\.|unet\.|transformer\.|prior\.", DENOISERS),
    ("", (*DENOISERS, *ENCODERS)),
)
"""What names begin with, and which components they may be of: the first that has the layer."""

_COMPILED: Final = tuple((re.compile(prefix), components) for prefix, components in _PREFIXES)

_PEFT: Final = "base_model.model."
_TEXT_MODEL: Final = "text_model_"
"""What CLIP's paths begin with in some classes of transformers and not in others."""

_QKV: Final = ("to_q", "to_k", "to_v")
_ADDED: Final = ("add_q_proj", "add_k_proj", "add_v_proj")
_DOUBLE, _SINGLE, _JOINT = (
    "transformer_blocks.{}",
    "single_transformer_blocks.{}",
    "joint_blocks.{}",
)

_GUIDANCE = "distilled_guidance_layer.layers.{}"


def _each(path: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{path}.{name}" for name in names)


_TABLE: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    # FLUX.1, Chroma, FLUX.2.
    ("double_blocks.{}.img_attn.qkv", _each(f"{_DOUBLE}.attn", _QKV)),
    ("double_blocks.{}.txt_attn.qkv", _each(f"{_DOUBLE}.attn", _ADDED)),
    ("double_blocks.{}.img_attn.proj", (f"{_DOUBLE}.attn.to_out.0",)),
    ("double_blocks.{}.txt_attn.proj", (f"{_DOUBLE}.attn.to_add_out",)),
    ("double_blocks.{}.img_mlp.0", (f"{_DOUBLE}.ff.net.0.proj",)),
    ("double_blocks.{}.img_mlp.0", (f"{_DOUBLE}.ff.linear_in",)),
    ("double_blocks.{}.img_mlp.2", (f"{_DOUBLE}.ff.net.2",)),
    ("double_blocks.{}.img_mlp.2", (f"{_DOUBLE}.ff.linear_out",)),
    ("double_blocks.{}.txt_mlp.0", (f"{_DOUBLE}.ff_context.net.0.proj",)),
    ("double_blocks.{}.txt_mlp.0", (f"{_DOUBLE}.ff_context.linear_in",)),
    ("double_blocks.{}.txt_mlp.2", (f"{_DOUBLE}.ff_context.net.2",)),
    ("double_blocks.{}.txt_mlp.2", (f"{_DOUBLE}.ff_context.linear_out",)),
    ("double_blocks.{}.img_mod.lin", (f"{_DOUBLE}.norm1.linear",)),
    ("double_blocks.{}.txt_mod.lin", (f"{_DOUBLE}.norm1_context.linear",)),
    ("double_blocks.{}.img_attn.norm.query_norm", (f"{_DOUBLE}.attn.norm_q",)),
    ("double_blocks.{}.img_attn.norm.key_norm", (f"{_DOUBLE}.attn.norm_k",)),
    ("double_blocks.{}.txt_attn.norm.query_norm", (f"{_DOUBLE}.attn.norm_added_q",)),
    ("double_blocks.{}.txt_attn.norm.key_norm", (f"{_DOUBLE}.attn.norm_added_k",)),
    ("single_blocks.{}.linear1", (*_each(f"{_SINGLE}.attn", _QKV), f"{_SINGLE}.proj_mlp")),
    ("single_blocks.{}.linear1", (f"{_SINGLE}.attn.to_qkv_mlp_proj",)),
    ("single_blocks.{}.linear2", (f"{_SINGLE}.proj_out",)),
    ("single_blocks.{}.linear2", (f"{_SINGLE}.attn.to_out",)),
    ("single_blocks.{}.modulation.lin", (f"{_SINGLE}.norm.linear",)),
    ("single_blocks.{}.norm.query_norm", (f"{_SINGLE}.attn.norm_q",)),
    ("single_blocks.{}.norm.key_norm", (f"{_SINGLE}.attn.norm_k",)),
    ("single_stream_modulation.lin", ("single_stream_modulation.linear",)),
    ("double_stream_modulation_img.lin", ("double_stream_modulation_img.linear",)),
    ("double_stream_modulation_txt.lin", ("double_stream_modulation_txt.linear",)),
    ("img_in", ("x_embedder",)),
    ("txt_in", ("context_embedder",)),
    *(
        (f"{name}_in.{side}_layer", (f"{embeds}.{name_in_diffusers}_embedder.linear_{number}",))
        for embeds in ("time_text_embed", "time_guidance_embed")
        for name, name_in_diffusers in (
            ("time", "timestep"),
            ("vector", "text"),
            ("guidance", "guidance"),
        )
        for side, number in (("in", 1), ("out", 2))
    ),
    *(
        (f"{_GUIDANCE}.{side}_layer", (f"{_GUIDANCE}.linear_{number}",))
        for side, number in (("in", 1), ("out", 2))
    ),
    # XLabs trains attention alone.
    ("double_blocks.{}.processor.qkv_lora1", _each(f"{_DOUBLE}.attn", _QKV)),
    ("double_blocks.{}.processor.qkv_lora2", _each(f"{_DOUBLE}.attn", _ADDED)),
    ("double_blocks.{}.processor.proj_lora1", (f"{_DOUBLE}.attn.to_out.0",)),
    ("double_blocks.{}.processor.proj_lora2", (f"{_DOUBLE}.attn.to_add_out",)),
    ("single_blocks.{}.processor.qkv_lora", _each(f"{_SINGLE}.attn", _QKV)),
    ("single_blocks.{}.processor.proj_lora", (f"{_SINGLE}.proj_out",)),
    # Stable Diffusion 3.
    (f"{_JOINT}.x_block.attn.qkv", _each(f"{_DOUBLE}.attn", _QKV)),
    (f"{_JOINT}.context_block.attn.qkv", _each(f"{_DOUBLE}.attn", _ADDED)),
    (f"{_JOINT}.x_block.attn2.qkv", _each(f"{_DOUBLE}.attn2", _QKV)),
    (f"{_JOINT}.x_block.attn.proj", (f"{_DOUBLE}.attn.to_out.0",)),
    (f"{_JOINT}.x_block.attn2.proj", (f"{_DOUBLE}.attn2.to_out.0",)),
    (f"{_JOINT}.context_block.attn.proj", (f"{_DOUBLE}.attn.to_add_out",)),
    (f"{_JOINT}.x_block.mlp.fc1", (f"{_DOUBLE}.ff.net.0.proj",)),
    (f"{_JOINT}.x_block.mlp.fc2", (f"{_DOUBLE}.ff.net.2",)),
    (f"{_JOINT}.context_block.mlp.fc1", (f"{_DOUBLE}.ff_context.net.0.proj",)),
    (f"{_JOINT}.context_block.mlp.fc2", (f"{_DOUBLE}.ff_context.net.2",)),
    (f"{_JOINT}.x_block.adaLN_modulation.1", (f"{_DOUBLE}.norm1.linear",)),
    (f"{_JOINT}.context_block.adaLN_modulation.1", (f"{_DOUBLE}.norm1_context.linear",)),
    (f"{_JOINT}.x_block.attn.ln_q", (f"{_DOUBLE}.attn.norm_q",)),
    (f"{_JOINT}.x_block.attn.ln_k", (f"{_DOUBLE}.attn.norm_k",)),
    (f"{_JOINT}.context_block.attn.ln_q", (f"{_DOUBLE}.attn.norm_added_q",)),
    (f"{_JOINT}.context_block.attn.ln_k", (f"{_DOUBLE}.attn.norm_added_k",)),
    (f"{_JOINT}.x_block.attn2.ln_q", (f"{_DOUBLE}.attn2.norm_q",)),
    (f"{_JOINT}.x_block.attn2.ln_k", (f"{_DOUBLE}.attn2.norm_k",)),
    ("x_embedder.proj", ("pos_embed.proj",)),
    ("t_embedder.mlp.0", ("time_text_embed.timestep_embedder.linear_1",)),
    ("t_embedder.mlp.2", ("time_text_embed.timestep_embedder.linear_2",)),
    ("y_embedder.mlp.0", ("time_text_embed.text_embedder.linear_1",)),
    ("y_embedder.mlp.2", ("time_text_embed.text_embedder.linear_2",)),
    # Z-Image, Lumina-Image 2.
    *(
        (f"{blocks}.{{}}.attention.{name}", _each(f"{blocks}.{{}}.{where}", targets))
        for blocks in ("layers", "noise_refiner", "context_refiner")
        for name, where, targets in (
            ("qkv", "attention", _QKV),
            ("out", "attention", ("to_out.0",)),
            ("qkv", "attn", _QKV),
            ("out", "attn", ("to_out.0",)),
        )
    ),
    # All of them end like this.
    ("final_layer.linear", ("proj_out",)),
    ("final_layer.adaLN_modulation.1", ("norm_out.linear",)),
)
"""A layer's path in the code of a family's authors to those in diffusers, from top to bottom."""

_SWAPPED: Final = "AdaLayerNormContinuous"
"""The class of diffusers whose layer makes scale and shift in the other order than its authors'."""

_RESNET: Final = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)
_UNET: Final = (
    ("conv_in", "input_blocks.0.0"),
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer of a file is: one layer of a component, or several that are one in the file."""

    component: str
    paths: tuple[str, ...]
    """From the first of its outputs to the last."""
    is_swapped: bool = False
    """Whether the two halves of its outputs are in the other order."""


class LayerNames:
    """Finds the layers of a pipeline by the names that files have for them."""

    def __init__(self, components: Mapping[str, torch.nn.Module]) -> None:
        """
        Make a finder.

        Args:
            components: Denoisers and text encoders by name.
        """
        self._components = components
        self._places: dict[str, dict[str, Place]] = {}

    def find(self, name: str) -> Place | None:
        """Return where a layer is; None where the pipeline lacks it."""
        bare = name.removeprefix(_PEFT)
        for prefix, components in _COMPILED:
            if not (found := prefix.match(bare)):
                continue
            spellings = list(_spellings(bare[found.end() :]))
            for component in components:
                places = self._of(component)
                for spelling in spellings:
                    if spelling in places:
                        return places[spelling]
        return None

    def _of(self, component: str) -> Mapping[str, Place]:
        if component not in self._components:
            return {}
        if component not in self._places:
            module = self._components[component]
            aliases = _encoder_paths if component in ENCODERS else _authors_paths
            found = {
                _flat(spelling): Place(component, paths, is_swapped)
                for spelling, paths, is_swapped in aliases(module)
            }
            own = {
                _flat(path): Place(component, (path,))
                for path, layer in module.named_modules()
                if layer._parameters
            }
            parameters = {
                _flat(path): Place(component, (path,)) for path, _ in module.named_parameters()
            }
            self._places[component] = found | parameters | own
        return self._places[component]


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _spellings(name: str) -> Iterator[str]:
    """Yield the spellings of a layer's name under which it may be known."""
    yield _flat(name)
    # As diffusers had it before it used PEFT.
    plain = re.sub(r"_lora$", "", _flat(name.replace(".processor.", ".")))
    yield plain
    yield f"{plain}_0"


def _encoder_paths(module: torch.nn.Module) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    for path, _ in module.named_modules():
        short = _flat(path).removeprefix(_TEXT_MODEL)
        for name in (short, re.sub(r"_([qkv])_proj$", r"_to_\1", short)):
            yield name, (path,), False
            yield f"{_TEXT_MODEL}{name}", (path,), False
        if short.endswith("_out_proj"):
            yield f"{_TEXT_MODEL}{short.removesuffix('out_proj')}to_out", (path,), False


def _authors_paths(module: torch.nn.Module) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    modules = dict(module.named_modules())
    if "down_blocks" in modules and "conv_in" in modules:
        for path, original in _unet_paths(modules):
            yield original, (path,), False
        return
    for original, targets in _TABLE:
        blocks = targets[0].partition(".{}")[0]
        count = len(list(modules[blocks].children())) if blocks in modules else 0
        for index in range(count) if "{}" in original else (0,):
            paths = tuple(target.format(index) for target in targets)
            if all(path in modules for path in paths):
                parent = modules[paths[0].rpartition(".")[0]]
                is_swapped = type(parent).__name__ == _SWAPPED
                yield original.format(index), paths, is_swapped


def _unet_paths(modules: Mapping[str, torch.nn.Module]) -> Iterator[tuple[str, str]]:
    """Yield the paths of a UNet's layers in diffusers and in the code of its authors."""
    prefixes = [*_UNET, *_block_prefixes(modules)]
    for path, original in prefixes:
        if path in modules:
            yield path, original
        for leaf in modules:
            if leaf.startswith(f"{path}."):
                rest = leaf.removeprefix(f"{path}.")
                if ".resnets." in path:
                    rest = next(
                        (
                            rest.replace(old, new, 1)
                            for old, new in _RESNET
                            if rest == old or rest.startswith(f"{old}.")
                        ),
                        rest,
                    )
                yield leaf, f"{original}.{rest}"


def _block_prefixes(modules: Mapping[str, torch.nn.Module]) -> Iterator[tuple[str, str]]:
    """Yield the beginnings of paths, of each part of each block."""

    def depth(path: str) -> int:
        return len(list(modules[path].children())) if path in modules else 0

    number = 1
    for block in range(depth("down_blocks")):
        down = f"down_blocks.{block}"
        for index in range(depth(f"{down}.resnets")):
            yield f"{down}.resnets.{index}", f"input_blocks.{number}.0"
            yield f"{down}.attentions.{index}", f"input_blocks.{number}.1"
            number += 1
        if f"{down}.downsamplers.0" in modules:
            yield f"{down}.downsamplers.0.conv", f"input_blocks.{number}.0.op"
            number += 1
    yield "mid_block.resnets.0", "middle_block.0"
    yield "mid_block.attentions.0", "middle_block.1"
    yield "mid_block.resnets.1", "middle_block.2"
    number = 0
    for block in range(depth("up_blocks")):
        up = f"up_blocks.{block}"
        for index in range(depth(f"{up}.resnets")):
            yield f"{up}.resnets.{index}", f"output_blocks.{number}.0"
            yield f"{up}.attentions.{index}", f"output_blocks.{number}.1"
            number += 1
        if f"{up}.upsamplers.0" in modules:
            place = 2 if depth(f"{up}.attentions") else 1
            yield f"{up}.upsamplers.0", f"output_blocks.{number - 1}.{place}"
