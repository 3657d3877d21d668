"""
Worker threads of a lane.

Not the standard library's executor: its threads are waited for when the interpreter ends, so that one node that hangs in
foreign code would keep the process from ending; and it makes a future per call, which nobody here looks at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Call = tuple[Callable[..., Any], tuple[Any, ...]]


class Threads:
    """At most `size` daemon threads, started as they are needed. What is submitted must not raise."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on one of the threads, after all that was submitted before."""
        self._queue.put((function, arguments))
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if len(self._threads) < self._size:
                thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Let the threads end once they have done what was submitted."""
        with self._lock:
            for _ in self._threads:
                self._queue.put(None)
            self._threads.clear()

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            function, arguments = call
            function(*arguments)
            # Not held while waiting for the next call: they may be large pictures.
            del call, function, arguments
            self._idle.release()
