"""The libraries that models need: that they are there, and can be imported."""

from __future__ import annotations

import logging
import os
import threading
from importlib import import_module
from typing import Final

from nodetool_core.errors import ModelError, Problem
from nodetool_core.forking import renewed_after_fork

LIBRARIES: Final = (
    "torch",
    "transformers",
    "accelerate",
    "diffusers",
    "diffusers.pipelines.auto_pipeline",
)
"""
What no model runs without, the last with all that pipelines share.

Their parts import one another in circles: a thread that meets those that another one is importing
gets half of them.
"""


class _Importing:
    """Whether the libraries are imported, and by one thread at a time."""

    def __init__(self) -> None:
        self.is_done = False
        self.after_fork()

    def after_fork(self) -> None:
        """Make the lock anew in a forked process, where nobody is importing."""
        self.lock = threading.RLock()


_importing: Final = renewed_after_fork(_Importing())


def import_libraries() -> None:
    """
    Import what every model needs, which takes seconds the first time.

    Whoever imports a part of diffusers or transformers calls this before: several threads may be
    the first.

    Raises ModelError where a library is not installed, or is broken.
    """
    if not _importing.is_done:
        with _importing.lock:
            _import_all()
            _importing.is_done = True


def _import_all() -> None:
    for library in LIBRARIES:
        try:
            import_module(library)
            _keep_quiet(library)
        except ModuleNotFoundError as error:
            raise ModelError(_missing(library, error.name or library)) from error
        except (ImportError, OSError) as error:
            message = f"{library} is installed and can't be imported: {error}"
            hint = (
                "Install it again, for your device: the page Installation says how. nodetool"
                " doctor shows the versions that are there."
            )
            raise ModelError(Problem("broken_package", "", message, hint)) from error


def _keep_quiet(library: str) -> None:
    """
    Keep transformers and diffusers from writing to the terminal.

    The environment may ask for it. Progress and errors reach the user as events. Transformers warns
    while diffusers imports its parts, so it is quiet before.
    """
    if library == "transformers":
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if "TRANSFORMERS_VERBOSITY" not in os.environ:
            transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    elif library == "diffusers":
        from diffusers.utils import logging as diffusers_logging

        diffusers_logging.disable_progress_bar()
        if "DIFFUSERS_VERBOSITY" not in os.environ:
            diffusers_logging.disable_default_handler()
            # Without any handler, Python itself would write to the terminal.
            logger = logging.getLogger("diffusers")
            if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
                logger.addHandler(logging.NullHandler())


def _missing(library: str, name: str) -> Problem:
    library = library.partition(".")[0]
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
