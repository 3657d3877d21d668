"""FreeU: the UNet's backbone counts more and its skips less, for details without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from nodes.huggingface.ip_adapters import clone_modules
from nodetool_core import NodeError

if TYPE_CHECKING:
    from nodetool_core import Context
    from nodetool_core.context import Pipeline

_NAMES: Final = ("b1", "b2", "s1", "s2")
_ENABLE: Final = "enable_freeu"


def check_free_u(values: Sequence[float]) -> None:
    """Raise NodeError where there are numbers, and not four."""
    if values and len(values) != len(_NAMES):
        message = f"free_u has {len(values)} numbers; it takes {', '.join(_NAMES)}, or none."
        raise NodeError(message, "Change it.", code="invalid_value", where="free_u")


def set_free_u(pipeline: Pipeline, values: Sequence[float], context: Context) -> None:
    """Have a lent pipeline work so, in a UNet of its own; warn where it has no UNet."""
    if not values:
        return
    enable: Callable[..., None] | None = getattr(pipeline, _ENABLE, None)
    if enable is None or getattr(pipeline, "unet", None) is None:
        context.warn(f"free_u is not used: {type(pipeline).__name__} has no such setting.")
        return
    clone_modules(pipeline, ("unet",))
    enable(**dict(zip(_NAMES, values, strict=True)))
