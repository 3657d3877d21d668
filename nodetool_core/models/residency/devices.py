"""Which devices compute, in which number format, and how much memory they and the host have."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem

if TYPE_CHECKING:
    import torch

_RESERVED = 2**30
"""Bytes of a card that its driver, the kernels and the gaps between tensors take."""

_UNITS = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "kb": 10**3,
    "m": 10**6,
    "mb": 10**6,
    "g": 10**9,
    "gb": 10**9,
    "t": 10**12,
    "tb": 10**12,
} | {
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}

_LEAST = 2**20
"""Bytes below which an amount of memory is a slip: no model is so small."""

_DEVICES = "Use cpu, cuda, cuda:1, … or mps, or leave the device out."


@dataclass(frozen=True)
class Device:
    """A device and the number format that weights have on it."""

    name: str
    """
    `cpu`, `cuda:0`, `mps`.

    `cpu:1` and so on are further devices on the same processor, each with a budget of its own.
    """
    dtype: torch.dtype

    @property
    def place(self) -> str:
        """As torch spells it."""
        return "cpu" if self.is_host else self.name

    @property
    def is_host(self) -> bool:
        """Whether its memory is that of the host."""
        return self.name.startswith("cpu")

    def hardware(self) -> str:
        """Return what the hardware is called."""
        import torch

        if self.name.startswith("cuda"):
            return str(torch.cuda.get_device_name(self.name))
        return platform.processor() or platform.machine()

    def memory(self) -> int:
        """Return the bytes of memory that it has; make no context on a card."""
        import torch

        if self.name.startswith("cuda"):
            return int(torch.cuda.get_device_properties(torch.device(self.name)).total_memory)
        return int(torch.mps.recommended_max_memory()) if self.name == "mps" else host_memory()

    def default_budget(self) -> int:
        """
        Return the bytes that weights and working memory may take where nobody says.

        Nearly all of a card, half of the host.
        """
        return host_memory() // 2 if self.is_host else max(0, self.memory() - _RESERVED)


def choose_device(name: str | None = None) -> Device:
    """
    Return the device of that name, or the best one there is: CUDA, then Apple's MPS, then the CPU.

    CUDA computes in bfloat16 where the card has it, else float16; MPS in float16; the CPU in
    float32. Raises ModelError where this machine has no such device.
    """
    import torch

    has_mps = torch.backends.mps.is_available()
    if name is None:
        name = "cuda:0" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _unknown(name, "is no device that torch knows") from error
    if device.type == "cuda":
        if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
            raise _unknown(
                name, f"is not there: torch sees {torch.cuda.device_count()} CUDA devices"
            )
        return Device(
            f"cuda:{device.index or 0}",
            torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16,
        )
    if device.type == "mps":
        if not has_mps:
            raise _unknown(name, "is not there")
        return Device("mps", torch.float16)
    if device.type != "cpu":
        raise _unknown(name, "is no device that models run on here")
    return Device(f"cpu:{device.index}" if device.index else "cpu", torch.float32)


def choose_devices(names: str | None = None) -> list[Device]:
    """
    Return the devices of those names, such as `cuda:0,cuda:1`.

    Without names, every CUDA device, or the best one there is. Raises ModelError.
    """
    import torch

    if names is not None:
        return [choose_device(name.strip()) for name in names.split(",")]
    if torch.cuda.is_available():
        return [choose_device(f"cuda:{index}") for index in range(torch.cuda.device_count())]
    return [choose_device()]


def host_memory() -> int:
    """
    Return the bytes of memory that this process may use.

    The machine's, or less where its control group has a limit.
    """
    total = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if hasattr(os, "sysconf")
        else 8 * 2**30
    )
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = Path(place)
        if limit.is_file() and (text := limit.read_text(encoding="ascii").strip()).isdigit():
            total = min(total, int(text))
    return int(total)


def parse_bytes(text: str, name: str) -> int | None:
    """
    Return the bytes in a text such as `8GB`, `512MiB` or `0`; None for `auto`.

    `name` is the setting that it came from; it goes into the message. Raises ModelError.
    """
    if text.strip().lower() == "auto":
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in _UNITS:
        raise ModelError(
            Problem(
                "budget_invalid",
                name,
                f"{text!r} is no amount of memory.",
                "Write 8GB, 512MiB, 0 or auto.",
            )
        )
    size = int(float(found[1]) * _UNITS[found[2]])
    if 0 < size < _LEAST:
        message = f"{text!r} is {size} bytes, in which no model fits."
        raise ModelError(
            Problem(
                "budget_invalid", name, message, f"Write the unit: {found[1]}GB. 0 keeps nothing."
            )
        )
    return size


def check_names(names: str, where: str) -> None:
    """
    Raise ModelError where one of the devices, with commas, is called as none can be.

    Whether it is there, `choose_devices` finds out.
    """
    for name in names.split(","):
        if not re.fullmatch(r"(cpu|cuda|mps)(:\d+)?", name.strip()):
            raise ModelError(
                Problem("device_unknown", where, f"{name.strip()!r} is no device.", _DEVICES)
            )


def _unknown(name: str, what: str) -> ModelError:
    return ModelError(Problem("device_unknown", name, f"{what}.", _DEVICES))
