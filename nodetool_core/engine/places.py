"""
Places: what a thread that works on a node has of its lane.

A lane has a bounded number of them. A node that waits for a run of its own gives its place away
until the run has ended: that run needs places of the same lanes, and would wait for ever for the
one that its own node has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from nodetool_core.forking import renewed_after_fork


class Place(Protocol):
    """Where a thread works."""

    def leave(self) -> None:
        """Let others have it."""
        ...

    def come_back(self) -> None:
        """Have it again."""
        ...

    def finish(self) -> None:
        """Note that the node is done with its lane; the thread may be a while on its way back."""
        ...


class _Own(threading.local):
    """The place of each thread."""

    place: Place | None = None

    def after_fork(self) -> None:
        """Forget the lanes in a forked process, which has its own."""
        self.place = None


_own: Final = renewed_after_fork(_Own())


@contextmanager
def at(place: Place) -> Iterator[None]:
    """Let this thread work at a place while the block lasts."""
    _own.place = place
    try:
        yield
    finally:
        _own.place = None


def finished() -> None:
    """
    Note that the node of this thread is done with its lane.

    It has to be noted before anybody hears of it: what the run submits next is then not placed by
    what looks as if it were under way still.
    """
    if _own.place is not None:
        _own.place.finish()


@contextmanager
def given_away() -> Iterator[None]:
    """Let others have the place of this thread, if it has one, while the block lasts."""
    place = _own.place
    if place is None:
        yield
        return
    place.leave()
    try:
        yield
    finally:
        place.come_back()
