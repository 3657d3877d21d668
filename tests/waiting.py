"""Waits for what another process does, of which nothing but looking can tell."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any


def eventually(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds, by the clock: how often one looks is the machine's affair."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def free_port() -> int:
    """Return a port of this machine at which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[Any], seconds: float = 30.0) -> None:
    """Wait until a process listens at a port; fail where it ends instead."""
    eventually(lambda: _answers(port) or process.poll() is not None, seconds)
    assert process.poll() is None, "the server ended at once"


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0
