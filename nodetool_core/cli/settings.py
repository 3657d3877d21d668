"""
What `--set` takes: `NAME=VALUE`, the first `=` being the one that counts.

Where NAME takes an image, the value `-` is the image that standard input holds.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nodetool_core.cli.files import STDIN
from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import Problem

if TYPE_CHECKING:
    from nodetool_core.graph import Graph


def read_settings(texts: Sequence[str]) -> dict[str, str]:
    """
    Return the values by name; of several for one name the last counts.

    Raises WrongUseError for each that has no `=` or no name.
    """
    values, problems = {}, []
    for text in texts:
        name, equals, value = text.partition("=")
        if equals and name.strip():
            values[name.strip()] = value
        else:
            missing = "no name before the `=`" if equals else "no `=`"
            problems.append(
                Problem(
                    "wrong_setting",
                    f"--set {text}",
                    f"has {missing}.",
                    "Write --set NAME=VALUE, such as --set seed=7.",
                )
            )
    if problems:
        raise WrongUseError(problems)
    return values


def with_standard_input(
    values: Mapping[str, str], graph: Graph, *, taken: bool = False
) -> dict[str, str]:
    """
    Return the values, with the image of standard input where one is `-`.

    Args:
        taken: Whether the workflow itself is read from standard input.

    Raises WrongUseError where standard input holds nothing, or is to be several things.
    """
    from nodetool_core.batch import takes_asset

    named = [name for name, text in values.items() if text == STDIN and takes_asset(graph, name)]
    if not named:
        return dict(values)
    if taken or len(named) > 1:
        raise _refused(named[-1], "is standard input, which another argument reads already.")
    if sys.stdin.isatty():
        raise _refused(named[0], "is standard input, and that is a terminal.")
    content = sys.stdin.buffer.read()
    if not content:
        raise _refused(named[0], "is standard input, and that is empty.")
    encoded = base64.b64encode(content).decode("ascii")
    return {**values, named[0]: f"data:application/octet-stream;base64,{encoded}"}


def _refused(name: str, message: str) -> WrongUseError:
    hint = f"Send an image: nodetool run FILE --set {name}=- < photo.jpg"
    return WrongUseError(Problem("wrong_setting", f"--set {name}=-", message, hint))
