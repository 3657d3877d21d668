"""
Whether the database answers: looked at once a second at most, and by one thread, however many ask.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.server.http.http_errors import RETRY_SECONDS, HttpError

_log = logging.getLogger(__name__)

KNOWN_SECONDS: Final = 1.0
"""How long an answer counts."""

PATIENCE_SECONDS: Final = 2.0
"""A database that takes longer than this counts as away."""


class Health:
    """
    Knows whether the database answers.

    Args:
        check: Queries the database. Raises NodetoolError where it does not answer. Blocks.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._looking: asyncio.Future[bool] | None = None
        self._at = 0.0

    async def is_well(self) -> bool:
        """Return whether the database answers, or did so a moment ago."""
        now = time.monotonic()
        if self._looking is None or (self._looking.done() and now - self._at > KNOWN_SECONDS):
            self._looking, self._at = asyncio.ensure_future(asyncio.to_thread(self._look)), now
        done, _ = await asyncio.wait({self._looking}, timeout=PATIENCE_SECONDS)
        return bool(done) and self._looking.result()

    async def require(self) -> None:
        """
        Raise HttpError 503 where the database does not answer.

        Asked before work whose result could not be kept.
        """
        if not await self.is_well():
            problem = Problem(
                "database_failed",
                "",
                "Results can't be kept now.",
                "Ask again later, or see the server's log.",
            )
            raise HttpError(503, problem, headers={"Retry-After": str(RETRY_SECONDS)})

    def _look(self) -> bool:
        try:
            self._check()
        except NodetoolError as error:
            _log.warning("The database does not answer: %s", error)
            return False
        return True
