"""
The apps of the Qolaba dialect.

Which there are, which sizes each takes, and which workflow or model stands behind it.

The vendor's table is `apps.json`. The operator's file, of the same form, adds to it and says
what serves each:

    {
        "ap-fGhKl3mfkdlpqrshuwwabc": {"serves": "portraits/night"},
        "*": {"serves": "nodetool/tiny-landscapes"}
    }

`*` is for every app that says nothing else; without a file it is the first model that is served.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from nodetool_core.errors import Problem
from nodetool_core.server.settings_sources import SettingsError

TABLE: Final = Path(__file__).with_name("apps.json")
EVERY: Final = "*"

Size = Annotated[str, StringConstraints(pattern=r"^\d{2,5}x\d{2,5}$")]


class Range(BaseModel):
    """Sides of any length within bounds, in pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min: int
    max: int


class App(BaseModel):
    """One app."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    sizes: tuple[Size, ...] | Range | None = None
    """Sizes that can be requested; None where the result has the input's."""
    serves: str = ""
    """Name of the workflow, or id of the model."""

    @cached_property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """
        The listed sizes, in both orders: the vendor's table does not say which side comes first.
        """
        if not isinstance(self.sizes, tuple):
            return frozenset()
        found = [tuple(map(int, size.split("x"))) for size in self.sizes]
        return frozenset(
            (one, other)
            for first, second in found
            for one, other in ((first, second), (second, first))
        )

    def complaint(self, width: int | None, height: int | None) -> str:
        """
        Return why a size can't be requested, or an empty string.

        The app's own table counts, and no general range.
        """
        if width is None and height is None:
            return ""
        if self.sizes is None:
            return f"{self.name} takes the size of the input; leave height and width out."
        if width is None or height is None:
            return "height and width belong together."
        if isinstance(self.sizes, Range):
            fits = all(self.sizes.min <= side <= self.sizes.max for side in (width, height))
            return (
                ""
                if fits
                else (
                    f"height and width of {self.name} are from {self.sizes.min} to"
                    f" {self.sizes.max}."
                )
            )
        return (
            ""
            if (width, height) in self.pairs
            else f"{self.name} makes {', '.join(self.sizes)}, not {width}x{height}."
        )


_Table = TypeAdapter(dict[str, App])


def read_apps(file: Path | None, default: str) -> Mapping[str, App]:
    """
    Return the apps by id, each with what serves it.

    Args:
        file: The operator's file, if any.
        default: What serves an app that the file does not name; empty for nothing.

    Raises SettingsError for a file that is missing or has another form.
    """
    known = _read(TABLE)
    given = _read(file) if file is not None else {}
    every = given.pop(EVERY, App(serves=default)).serves
    merged = {}
    for name in [*known, *(extra for extra in given if extra not in known)]:
        own = given.get(name, App()).model_dump(exclude_unset=True)
        merged[name] = App(
            **({"serves": every} | known.get(name, App()).model_dump(exclude_unset=True) | own)
        )
    return merged


def _read(file: Path) -> dict[str, App]:
    try:
        return _Table.validate_python(json.loads(file.read_bytes()))
    except OSError as error:
        raise SettingsError(
            Problem(
                "unreadable_file",
                str(file),
                f"can't be read: {error.strerror}.",
                "See qolaba_apps.",
            )
        ) from None
    except ValidationError as error:
        found = [
            Problem("invalid_settings", f"{file}: {'.'.join(map(str, e['loc']))}", f"{e['msg']}.")
            for e in error.errors()
        ]
        raise SettingsError(found) from None
    except ValueError as error:
        raise SettingsError(
            Problem("invalid_settings", str(file), f"is no JSON: {error}.", "See qolaba_apps.")
        ) from None
