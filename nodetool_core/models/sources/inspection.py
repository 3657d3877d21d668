"""
What a file of weights is, from its head alone, in milliseconds: `nodetool models inspect FILE`.

Listings, hints and errors say the same, as they come from here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.file_families import label_of
from nodetool_core.models.sources.file_formats import weights_header
from nodetool_core.models.sources.file_kinds import FileComponent, Kind, components_of
from nodetool_core.models.sources.lora_files import LoraTraits, lora_traits, stated_family

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from nodetool_core.models.sources.headers import Header

_SHOWN = 3
_MODEL = "Set a node's `model` to it."
_PART = "It is a part of a model: name it in the model's `{}`, over a base that has the rest."

_NAMES: Final[dict[Kind, tuple[str, str]]] = {
    "checkpoint": ("a checkpoint", _MODEL),
    "denoiser": ("a denoiser alone", _PART.format("denoiser")),
    "vae": ("an autoencoder (VAE)", _PART.format("vae")),
    "text_encoder": ("a text encoder", _PART.format("text_encoders")),
    "image_encoder": ("an image encoder", "It is looked for beside the IP adapter that needs it."),
    "lora": (
        "a LoRA",
        "Add it to the node's `loras`, and set the model to the one that it was made for.",
    ),
    "ip_adapter": ("an IP adapter", "Name it in the node's `ip_adapter_model`."),
    "controlnet": ("a ControlNet", "Name it in the node's `controlnet`."),
    "t2i_adapter": ("a T2I-Adapter", "Give its directory as a ControlNet to a text-to-image node."),
    "upscaler": ("a network that enlarges images", "Use it with the node Upscale."),
    "embedding": (
        "an embedding (textual inversion)",
        "Add it to the node's `embeddings`, and name it in the prompt: embedding:name.",
    ),
    "motion_module": ("a motion module", "It makes videos of a model; no node uses it."),
    "unknown": (
        "of no kind that is known",
        "Give a model as its authors publish it, with all components in one file, or a folder in"
        " diffusers form.",
    ),
}
"""What each kind is called, with its article, and what to do with it."""

_VAES: Final = {
    "sd": "Stable Diffusion 1, 2 or XL",
    "flux": "FLUX.1, Stable Diffusion 3 or Z-Image",
    "flux2": "FLUX.2",
    "sana": "Sana",
    "wan": "Qwen-Image or Wan",
}
"""Whose latents autoencoders make."""

_TEXTS: Final = {
    "clip": "CLIP",
    "clip-l": "CLIP-L",
    "clip-g": "CLIP-G",
    "clip-h": "CLIP-H, of Stable Diffusion 2",
    "t5": "T5",
    "t5-base": "T5 Base",
    "t5-large": "T5 Large",
    "t5-xl": "T5-XL",
    "t5-xxl": "T5-XXL",
    "umt5-xxl": "UMT5-XXL, of Wan",
    "qwen2.5-vl-7b": "Qwen2.5-VL 7B, of Qwen-Image",
    "qwen3-4b": "Qwen3 4B, of Z-Image",
    "qwen3-8b": "Qwen3 8B",
    "gemma2-2b": "Gemma 2 2B, of Lumina-Image 2 and Sana",
    "llama3-8b": "Llama 3 8B, of HiDream-I1",
    "mistral-small": "Mistral Small, of FLUX.2",
    "language-model": "a language model",
}
"""What text encoders are called."""

_SCALED = ("scale_weight", "weight_scale")


@dataclass(frozen=True, slots=True)
class FileDescription:
    """What a file of weights is."""

    kind: Kind
    family: str | None
    """Key of the family of models that it is of, or is made for; None where that is not seen."""
    format: str
    """`safetensors` or `gguf`."""
    tensors: int
    bytes: int
    """Of all tensors."""
    number_formats: dict[str, int]
    """How many tensors are in each, the most frequent first."""
    components: tuple[FileComponent, ...]
    lora: LoraTraits | None = None
    first_names: tuple[str, ...] = ()
    stated: str | None = None
    """Key of the family that the texts of its header name; None where they name none."""

    @property
    def name(self) -> str:
        """What it is, with an article: `a LoRA for Stable Diffusion XL`."""
        return named(self.kind, self.family)

    @property
    def said(self) -> str:
        """What messages say that it is, after its name."""
        return f"is {self.name}" if self.kind == "unknown" else f"looks like {self.name}"

    @property
    def hint(self) -> str:
        """What to do with it."""
        return _NAMES[self.kind][1]

    @property
    def is_scaled_fp8(self) -> bool:
        """Whether its weights are 8 bits wide and have scales beside them."""
        return "scaled" in self.number_formats

    def component(self, kind: Kind) -> FileComponent | None:
        """Return the first component of a kind; None where it has none."""
        return next((one for one in self.components if one.kind == kind), None)


_OWN: Final[frozenset[Kind]] = frozenset({"checkpoint", "denoiser"})
"""Kinds that are of a family; others are made for one."""


def inspect_file(path: Path, name: str) -> FileDescription:
    """
    Return what a file is that the user calls `name`. Reads its head, no weights, in milliseconds.

    Raises ModelError for a pickle, whatever it is called, and for what is no whole file of weights.
    """
    return describe(weights_header(path, name))


def describe(header: Header) -> FileDescription:
    """Return what the file with a head is."""
    shapes = {name: tensor.shape for name, tensor in header.tensors.items()}
    components = tuple(components_of(shapes))
    kind, family = _overall(components)
    lora = lora_traits(shapes, header.metadata) if kind == "lora" else None
    formats = Counter(tensor.dtype for tensor in header.tensors.values())
    if any(one.rpartition(".")[2] in _SCALED for one in shapes):
        formats["scaled"] = sum(one.rpartition(".")[2] in _SCALED for one in shapes)
    return FileDescription(
        kind,
        (lora.family if lora else family) or stated_family(header.metadata),
        header.format,
        len(shapes),
        sum(tensor.bytes for tensor in header.tensors.values()),
        dict(formats.most_common()),
        components,
        lora,
        tuple(sorted(shapes)[:_SHOWN]),
        stated_family(header.metadata),
    )


def named(kind: Kind, family: str | None) -> str:
    """Return what a kind of one family is called, with an article."""
    known = _NAMES[kind][0]
    if kind == "text_encoder":
        return f"{known} ({_TEXTS.get(family, family)})" if family else known
    of = _VAES.get(family or "") if kind == "vae" else label_of(family)
    return known if of is None else f"{known} {'of' if kind in _OWN else 'for'} {of}"


def no_whole_model(name: str, described: FileDescription) -> ModelError:
    """Return the refusal of a file where a whole model is wanted."""
    if described.kind == "unknown":
        shown = ", ".join(described.first_names) or "none at all"
        message = f"is of no family that is known here: its first tensors are {shown}."
    else:
        message = f"looks like {described.name}, which is no model by itself."
    return ModelError(Problem("model_unfit", name, message, described.hint))


def unfit_kind(name: str, described: FileDescription, wanted: Collection[Kind]) -> ModelError:
    """Return the refusal of a file of another kind than those that are wanted."""
    expected = " or ".join(_NAMES[kind][0] for kind in wanted)
    message = f"{described.said}, where {expected} is wanted."
    return ModelError(Problem("model_unfit", name, message, described.hint))


def _overall(components: tuple[FileComponent, ...]) -> tuple[Kind, str | None]:
    if not components:
        return "unknown", None
    kinds = {one.kind for one in components}
    if "denoiser" in kinds and len(components) > 1:
        return "checkpoint", next(one.family for one in components if one.kind == "denoiser")
    return components[0].kind, components[0].family
