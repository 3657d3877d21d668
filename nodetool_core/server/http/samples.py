"""How a client is pointed at a dialect, and calls one workflow in it, as texts to be pasted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

ANY_NAME: Final = "NAME"
"""What stands for the name of a workflow."""
_PLACE: Final = re.compile(r"{(\w+)}")


class Called(Protocol):
    """A served workflow, as far as samples of calls say of it."""

    @property
    def name(self) -> str: ...

    @property
    def task(self) -> str | None:
        """What it does with one image; None where it is another kind of workflow."""

    @property
    def prompt_input(self) -> str | None: ...

    @property
    def image_input(self) -> str | None: ...


def _own_name(name: str) -> str | None:
    return name


@dataclass(frozen=True)
class Samples:
    """
    Texts in which `{url}` stands for the address of the server, and `{name}` for a workflow.

    `{path}` is its name in an address, `{prompt}` and `{image}` are those of its inputs.
    """

    of_text: str
    of_image: str = ""
    """For workflows that start from an image; empty where it is the same."""
    name_of: Callable[[str], str | None] = _own_name
    """Returns how the dialect calls a workflow of a name; None where clients can't name it."""
    any_name: str = ANY_NAME
    """How it calls any workflow."""
    needs_task: bool = True
    """Whether it serves no workflows but those that make one image, of a text or an image."""

    def guide(self, url: str, *, takes_image: bool = False) -> str:
        """Return how clients are pointed at it, for a server at that address."""
        given = {"url": url, "prompt": "prompt", "image": "image"}
        names = {"name": self.any_name, "path": self.any_name}
        return _filled(self._text(takes_image=takes_image), names | given)

    def sample(self, url: str, served: Called) -> str:
        """Return how a workflow is called; empty where it can't be."""
        name = self.name_of(served.name)
        if name is None or (self.needs_task and served.task is None):
            return ""
        given = {"prompt": served.prompt_input or "prompt", "image": served.image_input or "image"}
        names = {"url": url, "name": name, "path": quote(name)}
        return _filled(self._text(takes_image=bool(served.image_input)), names | given)

    def _text(self, *, takes_image: bool) -> str:
        return (self.of_image if takes_image else "") or self.of_text


NO_SAMPLES: Final = Samples("")


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with values; it has braces of its own."""
    return _PLACE.sub(lambda found: values.get(found[1], found[0]), text)
