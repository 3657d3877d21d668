"""
The section of docs/models.md on models in parts: which families have files of which shape.

It is generated from the tables by which files are recognised and read.
"""

from __future__ import annotations

from typing import Final

from nodetool_core.models.diffusers.part_families import part_families

_TEXT: Final = """\
## Models in parts

[AssembleModel](nodes/huggingface/loaders/assemble_model.md), or a reference with `denoiser`,
`text_encoders` and `vae`, takes these files for a family's denoiser. The name of a family is a
base as well: its configuration is fetched, and no weights. Files in the layout of diffusers, as in
the folder of a repository, are read for every family; where the table says so, also those in the
layout of the model's authors, alone or inside of a checkpoint, as tools for node graphs have them.
In either, weights of 8 bits are read with the scales beside them, and blocks of GGUF are
dequantized when they are read. One code does that for all families; what it reads was compared with
the whole weights for Stable Diffusion 1."""

_NOTE: Final = """\
Autoencoders are read in both layouts where diffusers has a table of their names (those of Stable
Diffusion and FLUX.1 among them), text encoders in those of transformers and of OpenCLIP, alone or
inside of a checkpoint."""


def parts_section() -> str:
    """Return the section, as Markdown."""
    header = [
        "| Family | Name | Layout of the authors |",
        "|---|---|---|",
    ]
    rows = [
        f"| {one.label} | `{one.key}` | {'yes' if one.reads_original else '–'} |"  # noqa: RUF001
        for one in part_families()
    ]
    return "\n\n".join([_TEXT, "\n".join([*header, *rows]), _NOTE])
