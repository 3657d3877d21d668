"""Which of the large libraries is being imported at the moment, so that a wait has a reason."""

from __future__ import annotations

import sys
from typing import Final

LIBRARIES: Final = frozenset({"torch", "diffusers", "transformers", "accelerate", "peft"})
"""Libraries whose import takes seconds, the first time on a machine many."""


def loading() -> str:
    """Return the library that is being imported, the innermost of several; empty where none is."""
    # Other threads import meanwhile: only a copy, which Python makes in one step, stands still.
    modules = sys.modules.copy()
    return next(
        (
            library
            for name, module in reversed(modules.items())
            if (library := name.partition(".")[0]) in LIBRARIES
            and getattr(getattr(module, "__spec__", None), "_initializing", False)
        ),
        "",
    )
