"""
What a forked process makes anew.

A fork has the memory of its parent and one of its threads. Locks that another thread held stay
locked there for ever, and what waits for another thread waits in vain. Objects with locks or
threads register here, and are renewed in the child before it goes on.
"""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol, TypeVar


class Renewed(Protocol):
    """An object with locks or threads."""

    def after_fork(self) -> None:
        """Make locks anew, and forget threads: only the thread that calls this is there."""
        ...


_known: Final[weakref.WeakSet[Renewed]] = weakref.WeakSet()

Made = TypeVar("Made", bound=Renewed)


def renewed_after_fork(made: Made) -> Made:
    """Have an object renewed in processes that are forked from this one."""
    _known.add(made)
    return made


def _renew() -> None:
    for made in list(_known):
        made.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
