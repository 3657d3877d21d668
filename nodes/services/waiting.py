"""
One call of a hosted service.

How long it may take in all, how often it is tried, and what the run is told meanwhile.

The deadline stands around everything: attempts, pauses between them, polling, fetching of results.
An attempt is repeated only where the service says that it did nothing (`BusyError`), because what
it did has to be paid for. Everything here is awaited, so that a cancel of the run ends it at once.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from nodetool_core import Context, NodeError, RunCancelled

Result = TypeVar("Result")

REPORT_EVERY: Final = 1.0
"""Seconds between two reports of a call that waits."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


class BusyError(Exception):
    """
    The service did nothing and may be asked again, after `pause` seconds where it says how many.
    """

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause = pause


class Waiting:
    """The patience of one call."""

    def __init__(self, context: Context, service: str, *, timeout: float, attempts: int) -> None:
        """
        Start the deadline of a call.

        Args:
            context: Receives progress and warnings, and ends the call on a cancel.
            service: What the service is called in messages.
            timeout: Seconds that the whole call may take.
            attempts: How often a busy service is tried in all.
        """
        self.context = context
        self.service = service
        self.timeout = timeout
        self.attempts = attempts
        self._started = time.monotonic()
        self._note = "asked"

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 once it has passed."""
        return max(0.0, self.timeout - self.elapsed)

    def note(self, text: str) -> None:
        """Set what the call waits for, for the next report. May be called from any thread."""
        self._note = text

    async def call(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """
        Return the result of an attempt.

        Raises NodeError at the deadline, and where the service stays busy; RunCancelled.
        """
        reports = asyncio.create_task(self._report_on())
        try:
            async with asyncio.timeout(self.remaining):
                return await self._until_served(attempt)
        except TimeoutError:
            message = (
                f"{self.service} returned no result within {self.timeout:g} s; last: {self._note}."
            )
            raise NodeError(
                message,
                "Allow more time with `timeout`, or try again later.",
                code="service_timeout",
            ) from None
        finally:
            reports.cancel()

    async def pause(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        await asyncio.sleep(min(seconds, self.remaining))

    async def _until_served(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        for number in range(1, self.attempts + 1):
            try:
                return await attempt()
            except BusyError as busy:
                pause = (
                    min(_FIRST_PAUSE * 2 ** (number - 1), _LONGEST_PAUSE)
                    if busy.pause is None
                    else busy.pause
                )
                if number == self.attempts:
                    raise self._too_busy(
                        busy, f"after {number} attempt{'s' if number > 1 else ''}", "attempts"
                    ) from None
                if pause >= self.remaining:
                    wish = (
                        f"wants {math.ceil(pause)} s before the next attempt, with"
                        f" {self.remaining:.0f} s left"
                    )
                    raise self._too_busy(busy, wish, "timeout") from None
                self.note(
                    f"{busy.reason}; next request in {pause:.3g} s (attempt {number + 1} of"
                    f" {self.attempts})"
                )
                self._report()
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _too_busy(self, busy: BusyError, how: str, setting: str) -> NodeError:
        hint = f"Try again later, or raise `{setting}`."
        return NodeError(
            f"{self.service}: {busy.reason} ({how}).", hint, code="service_busy", retryable=True
        )

    def _report(self) -> None:
        self.context.progress(
            min(int(self.elapsed), int(self.timeout)),
            math.ceil(self.timeout),
            f"{self.service}: {self._note}",
        )

    async def _report_on(self) -> None:
        # A cancelled run stops the call itself; there is nobody to report to any more.
        with suppress(RunCancelled):
            while True:
                self._report()
                await asyncio.sleep(REPORT_EVERY)


async def on_thread(work: Callable[[], Result], name: str) -> Result:
    """
    Return the result of a blocking function, run on a thread of its own.

    Whoever is cancelled while awaiting goes on at once; the thread is a daemon and ends when the
    function does.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - crosses a thread: it is raised where it is awaited
            deliver(lambda error=error: future.set_exception(error))  # type: ignore[misc]
        else:
            deliver(lambda: future.set_result(result))

    def deliver(settle: Callable[[], None]) -> None:
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if future.done() else settle())

    threading.Thread(target=run, name=name, daemon=True).start()
    return await future
