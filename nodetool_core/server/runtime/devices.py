"""The memory of accelerators, for who asks what a server is doing."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class DeviceMemory:
    """One accelerator. Bytes."""

    number: int
    name: str
    free: int
    total: int


def device_memory() -> list[DeviceMemory]:
    """
    Return the memory of each accelerator.

    Only where torch was imported already, so that it costs nothing; a thread may be about to.
    """
    torch = sys.modules.get("torch")
    if torch is None or getattr(torch.__spec__, "_initializing", False):
        return []
    if not torch.cuda.is_available():
        return []
    found = []
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        found.append(DeviceMemory(number, torch.cuda.get_device_name(number), free, total))
    return found
