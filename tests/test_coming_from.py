"""The programs beside ours in coming-from.md: they run, give the same, and are no shorter."""

from __future__ import annotations

import re

import pytest

from tests.documentation import Block, blocks
from tests.test_docs import ROOT

PAGE = ROOT / "docs" / "guides" / "coming-from.md"
MODULES = {
    "apache-hamilton": "hamilton",
    "dask": "dask",
    "haystack-ai": "haystack",
    "pipefunc": "pipefunc",
    "daggr": "daggr",
}
"""What of a package is imported, by the name that the page says is needed."""

LIBRARIES = {"Hamilton", "dask.delayed", "Haystack", "pipefunc", "daggr", "nodetool"}
RESULTS = ("counted", "summed", "verdict", "found")
"""What the programs call what they find out."""


def programs() -> list[list[Block]]:
    """Return the programs that stand side by side, ours last."""
    text = PAGE.read_text().partition("## Hamilton, pipefunc, dask.delayed, Haystack, daggr")[2]
    section = text.partition("\n## ")[0]
    found = [
        [block for block in blocks(PAGE) if block.text in part]
        for part in re.split(r"^### .+$", section, flags=re.MULTILINE)[1:]
    ]
    assert all({block.title for block in part} == LIBRARIES for part in found) and len(found) == 8
    assert all(part[-1].title == "nodetool" for part in found)
    return found


def result_of(block: Block) -> object:
    namespace: dict[str, object] = {"__name__": __name__}
    exec(block.text, namespace)
    return namespace[next(name for name in RESULTS if name in namespace)]


def lines_of(block: Block) -> int:
    return sum(bool(line.strip()) for line in block.text.splitlines())


CASES = [(theirs, part[-1]) for part in programs() for theirs in part[:-1]]


@pytest.mark.parametrize(
    ("theirs", "ours"), CASES, ids=[f"{theirs.title}-{n}" for n, (theirs, _) in enumerate(CASES)]
)
def test_both_programs_give_the_same_and_ours_is_as_short(theirs: Block, ours: Block) -> None:
    needed = theirs.no_run.removeprefix("needs ")
    pytest.importorskip(MODULES[needed])
    assert result_of(theirs) == result_of(ours)
    assert lines_of(ours) <= lines_of(theirs)
