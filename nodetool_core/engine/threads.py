"""
Worker threads of a lane.

Not the standard library's executor: its threads are waited for when the interpreter ends, so that
one node that hangs in foreign code would keep the process from ending; and it makes a future per
call, which nobody here looks at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from nodetool_core.engine import permits

CLOSED = "The engine is closed: it can't begin any further node."


class Call:
    """A function that was submitted; the permit of the thread that calls it."""

    __slots__ = ("_threads", "arguments", "function", "is_done", "is_given_up")

    def __init__(
        self, threads: Threads, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        self._threads = threads
        self.function = function
        self.arguments = arguments
        self.is_done = self.is_given_up = False

    def release(self) -> None:
        """Let another thread have the permit."""
        self._threads.add_permit(1)

    def acquire(self) -> None:
        """Have the permit again; a thread that is then one too many ends after its call."""
        self._threads.add_permit(-1)

    def finish(self) -> None:
        """Do nothing: calls of these threads wait for no particular one."""


class Threads:
    """
    At most `size` daemon threads, started as they are needed. What is submitted must not raise.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._waiting = self._idle = 0
        """
        Calls that no thread has begun, and threads that have none.

        One that is just taken counts as both.
        """
        self._lock = threading.Lock()
        self._is_closed = False

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], None]:
        """
        Call a function on one of the threads, after all that was submitted before.

        Raises RuntimeError once they are closed.

        Returns a function that lets another thread take the permit of the one that the call keeps;
        that one ends when the call returns.
        """
        call = Call(self, function, arguments)
        with self._lock:
            if self._is_closed:
                raise RuntimeError(CLOSED)
            self._queue.put(call)
            self._waiting += 1
            self._start_if_needed()
        return lambda: self._give_up(call)

    def close(self) -> None:
        """Let the threads end once they have done what was submitted."""
        with self._lock:
            self._is_closed = True
            for _ in self._threads:
                self._queue.put(None)

    def add_permit(self, count: int) -> None:
        """Have so many threads more, or fewer, as one of them waits or goes on."""
        with self._lock:
            self._size += count
            self._start_if_needed()

    def _give_up(self, call: Call) -> None:
        with self._lock:
            if call.is_done or self._is_closed:
                return
            call.is_given_up = True
            self._size += 1
            self._start_if_needed()

    def _start_if_needed(self) -> None:
        """
        Begin another thread where a call would wait though there is a permit.

        The caller holds the lock.
        """
        if self._waiting <= self._idle or len(self._threads) >= self._size:
            return
        thread = threading.Thread(
            target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
        )
        self._threads.append(thread)
        self._idle += 1
        thread.start()
        if self._is_closed:
            self._queue.put(None)

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            with self._lock:
                self._waiting -= 1
                self._idle -= 1
            # Held by nobody once the call returns, whoever still knows of it: they may be large
            # images.
            arguments, call.arguments = call.arguments, ()
            with permits.held(call):
                call.function(*arguments)
            del arguments
            with self._lock:
                call.is_done = True
                if call.is_given_up:
                    self._size -= 1
                if len(self._threads) > self._size:
                    self._threads.remove(threading.current_thread())
                    return
                self._idle += 1
            del call
