"""
Permits: what a thread that works on a node holds of its lane, as of a semaphore.

A lane has a bounded number of them. A node that waits for a run of its own releases its permit
until the run has ended: that run needs permits of the same lanes, and would wait for ever for the
one that its own node has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from nodetool_core.forking import renewed_after_fork


class Permit(Protocol):
    """Leave to work on a lane."""

    def release(self) -> None:
        """Let another thread have it."""
        ...

    def acquire(self) -> None:
        """Have it again; blocks until it is free."""
        ...

    def finish(self) -> None:
        """Note that the node is done with its lane; the thread may be a while on its way back."""
        ...


class _Own(threading.local):
    """The permit of each thread."""

    permit: Permit | None = None

    def after_fork(self) -> None:
        """Forget the lanes in a forked process, which has its own."""
        self.permit = None


_own: Final = renewed_after_fork(_Own())


@contextmanager
def held(permit: Permit) -> Iterator[None]:
    """Let this thread hold a permit while the block lasts."""
    _own.permit = permit
    try:
        yield
    finally:
        _own.permit = None


def finished() -> None:
    """
    Note that the node of this thread is done with its lane.

    It has to be noted before anybody hears of it: what the run submits next is then not placed by
    what looks as if it were under way still.
    """
    if _own.permit is not None:
        _own.permit.finish()


@contextmanager
def released() -> Iterator[None]:
    """Let others have the permit of this thread, if it has one, while the block lasts."""
    permit = _own.permit
    if permit is None:
        yield
        return
    permit.release()
    try:
        yield
    finally:
        permit.acquire()
