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
    from nodetool_core.garbage_collection import collection_paused

    with collection_paused():
        from nodetool_core.cli.app import execute
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
    unwritten = (
        [found for found in gc.get_objects() if type(found) in _BUFFERED]
        if _has_written_files()
        else [sys.stdout, sys.stderr]
    )
    gc.freeze()
    atexit._run_exitfuncs()
    for file in unwritten:
        # One that is closed, or whose reader has gone, has nobody to complain to any more.
        with suppress(OSError, ValueError):
            file.flush()
    os._exit(code)


def _has_written_files() -> bool:
    """
    Return whether files are open that may hold what is not written yet, besides the standard ones.

    True where the system has no list of open files. Looking for them among all objects takes 10 ms
    and, with torch, a tenth of a second.
    """
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - numbers, not paths
    except OSError:
        return True
    return any(number > 2 and _is_written(number) for number in numbers)


def _is_written(number: int) -> bool:
    """Return whether an open file is one of the disk, a pipe or a terminal, open for writing."""
    import fcntl
    import stat

    try:
        kind = stat.S_IFMT(os.fstat(number).st_mode)
        mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        # The list itself was read through it, and it is closed again.
        return False
    return kind in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFCHR) and mode != os.O_RDONLY


_BUFFERED = frozenset({io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom})
