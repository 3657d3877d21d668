"""
How much memory a value holds: what the bounds of the caches are counted in.

Objects are followed to whatever they hold, an own class's fields and slots as well as containers,
each object once. What programs share (classes, functions, modules, loggers) is not the value's.
Pixels, arrays and tensors count with the memory that they keep, which for a view is that of the
whole. The effort is bounded: after `MOST_OBJECTS` the rest is taken to be like what was seen.
"""

from __future__ import annotations

import gc
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterable
from logging import Logger
from typing import TYPE_CHECKING, Any, Final

from nodetool_core.type_forms import forms_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from nodetool_core.assets.image_data import ImageData

MOST_OBJECTS: Final = 50_000
_SMALL: Final[dict[type[object], int]] = {int: 32, float: 24, bool: 28, type(None): 16}
_ENTRY_BYTES: Final = 200
"""What an entry costs besides its values: key, tuple and table."""
SCALAR_ENTRY: Final = {kind: _ENTRY_BYTES + size for kind, size in _SMALL.items()}
"""Bytes of an entry with a single number, truth value or None."""
_IMAGE_BYTES: Final = 512
_ARRAY_BYTES: Final = 128
_UNKNOWN_BYTES: Final = 64
_SHARED: Final = (
    type,
    Logger,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.CodeType,
    types.FrameType,
)
"""What a value may lead to without holding it."""


def size_of_all(values: tuple[object, ...]) -> int:
    """Return the bytes that an entry of a cache holds in memory."""
    kind = type(values[0]) if len(values) == 1 else None
    if kind in SCALAR_ENTRY:
        return SCALAR_ENTRY[kind]
    return _ENTRY_BYTES + (sys.getsizeof(values[0]) if kind is str else size_of(*values))


def size_of(*values: object) -> int:
    """Return the bytes that some values hold together."""
    total, pending, seen = 0, list(values), set[int]()
    while pending:
        value = pending.pop()
        if type(value) in _SMALL:
            total += _SMALL[type(value)]
        elif id(value) not in seen:
            if len(seen) == MOST_OBJECTS:
                return total * (len(seen) + len(pending)) // len(seen)
            seen.add(id(value))
            own, parts = _measured(value)
            total += own
            pending.extend(parts)
    return total


def _measured(value: object) -> tuple[int, Iterable[object]]:
    """Return the bytes of a value by itself, and what it holds."""
    kind = type(value)
    if kind is str or kind is bytes:
        return sys.getsizeof(value), ()
    if isinstance(value, (list, tuple)) and kind in (list, tuple):
        return _items(value)
    if isinstance(value, _SHARED):
        return 0, ()
    forms = forms_of(kind)
    if forms is not None and forms.size is not None:
        return forms.size(value), ()
    for name, measure in _OF_LIBRARIES.items():
        module, _, attribute = name.partition(":")
        if isinstance(value, getattr(sys.modules.get(module), attribute, ())):
            return measure(value), ()
    nbytes = getattr(value, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes + _ARRAY_BYTES, ()
    try:
        own = sys.getsizeof(value)
    except Exception:  # noqa: BLE001 - a class may claim of itself what it likes
        own = _UNKNOWN_BYTES
    return own, gc.get_referents(value)


def _items(value: list[object] | tuple[object, ...]) -> tuple[int, Iterable[object]]:
    kinds = set(map(type, value))
    if kinds and _SMALL.keys() >= kinds:
        counts = Counter(map(type, value))
        return (
            sys.getsizeof(value) + sum(_SMALL[kind] * count for kind, count in counts.items()),
            (),
        )
    return sys.getsizeof(value), value


def _of_image_data(image: ImageData) -> int:
    return _of_image(image.image)


def _of_image(image: Image.Image) -> int:
    width, height = image.size
    # Pillow keeps RGB as four bytes a pixel.
    depth = {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    return int(width * height * depth) + _IMAGE_BYTES


def _of_array(array: NDArray[np.generic]) -> int:
    whole, base = array.nbytes, array.base
    while base is not None and hasattr(base, "nbytes"):
        # What a view is of may be a view itself, and in the end a buffer that is no array.
        whole, base = max(whole, base.nbytes), getattr(base, "base", None)
    held = size_of(*array.ravel().tolist()) if array.dtype.hasobject else 0
    return whole + _ARRAY_BYTES + held


def _of_tensor(tensor: Any) -> int:
    if str(tensor.layout) != "torch.strided":
        return int(tensor.numel() * tensor.element_size()) + _ARRAY_BYTES
    return int(tensor.untyped_storage().nbytes()) + _ARRAY_BYTES


_OF_LIBRARIES: Final[dict[str, Callable[[Any], int]]] = {
    "nodetool_core.assets.image_data:ImageData": _of_image_data,
    "PIL.Image:Image": _of_image,
    "numpy:ndarray": _of_array,
    "torch:Tensor": _of_tensor,
}
"""Measures of classes that are only looked up where their library is loaded."""

__all__ = ["size_of", "size_of_all"]
