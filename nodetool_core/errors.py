"""
Errors as values with places.

A `Problem` states what was wrong, where, and what to do next, with a code for programs.
Whoever finds one makes it here; each face (command line, HTTP, Python) shows it in its own way.
Exceptions of this module are the user's to mend, so no face shows a traceback for them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]

_ALIKE_STEMS = 0.75
"""How alike two file names have to be, of 1, for the one to be a slip for the other."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth knowing."""

    code: str
    """Machine-readable kind, such as `unknown_property`."""
    where: str
    """The place: `nodes[3].data.strength`, `edges[0].sourceHandle`, a path, a class and field."""
    message: str
    """What was found and what was expected."""
    hint: str = ""
    """What to do next."""
    level: Level = "error"

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f" {self.hint}" if self.hint else "")

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def missing_package(where: str, error: ModuleNotFoundError, extra: str) -> Problem:
    """Return the message and the hint where a package of an extra is not installed."""
    return Problem(
        "missing_package",
        where,
        f"needs {error.name}, which is not installed.",
        f"In the clone: pip install '.[{extra}]'",
    )


class NodetoolError(Exception):
    """
    A failure that the user can mend.

    Carries the problems that explain it; `str()` lists them a line each.
    """

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        # Whatever the arguments of a subclass are: they are not to be had from the exception.
        return _restored, (type(self), self.problems), vars(self)

    @property
    def problem(self) -> Problem:
        return self.problems[0]


def _restored(kind: type[NodetoolError], problems: tuple[Problem, ...]) -> NodetoolError:
    """Return an exception as it was copied or pickled."""
    error = kind.__new__(kind)
    NodetoolError.__init__(error, problems)
    return error


class DeclarationError(NodetoolError):
    """A node class is declared wrongly; found when the class is created."""


class WorkflowError(NodetoolError):
    """
    A workflow or the values given to it are invalid.

    Raised before anything runs, with all problems at once.
    """


class ImageError(NodetoolError):
    """An image can't be read, is too large, or can't be written."""


class ModelError(NodetoolError):
    """A model can't be found, fetched or loaded, or can't do what was requested."""


class NodeError(NodetoolError):
    """
    Raise it in `process` when the node's inputs make the work impossible.

    It ends the node, without a traceback.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        code: str = "node_failed",
        where: str = "",
        retryable: bool = False,
    ) -> None:
        """
        Make the error of a node.

        Args:
            retryable: Whether trying again may help, as where a service is busy. The run's policies
                decide how often that is done.
        """
        super().__init__(Problem(code, where, message, hint))
        self.retryable = retryable


class RunCancelled(Exception):
    """The run was cancelled; raised inside a node at its next progress report or cancel check."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a misspelled one is most like, or None where nothing is near."""
    candidates = list(known)
    match = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    if not match:
        folded = {candidate.lower(): candidate for candidate in candidates}
        match = [
            folded[found]
            for found in difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
        ]
    return match[0] if match else None


def nearest_file(name: str, known: Iterable[str]) -> str | None:
    """
    Return the file name that a misspelled one is most like, or None where nothing is near.

    What stands before the suffix decides: by their suffixes alone, all files of a kind are alike.
    """
    stem, suffix = _split(name)

    def likeness(candidate: str) -> tuple[float, bool]:
        its_stem, its_suffix = _split(candidate)
        return (
            difflib.SequenceMatcher(None, its_stem.lower(), stem.lower()).ratio(),
            its_suffix == suffix,
        )

    best = max(known, key=likeness, default=None)
    return best if best is not None and likeness(best)[0] >= _ALIKE_STEMS else None


def _split(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.rpartition(".")
    return (stem, suffix) if dot and stem else (name, "")


def near_miss(name: str, known: Iterable[str]) -> str:
    """
    Return the hint for a misspelled name.

    The nearest known one, or an empty string where nothing is near.
    """
    found = nearest(name, known)
    return "" if found is None else f"Did you mean {found!r}?"
