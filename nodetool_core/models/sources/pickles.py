"""Formats that can run code when they are read: known by their names, and refused."""

from __future__ import annotations

from nodetool_core.errors import ModelError, Problem

PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")
"""Suffixes of formats that can run code when they are read, in any case."""


def is_pickled(file: str) -> bool:
    """Return whether the name of a file is that of a format which can run code."""
    return file.lower().endswith(PICKLED)


def pickled(name: str, what: str) -> ModelError:
    """Return the refusal of weights in a format that can run code."""
    hint = (
        "Use a safetensors version of the model; `safetensors.torch.save_file` converts weights"
        " that you trust."
    )
    message = f"{what}; pickled files can run code when read, so only safetensors are loaded."
    return ModelError(Problem("model_pickled", name, message, hint))
