"""
Regular expressions on texts.

Some take longer than anybody lives (`(a|aa)+$` on a row of a), and `re` lets no other thread run
meanwhile. So patterns are read by `re`, whose messages and meanings these nodes promise, and
searched by the package `regex`, which lets others run and can stop: `_patterns.py` writes what the
one has read for the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from nodes.nodetool.text._patterns import translated
from nodetool_core import SKIPPED, Field, Node, NodeError

PATIENCE: Final = 10.0
"""Seconds that a search may take."""


class ExtractRegex(Node):
    """
    Takes the groups out of the first place where a regular expression matches.
    text, regex, extract, groups

    Use cases:
    - Take width and height out of a text such as 512x768
    - Take parts out of a file name
    """

    synonyms = ("Regex Extract", "RegexExtract", "Capture Groups", "re.search")

    text: str = Field(default="", description="Text to search.")
    regex: str = Field(default="", description="The regular expression, as Python's `re` reads it.")
    dotall: bool = Field(default=False, description="Whether a dot matches line breaks as well.")
    ignorecase: bool = Field(default=False, description="Whether capitals don't count.")
    multiline: bool = Field(default=False, description="Whether ^ and $ match at every line.")

    def process(
        self,
    ) -> Annotated[
        list[str],
        "The groups, or the whole match where there are none; empty where nothing matches.",
    ]:
        with _searching(self.regex, self.dotall, self.ignorecase, self.multiline) as compiled:
            found = compiled.search(self.text, timeout=PATIENCE)
        if found is None:
            return []
        return [group or "" for group in found.groups()] if compiled.groups else [found[0]]


class FindAllRegex(Node):
    """
    Finds every place where a regular expression matches, and takes the match or one of its groups.
    `ExtractRegex` takes all groups of the first place.
    text, regex, find, all, match, group

    Use cases:
    - Collect the words in brackets of a prompt
    - Collect the names of all settings in a text
    """

    synonyms = ("Regex Match", "Regex Find", "Find All", "Regex Extract All", "findall")

    text: str = Field(default="", description="Text to search.")
    regex: str = Field(default="", description="The regular expression, as Python's `re` reads it.")
    group: int = Field(default=0, ge=0, description="Number of the group; 0 for the whole match.")
    dotall: bool = Field(default=False, description="Whether a dot matches line breaks as well.")
    ignorecase: bool = Field(default=False, description="Whether capitals don't count.")
    multiline: bool = Field(default=False, description="Whether ^ and $ match at every line.")

    def process(self) -> Annotated[list[str], "What matched, in order."]:
        with _searching(self.regex, self.dotall, self.ignorecase, self.multiline) as compiled:
            if self.group > compiled.groups:
                raise NodeError(
                    f"There is no group {self.group}: the pattern has {compiled.groups}.",
                    "Count its pairs of brackets.",
                )
            return [
                found[self.group] or "" for found in compiled.finditer(self.text, timeout=PATIENCE)
            ]


class RegexReplace(Node):
    """
    Replaces what a regular expression matches.
    text, regex, replace, substitute

    Use cases:
    - Remove weights such as (lake:1.2) from a prompt
    - Rewrite dates in another form
    """

    synonyms = ("RegexReplace", "Find and Replace", "re.sub")

    text: str = Field(default="", description="Text to change.")
    pattern: str = Field(
        default="", description="The regular expression, as Python's `re` reads it."
    )
    replacement: str = Field(
        default="", description=r"What is put in its place; \1 is the first group."
    )
    count: int = Field(
        default=0, ge=0, le=2**31 - 1, description="How many places are replaced; 0 for all."
    )

    def process(self) -> Annotated[str, "The changed text."]:
        import regex  # type: ignore[import-untyped]

        try:
            with _searching(self.pattern) as compiled:
                return str(
                    compiled.sub(self.replacement, self.text, count=self.count, timeout=PATIENCE)
                )
        except (regex.error, IndexError) as error:
            raise NodeError(
                f"The replacement {self.replacement!r} can't be used: {error}.",
                r"Write \1 for the first group.",
            ) from error


class RegexSplit(Node):
    """
    Cuts a text where a regular expression matches.
    text, regex, split

    Use cases:
    - Cut a prompt at commas and line breaks
    - Take a list apart whatever its marks are
    """

    synonyms = ("re.split",)

    text: str = Field(default="", description="Text to cut.")
    pattern: str = Field(
        default="", description="The regular expression, as Python's `re` reads it."
    )
    maxsplit: int = Field(default=0, ge=0, le=2**31 - 1, description="The most cuts; 0 for all.")

    def process(
        self,
    ) -> Annotated[
        list[str], "The parts, in order; what groups of the pattern matched stands between them."
    ]:
        with _searching(self.pattern) as compiled:
            return [
                part or ""
                for part in compiled.split(self.text, maxsplit=self.maxsplit, timeout=PATIENCE)
            ]


class RegexValidate(Node):
    """
    Says whether a text begins with what a regular expression matches.
    text, regex, validate, condition

    Use cases:
    - Check the form of a file name
    - Check a size such as 512x768
    """

    synonyms = ("RegexMatch", "Regex Test", "re.match")

    text: str = Field(default="", description="Text to look at.")
    pattern: str = Field(
        default="", description="The regular expression, as Python's `re` reads it."
    )

    def process(
        self,
    ) -> Annotated[bool, "Whether it does; end the pattern with $ to match the whole text."]:
        with _searching(self.pattern) as compiled:
            return compiled.match(self.text, timeout=PATIENCE) is not None


class FilterRegexString(Node):
    """
    Lets a text through where a regular expression matches; nodes behind it don't run where it does
    not.
    text, regex, filter, condition, loop

    Use cases:
    - Leave items of a loop out
    - Continue with file names of a certain form
    """

    branches = True

    value: str = Field(default="", description="Text to let through.")
    pattern: str = Field(
        default="", description="The regular expression, as Python's `re` reads it."
    )
    full_match: bool = Field(default=False, description="Whether the whole text has to match.")

    def process(self) -> Annotated[str, "The text, where it matches."]:
        with _searching(self.pattern) as compiled:
            found = (compiled.fullmatch if self.full_match else compiled.search)(
                self.value, timeout=PATIENCE
            )
        return self.value if found else SKIPPED  # type: ignore[return-value]


@contextmanager
def _searching(
    pattern: str, dotall: bool = False, ignorecase: bool = False, multiline: bool = False
) -> Iterator[Any]:
    """
    Yield the compiled pattern, to be searched with `timeout=PATIENCE`.

    Raises NodeError where the text is no pattern, and where a search in the block takes longer.
    """
    import regex

    flags = (
        (re.DOTALL if dotall else 0)
        | (re.IGNORECASE if ignorecase else 0)
        | (re.MULTILINE if multiline else 0)
    )
    try:
        # The flags have the same values in both.
        compiled = regex.compile(*translated(pattern, flags))
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise NodeError(
            f"The regular expression {pattern!r} can't be read: {error}.",
            "Put a backslash before marks such as ( or *.",
        ) from error
    try:
        yield compiled
    except TimeoutError as error:
        message = (
            f"The regular expression {pattern!r} is not done with the text after {PATIENCE:g} s."
        )
        raise NodeError(
            message, "Repeat nothing that repeats itself, such as (a+)+ or (a|aa)*."
        ) from error
