"""
Where settings come from besides the command line.

A file, and variables of the environment, whose names are checked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from nodetool_core.errors import NodetoolError, Problem, near_miss, nearest

ENVIRONMENT_PREFIX: Final = "NODETOOL_SERVE_"

_ALIKE: Final = re.compile(r"NODETOOL_?SERVER?_?", re.IGNORECASE)
_SERVICE_LINK: Final = re.compile(
    r".+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)"
)
"""What Kubernetes sets for every pod about a service that is called like a setting."""


class SettingsError(NodetoolError):
    """The server is set up in a way that can't work, or that is not safe."""


def read_file(file: Path) -> dict[str, object]:
    """
    Return what a TOML file says, be it a file, a pipe or `/dev/null`.

    Raises SettingsError where there is none, or it is no TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            Problem(
                "missing_file", str(file), "There is no such configuration file.", "Check --config."
            )
        ) from None
    except OSError as error:
        raise SettingsError(
            Problem(
                "invalid_settings",
                str(file),
                f"can't be read: {error.strerror}.",
                "It is a TOML file.",
            )
        ) from None
    except ValueError as error:
        raise SettingsError(
            Problem("invalid_settings", str(file), f"can't be read: {error}.", "It is a TOML file.")
        ) from None


def invalid_settings(error: ValidationError, known: Iterable[str]) -> list[Problem]:
    """Return a problem for each setting that does not fit, or that there is not."""
    found = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            found.append(
                Problem(
                    "unknown_setting",
                    name,
                    "There is no such setting.",
                    near_miss(name, known),
                )
            )
        else:
            message = detail["msg"].removeprefix("Value error, ")
            found.append(
                Problem(
                    "invalid_settings", name, f"{message}.", f"See the table of settings: {name}."
                )
            )
    return found


def unknown_variables(environment: Mapping[str, str], settings: Iterable[str]) -> list[Problem]:
    """
    Return a problem for each variable that looks like one of a setting and is of none.

    It would be passed over in silence.
    """
    known = {name.upper() for name in settings}
    problems = []
    for name, value in sorted(environment.items()):
        found = _ALIKE.match(name)
        if (
            found is None
            or name.upper().removeprefix(ENVIRONMENT_PREFIX) in known
            or _is_service_link(name, value)
        ):
            continue
        near = nearest(name[found.end() :].upper(), known)
        hint = (
            f"Did you mean {ENVIRONMENT_PREFIX}{near}?"
            if near
            else "`nodetool serve --show-settings` lists those there are."
        )
        problems.append(Problem("unknown_setting", name, "There is no such setting.", hint))
    return problems


def _is_service_link(name: str, value: str) -> bool:
    return value.startswith(("tcp://", "udp://")) or bool(_SERVICE_LINK.fullmatch(name.upper()))
