"""
Whose turn it is: so many at once, and so many bytes of pixels together, first come first served.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """
    Turns in the order in which they are requested. All calls are made on the event loop's thread.

    Args:
        count: Turns at once.
        max_bytes: Most bytes of pixels of those that have a turn, all together. Who stands first
            waits until there is room, and
            those behind wait as well: so large requests are not passed over for ever.
    """

    def __init__(self, count: int, max_bytes: int) -> None:
        self._free = count
        self._bytes = max_bytes
        self._line: deque[tuple[asyncio.Future[None], int]] = deque()

    def has_room(self, size: int) -> bool:
        """Return whether a turn for that many bytes would come at once."""
        return not self._line and self._free > 0 and size <= self._bytes

    def ask(self, size: int) -> asyncio.Future[None]:
        """Return a future that ends when the turn begins; `give_back` or `withdraw` must follow."""
        turn = asyncio.get_running_loop().create_future()
        self._line.append((turn, size))
        self._call_next()
        return turn

    def give_back(self, size: int) -> None:
        """End a turn."""
        self._free += 1
        self._bytes += size
        self._call_next()

    def withdraw(self, turn: asyncio.Future[None], size: int) -> None:
        """Leave the line, or end a turn that came just now."""
        if turn.done() and not turn.cancelled():
            self.give_back(size)
        else:
            turn.cancel()
            self._call_next()

    def _call_next(self) -> None:
        while self._line:
            turn, size = self._line[0]
            if not turn.cancelled():
                if not self._free or size > self._bytes:
                    return
                self._free -= 1
                self._bytes -= size
                turn.set_result(None)
            self._line.popleft()
