"""
The section of docs/models.md on LoRAs: which methods and which names of layers are read.

The table of methods is generated from that by which files are read.
"""

from __future__ import annotations

from typing import Final

from nodetool_core.models.diffusers.loras.methods import METHODS, Method

_TEXT: Final = """\
## LoRAs

A reference in `loras` has a `scale`, and a `text_encoder_scale` where the text encoders get another
one. A file may change its layers by these methods, and different layers by different ones:"""

_NOTES: Final = """\
Alpha is read from its tensor, from the header (`lora_adapter_metadata`) or from
`adapter_config.json` beside the file; folders of PEFT are read as they are.

Layers may have the names of kohya's scripts, OneTrainer, LyCORIS, diffusers (today's and older
ones), PEFT, XLabs and ComfyUI, and those of the authors' code for Stable Diffusion 1, 2, XL and 3,
FLUX.1, FLUX.2 and Chroma, where queries, keys and values are one layer. For other families, names
that follow the paths of diffusers are read, and whatever diffusers converts for the family.

- A LoRA for another family is refused from the heads of the files, before weights are read. So is a
  file that is no LoRA, or that lacks a part of a layer.
- What a file has and the model lacks is named in a warning, with numbers left out of the names.
- No weight is changed. A layer computes with the sum of its weight and the change, which is made
  each time that it runs and thrown away; a plain LoRA acts beside the layer. So the next call may
  have other LoRAs, or none, without loading anything, and the memory of a model stays the same. A
  step of Stable Diffusion 1 at 512 pixels, all of whose attention is changed at rank 8, takes 7 %
  longer with LoKr, 11 % with LoHa and 18 % with DoRA (one core, float32, 30 November 2026).
- Models with `quantization: fp8` take all methods. Where weights are integers, plain LoRAs
  are taken, and others are refused by name.
- `scale` multiplies the change as a whole, for OFT, BOFT and DoRA too."""


def loras_section() -> str:
    """Return the section, as Markdown."""
    header = ["| Method | Tensors of a layer | Paper |", "|---|---|---|"]
    rows = [f"| {one.name} | {_tensors(one)} | {_paper(one)} |" for one in METHODS]
    return "\n\n".join([_TEXT, "\n".join([*header, *rows]), _NOTES])


def _tensors(method: Method) -> str:
    needed = ", ".join(
        " or ".join(" + ".join(f"`{role}`" for role in sorted(roles)) for roles in entry)
        for entry in method.needs
    )
    may = ", ".join(f"`{role}`" for role in sorted(method.takes))
    return f"{needed}; may have {may}" if may else needed


def _paper(method: Method) -> str:
    source = method.source
    return f"[{source.rpartition('/')[2]}]({source})" if source.startswith("http") else source
