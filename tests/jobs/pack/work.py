"""Nodes whose work can be counted and held, in whichever process they run."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from PIL import ImageChops

from nodetool_core import Context, Field, ImageRef, ImageToImageModel, Node, NodeError

LEAST = 0.02
"""Seconds of work that are worth a place in the disk cache."""


def note(log: str, line: str) -> None:
    """Append a line to a file that several processes write."""
    with Path(log).open("a") as file:
        file.write(f"{line}\n")


class Work(Node):
    """Takes a while, and writes down that it began and ended."""

    value: str = ""
    label: str = "work"
    log: str = ""
    seconds: float = LEAST

    def process(self, context: Context) -> str:
        note(self.log, f"begin {self.label}")
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            context.check_cancelled()
            time.sleep(0.002)
        note(self.log, f"end {self.label}")
        return f"{self.value}{self.label};"


class Hold(Node):
    """Waits until a file is there; stops when it is told to."""

    value: str = ""
    gate: str = ""
    log: str = ""

    def process(self, context: Context) -> str:
        note(self.log, "holding")
        while not Path(self.gate).exists():
            context.check_cancelled()
            time.sleep(0.005)
        return self.value


class Steps(Node):
    """Reports many steps of progress at once."""

    count: int = 1000

    def process(self, context: Context) -> int:
        for step in range(self.count):
            context.progress(step + 1, self.count)
        return self.count


class Lucky(Node):
    """Gives the number that was drawn for it."""

    seed: int = Field(default=-1, ge=-1, seed=True, description="Seed.")

    def process(self) -> int:
        return self.seed


class Refuse(Node):
    """Can't."""

    value: str = ""

    def process(self) -> str:
        raise NodeError("This can't be done.", "Do something else.")


class Break(Node):
    """Has a fault."""

    secret: str = "confidential"

    def process(self) -> str:
        raise RuntimeError("a fault")


class Odd(Node):
    """Gives values that JSON has no form for, and says so in ways that JSON has none for either."""

    def process(self, context: Context) -> dict[str, float | str | list[float]]:
        context.warn("odd \x00\ud800", number=float("inf"))
        return {"number": float("nan"), "text": "a\x00b\ud800c", "list": [float("-inf"), 1.0]}


class Die(Node):
    """Kills the process that runs it."""

    log: str = ""

    def process(self) -> str:
        note(self.log, "died")
        os.kill(os.getpid(), signal.SIGKILL)
        return ""


class Paint(Node):
    """Uses a model in name only."""

    model: ImageToImageModel = ImageToImageModel()
    value: str = ""

    def process(self) -> str:
        return f"{self.model.repo_id} {self.value}"


class Darken(Node):
    """Halves the brightness of an image."""

    image: ImageRef

    def process(self, context: Context) -> ImageRef:
        return context.image_from_pil(context.image(self.image, "L").point(lambda tone: tone // 2))


class Recall(Node):
    """Makes of a text the image that it names, as a node of somebody's pack may."""

    source: str = Field(default="", description="Path or URI of the image.")

    def process(self) -> ImageRef:
        return ImageRef(uri=self.source)


class Both(Node):
    """Adds the tones of two images."""

    first: ImageRef
    second: ImageRef

    def process(self, context: Context) -> ImageRef:
        both = ImageChops.add(context.image(self.first, "L"), context.image(self.second, "L"))
        return context.image_from_pil(both)


class Drawn(Node):
    """Gives the number that was drawn for an item."""

    value: int
    seed: int = Field(default=-1, ge=-1, seed=True, description="Seed.")

    def process(self) -> int:
        return self.seed


class IsA(Node):
    """Whether a text is a."""

    value: str

    def process(self) -> bool:
        return self.value == "a"
