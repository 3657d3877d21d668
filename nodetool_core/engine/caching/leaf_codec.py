"""
What is large in a value, as raw bytes: byte strings, images, arrays, tensors.

Nothing is compressed and nothing rounded. A noisy image gains a few per cent from compression, for
a hundred times the time. A tensor comes back in host memory, whatever device it was on. Arrays keep
their order in memory, because sums may depend on it. Libraries are imported only for values that
are theirs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image

    from nodetool_core.assets.image_data import ImageData

LEAF_KINDS = frozenset({"bytes", "image", "image_data", "array", "number", "tensor"})

Leaf = tuple[object, bytes | memoryview]
"""What a leaf is, in plain values, and its content."""

_PLAIN = (str, int, float, bool, bytes, type(None))
_PALETTES = frozenset({"RGB", "RGBA", "L", "CMYK", "RGBX"})
_ARRAYS = frozenset("biufcSUmM")
"""Kinds of arrays that are their bytes; objects and records are not."""


def leaf_kind(value: object) -> str | None:
    """Return how a value is stored as a leaf; None where it is none."""
    kind = type(value)
    module = kind.__module__.partition(".")[0]
    loaded = sys.modules.get("PIL.Image")
    if (
        module in ("PIL", "nodetool_core")
        and loaded is not None
        and isinstance(value, loaded.Image)
    ):
        return "image"
    if module == "nodetool_core":
        loaded = sys.modules.get("nodetool_core.assets.image_data")
        return "image_data" if loaded is not None and kind is loaded.ImageData else None
    if module == "numpy":
        return _array_kind(value)
    if module == "torch":
        return _tensor_kind(value)
    return None


def _array_kind(value: object) -> str | None:
    import numpy as np

    if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind not in _ARRAYS:
        return None
    return (
        "number"
        if isinstance(value, np.generic)
        else "array"
        if type(value) is np.ndarray
        else None
    )


def _tensor_kind(value: object) -> str | None:
    import torch

    if not isinstance(value, torch.Tensor) or type(value) is not torch.Tensor:
        return None
    is_stored = value.layout is torch.strided and value.device.type != "meta"
    return "tensor" if is_stored and not value.is_quantized and not value.requires_grad else None


def write_leaf(kind: str, value: Any) -> Leaf | None:
    """Return a leaf as bytes; None where it has none after all."""
    if kind == "bytes":
        return None, value
    if kind == "array":
        return _write_array(value)
    if kind == "number":
        return value.dtype.str, value.tobytes()
    if kind == "tensor":
        return _write_tensor(value)
    return _write_image(value) if kind == "image" else _write_image_data(value)


def read_leaf(kind: str, about: Any, content: memoryview) -> object:
    """
    Return the value of a leaf, in memory of its own.

    Raises any exception where content and description don't fit.
    """
    if kind == "bytes":
        return bytes(content)
    if kind == "tensor":
        return _read_tensor(about, content)
    if kind == "array":
        return _read_array(about, content)
    if kind == "number":
        return _read_number(about, content)
    from nodetool_core.assets.image_data import ImageData

    if kind == "image":
        return _read_image(about, content)
    return ImageData.of(_read_image(about["image"], content), about["provenance"])


# -- images ----------------------------------------------------------------------------------------


def _write_image_data(image: ImageData) -> Leaf | None:
    if image.model_dump() != type(image)().model_dump() or not _is_plain(image.provenance):
        return None
    written = _write_image(image.image)
    return (
        None
        if written is None
        else ({"image": written[0], "provenance": image.provenance}, written[1])
    )


def _write_image(image: Image.Image) -> Leaf | None:
    if getattr(image, "is_animated", False):
        return None
    image.load()
    palette = None
    if image.palette is not None and image.mode in ("P", "PA"):
        if image.palette.mode not in _PALETTES:
            return None
        palette = (image.palette.mode, bytes(image.palette.palette))
    about = {
        "mode": image.mode,
        "size": image.size,
        "palette": palette,
        "format": image.format,
        "info": {
            name: item for name, item in image.info.items() if _is_plain(name) and _is_plain(item)
        },
    }
    return about, image.tobytes()


def _read_image(about: dict[str, Any], content: memoryview) -> Image.Image:
    from PIL import Image

    image = Image.frombytes(about["mode"], about["size"], content)
    # Before the palette: putting that in applies the transparency.
    image.info = about["info"]
    if about["palette"] is not None:
        mode, colours = about["palette"]
        image.putpalette(colours, mode)
        if image.mode != about["mode"]:
            raise ValueError(f"a palette made {image.mode} of {about['mode']}")
    if about["format"] is not None:
        image.format = about["format"]
    return image


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict) and type(value) is dict:
        return all(_is_plain(name) and _is_plain(item) for name, item in value.items())
    return type(value) in _PLAIN


# -- arrays and tensors ----------------------------------------------------------------------------


def _write_array(array: NDArray[np.generic]) -> Leaf:
    import numpy as np

    by_column = array.flags.f_contiguous and not array.flags.c_contiguous
    ordered = np.ascontiguousarray(array.T if by_column else array)
    # Not the array's own buffer: text and times have none.
    content = ordered.reshape(-1).view(np.uint8).data if array.size and array.itemsize else b""
    return [array.dtype.str, array.shape, bool(by_column)], content


def _read_number(about: str, content: memoryview) -> np.generic:
    import numpy as np

    number: np.generic = np.frombuffer(content, dtype=about)[0]
    return number


def _read_array(
    about: tuple[str, tuple[int, ...], bool], content: memoryview
) -> NDArray[np.generic]:
    import numpy as np

    name, shape, by_column = about
    dtype = np.dtype(name)
    if not content:
        return np.empty(shape, dtype)
    array = np.frombuffer(content, dtype=dtype).copy()
    array.flags.writeable = False
    return array.reshape(shape[::-1]).T if by_column else array.reshape(shape)


def _write_tensor(tensor: torch.Tensor) -> Leaf:
    import torch

    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    about = [str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)]
    return about, plain.view(torch.uint8).numpy().data if plain.numel() else b""


def _read_tensor(about: tuple[str, tuple[int, ...]], content: memoryview) -> torch.Tensor:
    import torch

    dtype = getattr(torch, about[0])
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"{about[0]} is no dtype")
    flat = (
        torch.frombuffer(bytearray(content), dtype=dtype)
        if content
        else torch.empty(0, dtype=dtype)
    )
    return flat.reshape(about[1])
