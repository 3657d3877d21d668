"""Waits for what another process does, of which nothing but looking can tell."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def eventually(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds, by the clock: how often one looks is the machine's affair."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def free_port() -> int:
    """
    Return a port of this machine at which nobody listens now.

    It is below those that the system gives away by itself, so that it is still free later on.
    """
    for port in random.sample(range(15_000, 30_000), 1000):
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def wait_for_port(port: int, process: subprocess.Popen[Any], seconds: float = 30.0) -> None:
    """Wait until a process listens at a port; fail where it ends instead."""
    eventually(lambda: _answers(port) or process.poll() is not None, seconds)
    assert process.poll() is None, "the server ended at once"


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0
