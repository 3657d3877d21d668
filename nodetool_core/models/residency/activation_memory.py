"""
How much memory a call needs besides the weights: an estimate that learns from what calls took.

For each model and task, bytes per pixel: at first a guess, later the most that was measured, which
only grows. So the estimate never falls below a peak that was seen, and a call of another size is
estimated in proportion.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodetool_core.models.residency.devices import Device

GUESS = 3000
"""
Bytes per pixel at first: what the decoder of a latent diffusion model takes in 16 bits, which is
the most of a call.
"""

_MARGIN = 1.1


class ActivationMemory:
    """Estimates by model and task. Safe to use from many threads."""

    def __init__(self, guess: int = GUESS) -> None:
        self._guess = guess
        self._per_pixel: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def estimate(self, what: Hashable, pixels: int) -> int:
        """Return the bytes that a call on so many pixels (times images at once) will take."""
        with self._lock:
            measured = self._per_pixel.get(what)
        return int(pixels * (self._guess if measured is None else measured * _MARGIN))

    def learn(self, what: Hashable, pixels: int, peak: int) -> None:
        """Learn that a call on so many pixels took `peak` bytes."""
        if pixels > 0 and peak > 0:
            with self._lock:
                self._per_pixel[what] = max(self._per_pixel.get(what, 0.0), peak / pixels)


class Meter:
    """
    Measures the peak of what a device holds during a call.

    Only cards measure it; elsewhere nothing is measured, or reserved.
    """

    def can_measure(self, device: Device) -> bool:
        return device.name.startswith("cuda")

    def start(self, device: Device) -> int:
        """Begin; return the bytes that are held now."""
        import torch

        torch.cuda.reset_peak_memory_stats(device.name)
        return int(torch.cuda.memory_allocated(device.name))

    def peak(self, device: Device) -> int:
        """Return the most bytes that were held since `start`."""
        import torch

        return int(torch.cuda.max_memory_allocated(device.name))

    def free(self, device: Device) -> int | None:
        """Return the bytes that the device could still give; None where that is not known."""
        import torch

        return (
            int(torch.cuda.mem_get_info(device.name)[0]) if device.name.startswith("cuda") else None
        )
