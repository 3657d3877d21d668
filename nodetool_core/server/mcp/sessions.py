"""
Who has which session of those that clients shake hands for.

The SDK bounds how many there are in all. A client that has as many as one may have gives up the one
that it has used least lately, so that nobody closes others out, and a client that ends none of its
sessions goes on.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MOST_SESSIONS: Final = 1000
"""Sessions at once; the next gets 503."""
MOST_OF_A_CLIENT: Final = 250
"""Sessions at once of one client; many people may share its token."""
IDLE_SECONDS: Final = 30 * 60.0
"""After which the SDK ends a session that is not used."""


class ClientSessions:
    """The sessions there are, the one used last at the end. Not safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._clients: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """The client of each session, and when it was used."""
        self._busy = Counter[str]()

    def __len__(self) -> int:
        return len(self._clients)

    @contextmanager
    def in_use(self, session: str) -> Iterator[None]:
        """Keep a session that a request is for."""
        self._busy[session] += 1
        try:
            yield
        finally:
            self._busy[session] -= 1
            self._busy += Counter()
            if session in self._clients:
                self.note(session, self._clients[session][0])

    def note(self, session: str, client: str) -> None:
        """Take note that a client uses a session, or has opened it."""
        self._clients[session] = (client, time.monotonic())
        self._clients.move_to_end(session)

    def forget(self, session: str) -> None:
        """Take note that a session has ended."""
        self._clients.pop(session, None)

    def to_end(self, client: str) -> str | None:
        """Return the session that a client has to give up; None where it has few enough."""
        before = time.monotonic() - IDLE_SECONDS
        while self._clients and next(iter(self._clients.values()))[1] < before:
            self._clients.popitem(last=False)
        own = [session for session, (owner, _) in self._clients.items() if owner == client]
        if len(own) <= self._most:
            return None
        return next((session for session in own if not self._busy[session]), own[0])
