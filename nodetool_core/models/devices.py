"""Which device computes, and in which number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Device:
    """A device and the number format that weights have on it."""

    name: str
    """As torch spells it: `cpu`, `cuda:0`, `mps`."""
    dtype: torch.dtype


def choose_device(name: str | None = None) -> Device:
    """
    The device of that name, or the best one there is: CUDA, then Apple's MPS, then the CPU.

    CUDA computes in bfloat16 where the card has it, else float16; MPS in float16; the CPU in float32.
    Raises ModelError where this machine has no such device.
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
            raise _unknown(name, f"is not there: torch sees {torch.cuda.device_count()} CUDA devices")
        return Device(f"cuda:{device.index or 0}", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    if device.type == "mps":
        if not has_mps:
            raise _unknown(name, "is not there")
        return Device("mps", torch.float16)
    if device.type != "cpu":
        raise _unknown(name, "is no device that models run on here")
    return Device("cpu", torch.float32)


def _unknown(name: str, what: str) -> ModelError:
    return ModelError(Problem("device_unknown", name, f"{what}.", "Use cpu, cuda, cuda:1, … or mps, or leave the device out."))
