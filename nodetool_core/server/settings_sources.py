"""
Where settings come from besides the command line.

A file, and variables of the environment, whose names are checked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from nodetool_core.errors import Problem, nearest

ENVIRONMENT_PREFIX: Final = "NODETOOL_SERVE_"

_ALIKE: Final = re.compile(r"NODETOOL_?SERVER?_?", re.IGNORECASE)
_SERVICE_LINK: Final = re.compile(
    r".+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)"
)
"""What Kubernetes tells every pod about a service that is called like a setting."""


def read_file(file: Path) -> dict[str, Any]:
    """
    Return what a TOML file says, be it a file, a pipe or `/dev/null`.

    Raises OSError, and ValueError where it is no TOML.
    """
    return tomllib.loads(file.read_text(encoding="utf-8"))


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
