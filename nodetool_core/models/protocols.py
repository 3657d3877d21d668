"""What the rooms of `models` ask of objects that others make."""

from __future__ import annotations

from typing import Protocol


class Cancellable(Protocol):
    """Who waits for weights, and may no longer want them; a `Context` is one."""

    def check_cancelled(self) -> None:
        """Raise RunCancelled where nobody waits any more."""
        ...


class NeverCancelled:
    """For weights that are read ahead: no node waits for them yet."""

    def check_cancelled(self) -> None:
        return None
