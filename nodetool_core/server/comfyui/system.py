"""What ComfyUI's clients ask of the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Final

from nodetool_core import __version__
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.runtime.devices import device_memory

SPOKEN: Final = "0.3.50"
"""The version of ComfyUI whose protocol is spoken, for clients that compare it."""


def system_stats() -> JsonObject:
    """
    Return what is known of the machine. Blocks.

    Of devices, only what is in use: nothing is imported or looked for that a run has not needed.
    """
    total, free = _memory()
    system: JsonObject = {
        "os": os.name,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": SPOKEN,
        "nodetool_version": __version__,
        "python_version": platform.python_version(),
        "pytorch_version": version("torch"),
        "embedded_python": False,
        "argv": [],
    }
    return {"system": system, "devices": _devices(total, free)}


def _memory() -> tuple[int, int]:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        # Not every system has these.
        return 0, 0


def _devices(total: int, free: int) -> list[Json]:
    found = device_memory()
    if not found:
        return [_device("cpu", "cpu", 0, total, free)]
    return [_device(one.name, "cuda", one.number, one.total, one.free) for one in found]


def _device(name: str, kind: str, number: int, total: int, free: int) -> JsonObject:
    return {
        "name": name,
        "type": kind,
        "index": number,
        "vram_total": total,
        "vram_free": free,
        "torch_vram_total": total,
        "torch_vram_free": free,
    }
