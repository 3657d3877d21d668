"""Python's garbage collector while many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_MANY: Final = 10_000
"""Objects that are more than a collection of young ones visits in a millisecond."""


@contextmanager
def collection_paused() -> Iterator[None]:
    """
    Look for no cycles inside the block.

    A graph of 100,000 nodes is a million objects that all live; the collector would visit them
    again and again as their number grows, which costs as much as making them. After the block,
    those that were made count as old: only full collections look at them. For short blocks without
    foreign code.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
            # The oldest generation is what comes back from the permanent one.
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


def keep_for_good() -> None:
    """
    Take all objects that there are for permanent: the collector looks at them no more.

    torch and diffusers are a million objects that stay until the process ends. With them, a full
    collection takes a quarter of a second, in which no request gets on. To be called once they are
    imported; a cycle among these objects is never freed from then on.
    """
    gc.collect()
    gc.freeze()
