"""What `--set` takes: `NAME=VALUE`, the first `=` being the one that counts."""

from __future__ import annotations

from collections.abc import Sequence

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import Problem


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
