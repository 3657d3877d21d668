"""
The command line: `nodetool run`, `validate`, `graph`, `nodes`, `models`, `docs`, `serve` and more.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn


def main() -> NoReturn:
    """Run the console script `nodetool`."""
    from nodetool_core.cli.app import execute

    # Torch's threads spin while they wait for one another; where other programs need the cores,
    # that makes a second of work minutes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Looking for plugins of pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    _end(execute(sys.argv[1:]))


def _end(code: int) -> NoReturn:
    """
    End the process as Python does, without taking every object apart.

    After a run with torch that takes seconds, and frees nothing that the system won't. Threads are
    waited for, exit handlers run, and what files hold in their buffers is written, as Python would.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    unwritten = [found for found in gc.get_objects() if type(found) in _BUFFERED]
    gc.freeze()
    atexit._run_exitfuncs()
    for file in unwritten:
        # One that is closed, or whose reader has gone, has nobody to complain to any more.
        with suppress(OSError, ValueError):
            file.flush()
    os._exit(code)


_BUFFERED = frozenset({io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom})
