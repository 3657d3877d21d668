"""
The C library's allocator, set so that a long-running process returns memory that it freed.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

MMAP_THRESHOLD: Final = 1024 * 1024
"""
Bytes from which a block gets a mapping of its own, which the system takes back when it is freed.
"""

_M_MMAP_THRESHOLD: Final = -3
"""The parameter's number in malloc.h of glibc."""


def is_glibc() -> bool:
    """Return whether this process allocates with glibc."""
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def return_freed_memory() -> bool:
    """
    Fix glibc's threshold for blocks with a mapping of their own at 1 MiB.

    By default it grows up to 32 MiB with the blocks that are freed. Images, which are allocated in
    blocks of up to 16 MiB, then
    lie in the heaps of the threads, where each small block behind them keeps them from being
    returned: after 24 images of 40 megapixels at once 897 MB stayed resident, with the threshold
    fixed 97 MB. A mapping costs a system call and zeroed pages, which is little beside the pixels
    that are written to it.

    Return whether anything was set: not on other C libraries, nor where the environment has chosen
        a threshold.
    """
    if (
        "MALLOC_MMAP_THRESHOLD_" in os.environ
        or "mmap_threshold" in os.environ.get("GLIBC_TUNABLES", "")
        or not is_glibc()
    ):
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD))
