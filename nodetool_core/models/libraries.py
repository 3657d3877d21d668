"""The libraries that models need: that they are there, and can be imported."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from nodetool_core.errors import ModelError, Problem

LIBRARIES: Final = ("torch", "transformers", "diffusers")
"""What no model runs without."""


def import_libraries() -> None:
    """
    Import what every model needs, which takes seconds the first time.

    Raises ModelError where a library is not installed, or is broken.
    """
    for library in LIBRARIES:
        try:
            import_module(library)
        except ModuleNotFoundError as error:
            raise ModelError(_missing(library, error.name or library)) from error
        except (ImportError, OSError) as error:
            message = f"{library} is installed and can't be imported: {error}"
            hint = (
                "Install it again, for your device: the page Installation says how. nodetool"
                " doctor shows the versions that are there."
            )
            raise ModelError(Problem("broken_package", "", message, hint)) from error


def _missing(library: str, name: str) -> Problem:
    wanted = library if name == library else f"{library} needs {name}, which"
    return Problem(
        "missing_package",
        "",
        f"{wanted} is not installed, and no model runs without it.",
        f"pip install {name}",
    )


def torch_build() -> str:
    """Return what the installed torch was built for: `cpu`, `cuda 12.8`, `rocm 6.4`."""
    import torch

    cuda, hip = torch.version.cuda, torch.version.hip
    return f"rocm {hip}" if hip else f"cuda {cuda}" if cuda else "cpu"
