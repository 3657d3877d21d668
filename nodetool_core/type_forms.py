"""
Forms of types that are not a pack's to change: those of other libraries.

    register_type(Mesh, to_json=Mesh.to_dict, from_json=Mesh.from_dict)
    register_type(Cloud, to_parts=lambda cloud: cloud.points, from_parts=Cloud)

A JSON form makes values at home in files, requests and keys. *Parts* are what a value is made of,
in bytes, arrays, images, plain values and containers of these: the disk cache keeps them as they
are, and a key is made of them where there is no JSON form. Arrays of numpy and tensors of torch
have both already.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

from nodetool_core.json_types import Json

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class TypeForms(Generic[Kind]):
    """What is known of a type."""

    to_json: Callable[[Kind], Json] | None = None
    from_json: Callable[[Json], Kind] | None = None
    to_parts: Callable[[Kind], object] | None = None
    from_parts: Callable[..., Kind] | None = None
    size: Callable[[Kind], int] | None = None
    preview: Callable[[Kind], Image.Image | str] | None = None


_FORMS: dict[type, TypeForms[object]] = {}


def register_type(
    kind: type[Kind],
    *,
    to_json: Callable[[Kind], Json] | None = None,
    from_json: Callable[[Json], Kind] | None = None,
    to_parts: Callable[[Kind], object] | None = None,
    from_parts: Callable[..., Kind] | None = None,
    size: Callable[[Kind], int] | None = None,
    preview: Callable[[Kind], Image.Image | str] | None = None,
) -> None:
    """
    Make a type at home in files, keys, caches and notebooks; values of subclasses are not meant.

    Call it in the module of a pack that the nodes with such properties are in, before these.

    Args:
        to_json: Returns the JSON form of a value.
        from_json: Makes the value of a JSON form. Raises ValueError with what is wrong with it.
        to_parts: Returns what a value is made of: bytes, arrays, images, plain values, containers.
        from_parts: Makes the value of its parts.
        size: Returns the bytes that a value holds in memory, where Python's objects do not show it.
        preview: Returns what notebooks and the editor show of a value: an image, or a text.

    Raises ValueError where a form can be written and not read, or read and not written.
    """
    for one, other in (("json", (to_json, from_json)), ("parts", (to_parts, from_parts))):
        if (other[0] is None) != (other[1] is None):
            message = f"{kind.__name__}: to_{one} and from_{one} belong together; give both."
            raise ValueError(message)
    forms: TypeForms[Kind] = TypeForms(to_json, from_json, to_parts, from_parts, size, preview)
    _FORMS[kind] = forms  # type: ignore[assignment]


def forms_of(kind: type) -> TypeForms[object] | None:
    """Return what is known of a type, or None."""
    found = _FORMS.get(kind)
    return found or _of_library(kind.__module__, kind.__name__)


@cache
def _of_library(module: str, name: str) -> TypeForms[object] | None:
    """Return what is known of a type of a library, which is there where one of its values is."""
    if (module, name) == ("numpy", "ndarray"):
        return TypeForms(to_json=_array_to_json, from_json=_array_from_json)  # type: ignore[arg-type]
    if (module, name) == ("torch", "Tensor"):
        return TypeForms(to_json=_tensor_to_json, from_json=_tensor_from_json)  # type: ignore[arg-type]
    return None


def _array_to_json(array: NDArray[np.generic]) -> Json:
    import numpy as np

    if array.dtype.kind not in "biufc":
        raise TypeError(f"An array of {array.dtype} has no JSON form.")
    content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "base64": content}


def _array_from_json(form: Json) -> NDArray[np.generic]:
    """Read an array from its own form, or from numbers in lists."""
    import numpy as np

    found: NDArray[np.generic]
    try:
        if isinstance(form, dict):
            content = base64.b64decode(str(form["base64"]), validate=True)
            found = np.frombuffer(content, str(form["dtype"])).reshape(form["shape"]).copy()
        else:
            found = np.asarray(form)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"an array is numbers in lists ({error})") from error
    if found.dtype.kind not in "biufc":
        raise ValueError("an array is numbers in lists")
    return found


def _tensor_to_json(tensor: torch.Tensor) -> Json:
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.requires_grad:
        raise TypeError("A tensor with a gradient, or of such a layout, has no JSON form.")
    plain = tensor.cpu().contiguous().reshape(-1)
    content = base64.b64encode(plain.view(torch.uint8).numpy().tobytes()).decode()
    name = str(tensor.dtype).removeprefix("torch.")
    return {"dtype": name, "shape": list(tensor.shape), "base64": content}


def _tensor_from_json(form: Json) -> torch.Tensor:
    """Read a tensor from its own form, or from numbers in lists."""
    import torch

    try:
        if not isinstance(form, dict):
            return torch.tensor(form)
        dtype = getattr(torch, str(form["dtype"]), None)
        if not isinstance(dtype, torch.dtype):
            raise ValueError(f"torch has no type {form['dtype']!r}")
        content = bytearray(base64.b64decode(str(form["base64"]), validate=True))
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return flat.reshape(form["shape"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"a tensor is numbers in lists ({error})") from error
