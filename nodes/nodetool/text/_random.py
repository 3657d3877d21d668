"""Texts with choices that are made by chance, or in every way."""

from __future__ import annotations

from typing import Annotated, Final

from nodes._files import existing_files
from nodes._template import as_text
from nodes._values import NamedValues
from nodes._wildcard_files import ENDINGS, read_lists
from nodes._wildcards import Lists, all_texts, drawn
from nodetool_core import Context, Field, FolderRef, Node, NodeError

_TEXT: Final = (
    "Text with choices: `{red|green}`, `{2::red|green}` by weight, `{2$$a|b|c}` two of them,"
    " `{1-2$$ and $$a|b|c}` one or two with a separator, `__colour__` a line of a list."
)
_WILDCARDS: Final = (
    "Lists of lines by name, for `__name__`: those of a LoadWildcards, or a dictionary."
)


class Wildcards(Node):
    """
    Makes the choices of a text by chance: `a {red|green} lake`, `a __colour__ lake`. The same seed
    makes the same choices. Choices may lie in choices, and lines of a list may have some; a
    backslash before a sign lets it mean itself.
    text, random, wildcard, choice, prompt, seed

    Use cases:
    - Vary a prompt from run to run
    - Draw one of the lines of a file
    """

    synonyms = (
        "Dynamic Prompts",
        "Random Prompts",
        "Wildcard Processor",
        "ImpactWildcardProcessor",
        "ImpactWildcardEncode",
        "Text Random Line",
        "Random Line",
        "Random Text",
        "Prompt Randomizer",
    )

    text: str = Field(default="", description=_TEXT)
    wildcards: NamedValues = Field(default={}, description=_WILDCARDS)
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description="Seed of the random generator; -1 draws another each time.",
    )

    def process(self) -> Annotated[str, "The text with every choice made."]:
        return drawn(self.text, _lists(self.wildcards), max(0, self.seed))


class PromptCombinations(Node):
    """
    Lists every text that the choices of one can become: `a {red|green} {lake|hill}` becomes four.
    What it reads is what `Wildcards` reads; the last choice changes first, and weights don't count.
    text, prompt, combinations, wildcard, list, matrix

    Use cases:
    - Try every style with every subject in a loop
    - See what a text with choices can become
    """

    synonyms = ("Prompt Matrix", "Combinatorial Prompts", "XY Prompt", "Permutations", "Prompt S/R")

    text: str = Field(default="", description=_TEXT)
    wildcards: NamedValues = Field(default={}, description=_WILDCARDS)
    limit: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="The most texts; more are left out, with a warning.",
    )

    def process(self, context: Context) -> Annotated[list[str], "The texts."]:
        texts = all_texts(self.text, _lists(self.wildcards), self.limit + 1)
        if len(texts) > self.limit:
            context.warn(f"There are more than {self.limit} texts: the first ones are given.")
        return texts[: self.limit]


class LoadWildcards(Node):
    """
    Reads the lists of a folder for `Wildcards`. A `.txt` file is a list of its lines, by the name
    of the file; files in folders are named with them: `scene/light`. A YAML or JSON file has lists
    by their keys: `__animals/cat__`, `__animals/*__`. Hidden files are left out; so are those that
    are larger than 16 MiB or can't be read, with a warning.
    text, load, wildcard, folder, list, random, yaml

    Use cases:
    - Use the wildcard files of another tool
    - Keep lists of styles beside a workflow
    """

    cacheable = False
    synonyms = (
        "Wildcard Files",
        "Load Wildcard",
        "Wildcard Folder",
        "Wildcard YAML",
        "Load Prompt List",
    )

    folder: str | FolderRef = Field(
        default="wildcards",
        description="Path of the folder; a relative one starts from the workflow's folder.",
    )

    def process(self, context: Context) -> Annotated[NamedValues, "Lists of lines by name."]:
        folder, files = existing_files(self.folder, context, True, ENDINGS, "")
        lists: NamedValues = {}
        for file in files:
            context.check_cancelled()
            try:
                found = read_lists(file, folder)
            except (OSError, ValueError) as error:
                context.warn(f"Left out: {file}: {error}.", path=str(file))
                continue
            for name in sorted(found.keys() & lists.keys()):
                context.warn(f"Several files have a list {name!r}: that of {file} counts.")
            lists |= found
        return lists


def _lists(given: NamedValues) -> Lists:
    """Return lists of lines by name: a text is one of its lines."""
    lists = {}
    for name, lines in given.items():
        if isinstance(lines, str):
            lists[name] = lines.splitlines()
        elif isinstance(lines, list):
            lists[name] = [as_text(line) for line in lines]
        else:
            raise NodeError(
                f"The list {name!r} is a {type(lines).__name__}.",
                "Give a list of texts, or a text whose lines are one.",
                where="wildcards",
            )
    return lists
