"""
The engine of all workflows that were given none.

One in a process, so that they share threads, results and weights.
"""

from __future__ import annotations

import atexit
import threading
from typing import Final

from nodetool_core.engine.engine import Engine
from nodetool_core.forking import renewed_after_fork
from nodetool_core.registry import Registry

EXIT_SECONDS: Final = 1.0
"""
How long the end of the program waits for runs that it has cancelled.

A node that notices nothing ends with the process.
"""


class _Default:
    """The one engine, and its end."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._ends = False
        """Whether its end is taken care of."""
        self._lock = threading.Lock()

    def engine(self) -> Engine:
        with self._lock:
            if not self._ends:
                self._ends = True
                atexit.register(self._end)
            if self._engine is None or self._engine.is_closed:
                self._engine = Engine(registry=Registry.installed())
            return self._engine

    def close(self) -> None:
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def after_fork(self) -> None:
        """Keep the engine in a forked process: it is renewed by itself."""
        self._lock = threading.Lock()

    def _end(self) -> None:
        if self._engine is not None:
            # Models are not let go of: they go with the process, and one that is being loaded would
            # be waited for.
            self._engine.stop(wait=EXIT_SECONDS)


_DEFAULT: Final = renewed_after_fork(_Default())


def default_engine() -> Engine:
    """
    Return the engine that workflows share which were given none.

    It is made when it is first needed, and closed when the program ends. After it was closed by
    hand, a new one is made. A process that is forked goes on with results in memory, and with
    threads of its own.
    """
    return _DEFAULT.engine()


def close_default_engine() -> None:
    """
    Close the default engine if there is one.

    Its threads end, and its results and models are let go of.
    """
    _DEFAULT.close()
