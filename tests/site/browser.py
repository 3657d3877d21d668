"""
A Chromium without a window, driven over its debugging pipe.

The protocol is the browser's own (Chrome DevTools Protocol): JSON messages with a zero byte between
them, on file descriptors 3 and 4. Waiting is for events and for conditions in the page, never for
time to pass.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 30.0
_HELD = "evaluated"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def installed() -> str | None:
    """Return the program, or None where there is no browser."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _pipe() -> tuple[int, int]:
    """Return the ends of a pipe, reading and writing, above the numbers that the shell reuses."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


class Browser:
    """One browser with one page at a time; `be_new` opens the first."""

    def __init__(self, program: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read_by_browser, self._to_browser = _pipe()
        self._from_browser, written_by_browser = _pipe()
        command = f'exec "$@" 3<&{read_by_browser} 4>&{written_by_browser}'
        arguments = [program, *_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", *arguments],
            pass_fds=(read_by_browser, written_by_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_browser)
        os.close(written_by_browser)
        self._number = 0
        self._session: str | None = None
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        self._visitor: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to_browser)
        os.close(self._from_browser)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """
        Ask the browser for something and wait for its answer; events that come meanwhile are kept.
        """
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 2 * PATIENCE
        while True:
            # A page that hangs may still report events, so that silence alone ends no wait.
            assert time.monotonic() < end, f"the browser does not answer {method}"
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from_browser], [], [], PATIENCE)
            assert ready, "the browser says nothing any more"
            read = os.read(self._from_browser, 1 << 20)
            assert read, "the browser ended"
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url: str) -> None:
        """Go to a page and wait until it and all it needs are loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for_load()

    def wait_for_load(self) -> None:
        """
        Wait until a page is loaded, from when `events` was emptied.

        Nothing is evaluated meanwhile: the page that goes takes its answer with it.
        """
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._next()

    def evaluate(self, expression: str) -> Any:
        """
        Return the value of JavaScript in the page; a promise is awaited.

        The browser holds what it is about until the value is here. A promise that `evaluate` awaits
        by itself is held by the page alone, and may be collected before it is settled.
        """
        found = self._result("Runtime.evaluate", expression=expression, objectGroup=_HELD)
        if "objectId" not in found:
            return found.get("value")
        held = found["objectId"]
        if found.get("subtype") == "promise":
            found = self._result("Runtime.awaitPromise", promiseObjectId=held, returnByValue=True)
        else:
            itself = "function () { return this; }"
            found = self._result(
                "Runtime.callFunctionOn",
                functionDeclaration=itself,
                objectId=held,
                returnByValue=True,
            )
        self.call("Runtime.releaseObjectGroup", objectGroup=_HELD)
        return found.get("value")

    def _result(self, method: str, **parameters: Any) -> dict[str, Any]:
        answer = self.call(method, **parameters)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for(self, condition: str) -> Any:
        """
        Return the value of a condition in the page once it holds; try it before each frame.

        A page that is not shown has no frames, so the end of the wait is a timer's.
        """
        return self.evaluate(
            "new Promise((done, failed) => { let over = false; setTimeout(() => { over = true;"
            f" failed(new Error({json.dumps(condition)} + ', ' + document.visibilityState)); }},"
            f" 20000); (function look() {{ const value = ({condition}); if (value) done(value);"
            " else if (!over) requestAnimationFrame(look); })(); })"
        )

    def be_new(self, *, width: int, height: int, phone: bool = False, dark: bool = False) -> None:
        """Be a first visitor, whom no site knows, with a screen of a size, in light or dark."""
        self._session = None
        if self._visitor:
            self.call("Target.disposeBrowserContext", browserContextId=self._visitor)
        self._visitor = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call(
            "Target.createTarget", url="about:blank", browserContextId=self._visitor
        )["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for room in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{room}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )

    def screenshot(self, path: Path) -> None:
        path.write_bytes(
            base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        )

    def complaints(self) -> list[str]:
        """Return the console's errors and warnings, exceptions, and what could not be loaded."""
        found = []
        for event in self.events:
            details = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                thrown = details["exceptionDetails"]
                what = thrown.get("exception", {}).get("description", "")
                found.append(f"{thrown.get('text', 'exception')} {what}".strip())
            elif event["method"] == "Runtime.consoleAPICalled" and details["type"] in (
                "error",
                "warning",
                "assert",
            ):
                found.append(
                    " ".join(
                        str(part.get("value", part.get("description"))) for part in details["args"]
                    )
                )
            elif event["method"] == "Log.entryAdded" and details["entry"]["level"] in (
                "error",
                "warning",
            ):
                found.append(f"{details['entry']['text']} {details['entry'].get('url', '')}")
            elif event["method"] == "Network.loadingFailed" and not details.get("canceled"):
                found.append(f"loading failed: {details['errorText']}")
            elif (
                event["method"] == "Network.responseReceived"
                and details["response"]["status"] >= 400
            ):
                found.append(f"{details['response']['status']} {details['response']['url']}")
        return found

    def hosts(self) -> set[str]:
        """Return the hosts that the page asked for something."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return {urlsplit(url).netloc for url in urls if url.startswith(("http:", "https:", "ws:"))}
