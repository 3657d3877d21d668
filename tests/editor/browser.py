"""The editor's page in a browser, with keys, a pointer and dropped files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from tests.site.browser import Browser

_CODES: Final = {"Enter": 13, "Escape": 27, "Tab": 9, "Delete": 46, "ArrowDown": 40, "ArrowUp": 38,
                 "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, " ": 32, "PageUp": 33,
                 "PageDown": 34}  # fmt: skip
_BITS: Final = {"Alt": 1, "Ctrl": 2, "Shift": 8}
_MARKS: Final = """
(() => Object.fromEntries([...document.querySelectorAll("[data-node]")].map(node =>
  [node.dataset.node, node.querySelector(".mark").className.replace("mark mark-", "")])))()
"""

FIRST_SEEN: Final = """
window.firstSeen = [];
new MutationObserver(() => {
  if (document.querySelector(%s)) firstSeen.push(%s);
}).observe(document.body, {childList: true, subtree: true});
"""
"""Keeps what is so from when an element is first in the page: its selector, and what is asked."""


class EditorBrowser(Browser):
    """A browser on the page of `nodetool edit`."""

    def start(self, address: str, *, width: int = 1440, height: int = 900, **more: Any) -> None:
        """Be a new visitor, and open the page as the printed address does."""
        self.be_new(width=width, height=height, **more)
        self.open(address)
        self.ready()

    def wait_for(self, condition: str) -> Any:
        """Return the value of a condition once it holds; an element counts as true."""
        return super().wait_for(f"(one => one instanceof Node ? true : one)({condition})")

    def ready(self) -> None:
        """Wait until the page can be used, and says what a run would do."""
        self.wait_for('performance.getEntriesByName("ready").length')

    def go(self, url: str) -> None:
        """Open another address of the page, loaded anew."""
        self.open("about:blank")
        self.open(url)
        self.ready()

    def another(self) -> str | None:
        """Open another tab of the same visitor and turn to it. Returns what turns back."""
        before, self._session = self._session, None
        target = self.call(
            "Target.createTarget", url="about:blank", browserContextId=self._visitor
        )["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for room in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{room}.enable")
        return before

    def allow(self, *permissions: str) -> None:
        """Let the page do what a person would be asked for, as the protocol names it."""
        self.call(
            "Browser.grantPermissions", permissions=permissions, browserContextId=self._visitor
        )

    def turn_to(self, tab: str | None) -> None:
        """Turn to a tab that `another` left."""
        self._session = tab

    def key(self, keys: str) -> None:
        """Press a key with what is held down meanwhile: `Ctrl+Enter`, `A`."""
        *held, key = keys.split("+") if keys != "+" else ["+"]
        modifiers = sum(_BITS[one] for one in held)
        given: dict[str, Any] = {"key": key, "modifiers": modifiers}
        if key in _CODES:
            given |= {"windowsVirtualKeyCode": _CODES[key], "code": "Space" if key == " " else key}
            text = {"Enter": "\r", " ": " "}.get(key, "")
        else:
            given["key"] = key if "Shift" in held else key.lower()
            given |= {"windowsVirtualKeyCode": ord(key.upper()[0])}
            text = given["key"]
        if text and not modifiers & 3:
            given["text"] = text
        self.call("Input.dispatchKeyEvent", type="keyDown", **given)
        given.pop("text", None)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def write(self, text: str) -> None:
        """Type a text key by key."""
        for letter in text:
            held = 8 if letter.isupper() else 0
            given: dict[str, Any] = {"key": letter, "modifiers": held}
            self.call("Input.dispatchKeyEvent", type="keyDown", text=letter, **given)
            self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def place(self, selector: str) -> tuple[float, float]:
        """Return the middle of an element, once it is there and does not move."""
        name = json.dumps(selector)
        x, y = self.wait_for(
            f"(() => {{ const box = document.querySelector({name})?.getBoundingClientRect();"
            " if (!box || !box.width) return null;"
            " const now = [box.x + box.width / 2, box.y + box.height / 2];"
            " const same = String(globalThis.lastPlace) === String(now);"
            " globalThis.lastPlace = now; return same ? now : null; })()"
        )
        return x, y

    def click(self, selector: str, *, count: int = 1, modifiers: int = 0) -> None:
        """Click on the middle of an element."""
        self.click_at(*self.place(selector), count=count, modifiers=modifiers)

    def click_at(self, x: float, y: float, *, count: int = 1, modifiers: int = 0) -> None:
        """Click on a point of the page."""
        for number in range(1, count + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.mouse(kind, x, y, clickCount=number, modifiers=modifiers)

    def click_text(self, text: str, within: str = "button, [role=menuitem], a") -> None:
        """Click on the first button whose text or name begins so."""
        wanted = json.dumps(text)
        self.wait_for(
            f"(() => {{ const found = [...document.querySelectorAll({json.dumps(within)})].find("
            "one => (one.getAttribute('aria-label') ?? one.textContent).trim()"
            f".startsWith({wanted})"
            " && one.getClientRects().length && !one.disabled);"
            " if (!found) return false; document.querySelector('[data-clicked]')"
            "?.removeAttribute('data-clicked'); found.dataset.clicked = '1'; return true; })()"
        )
        self.click("[data-clicked]")

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 6) -> None:
        """Move the pointer from one point to another with its button down."""
        self.mouse("mouseMoved", *start, button="none", buttons=0)
        self.mouse("mousePressed", *start, clickCount=1)
        for number in range(1, steps + 1):
            x, y = (a + (b - a) * number / steps for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y)
        self.mouse("mouseReleased", *end, clickCount=1)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Tell the page of the pointer."""
        given = {"button": "left", "buttons": 0 if kind == "mouseReleased" else 1} | more
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **given)

    def touch(self, x: float, y: float) -> None:
        """Tap with a finger."""
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def fingers(self, moves: Sequence[Sequence[tuple[float, float]]]) -> None:
        """Put fingers down at the first points, move them over the others, and take them away."""
        for number, points in enumerate(moves):
            kind = "touchMove" if number else "touchStart"
            touched = [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=touched)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def hold(self, path: Path, at: tuple[float, float]) -> None:
        """Drag a file to a point of the page, and keep it there."""
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver"):
            self.call("Input.dispatchDragEvent", type=kind, x=at[0], y=at[1], data=data)

    def drop(
        self, path: Path, at: tuple[float, float], *, over: tuple[float, float] | None = None
    ) -> None:
        """Drop a file onto a point of the page, or let it go there when it was over another."""
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        self.hold(path, over or at)
        self.call("Input.dispatchDragEvent", type="drop", x=at[0], y=at[1], data=data)

    def half(self, selector: str, which: Literal["left", "right"]) -> tuple[float, float]:
        """Return the middle of the left or the right half of an element."""
        x, y = self.place(selector)
        width = self.evaluate(f"document.querySelector({json.dumps(selector)}).clientWidth")
        return (x - width / 4 if which == "left" else x + width / 4), y

    def choose(self, selector: str, path: Path) -> None:
        """Choose a file in a file field, as its dialog would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        field = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=field, files=[str(path)])

    def set_field(self, selector: str, value: str) -> None:
        """Replace what stands in a field, as a person would."""
        self.click(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.type(value)

    def marks(self) -> dict[str, str]:
        """Return the mark of every node that is shown."""
        found: dict[str, str] = self.evaluate(_MARKS)
        return found

    def run_text(self) -> str:
        """Return what the button says that a run would do."""
        return str(self.evaluate('document.querySelector(".run .run-text.wide-only").textContent'))

    def wait_for_run_text(self, text: str) -> None:
        """Wait until the button says so: what the server knows of the present values."""
        self.wait_for(
            f'document.querySelector(".run .run-text.wide-only").textContent === {json.dumps(text)}'
        )

    def asked(self, method: str, path: str) -> int:
        """Return how often the page asked for something since it was opened."""
        return sum(
            event["method"] == "Network.requestWillBeSent"
            and event["params"]["request"]["method"] == method
            and path in event["params"]["request"]["url"]
            for event in self.events
        )
