"""Questions about texts, and what depends on their answers."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from nodetool_core import SKIPPED, Field, Lane, Node, NodeError

_MOST_DIGITS: Final = 100
"""No text is as long as a number of so many digits."""

FilterType = Literal[
    "contains", "starts_with", "ends_with", "length_greater", "length_less", "exact_length"
]


class Contains(Node):
    """
    Says whether a text contains another one, or several.
    text, contains, search, condition

    Use cases:
    - Choose a style by a word of the prompt
    - Leave prompts with certain words out
    """

    synonyms = ("String Contains", "Includes")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to search.")
    substring: str = Field(default="", description="Text to look for.")
    search_values: list[str] = Field(
        default=[], description="Several texts to look for, instead of the one."
    )
    case_sensitive: bool = Field(default=True, description="Whether capitals count.")
    match_mode: Literal["any", "all", "none"] = Field(
        default="any", description="How many of several have to be there."
    )

    def process(self) -> Annotated[bool, "Whether it does."]:
        wanted = self.search_values or [self.substring]
        found = [
            _folded(text, self.case_sensitive) in _folded(self.text, self.case_sensitive)
            for text in wanted
        ]
        return {"any": any(found), "all": all(found), "none": not any(found)}[self.match_mode]


class StartsWith(Node):
    """
    Says whether a text begins with another one.
    text, starts with, prefix, condition

    Use cases:
    - Treat certain files in another way
    - Check what kind of prompt it is
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to look at.")
    prefix: str = Field(default="", description="Beginning to look for.")

    def process(self) -> Annotated[bool, "Whether it does."]:
        return self.text.startswith(self.prefix)


class EndsWith(Node):
    """
    Says whether a text ends with another one.
    text, ends with, suffix, condition

    Use cases:
    - Choose files by their ending
    - Check whether a sentence is complete
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to look at.")
    suffix: str = Field(default="", description="Ending to look for.")

    def process(self) -> Annotated[bool, "Whether it does."]:
        return self.text.endswith(self.suffix)


class Equals(Node):
    """
    Says whether two texts are the same.
    text, equals, same, condition

    Use cases:
    - Choose a branch by an option
    - Check a text against what is expected
    """

    synonyms = ("String Equals", "Same Text")

    lane = Lane.INLINE

    text_a: str = Field(default="", description="First text.")
    text_b: str = Field(default="", description="Second text.")
    case_sensitive: bool = Field(default=True, description="Whether capitals count.")
    trim_whitespace: bool = Field(
        default=False, description="Whether spaces at the ends are left out."
    )

    def process(self) -> Annotated[bool, "Whether they are."]:
        first, second = (
            _folded(text, self.case_sensitive, self.trim_whitespace)
            for text in (self.text_a, self.text_b)
        )
        return first == second


class Compare(Node):
    """
    Says which of two texts comes first in the order of their characters.
    text, compare, order, sort

    Use cases:
    - Choose a branch by the order of names
    - Find out whether two captions differ
    """

    synonyms = ("String Compare", "strcmp")

    lane = Lane.INLINE

    text_a: str = Field(default="", description="First text.")
    text_b: str = Field(default="", description="Second text.")
    case_sensitive: bool = Field(default=True, description="Whether capitals count.")
    trim_whitespace: bool = Field(
        default=False, description="Whether spaces at the ends are left out."
    )

    def process(
        self,
    ) -> Annotated[str, "`less` where the first comes before the second, `equal` or `greater`."]:
        first, second = (
            _folded(text, self.case_sensitive, self.trim_whitespace)
            for text in (self.text_a, self.text_b)
        )
        return "equal" if first == second else "less" if first < second else "greater"


class IsEmpty(Node):
    """
    Says whether there is nothing in a text.
    text, empty, condition

    Use cases:
    - Use a default prompt where none is given
    - Leave empty lines out
    """

    synonyms = ("Is Blank",)

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to look at.")
    trim_whitespace: bool = Field(
        default=True, description="Whether a text of spaces alone counts as empty."
    )

    def process(self) -> Annotated[bool, "Whether it is empty."]:
        return not (self.text.strip() if self.trim_whitespace else self.text)


class HasLength(Node):
    """
    Says whether a text is as long as it should be.
    text, length, condition, validate

    Use cases:
    - Check that a prompt is not too long
    - Leave too short captions out
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to look at.")
    min_length: int = Field(default=0, ge=0, description="The least characters; 0 for any.")
    max_length: int = Field(default=0, ge=0, description="The most characters; 0 for any.")
    exact_length: int = Field(
        default=0,
        ge=0,
        description="Exactly so many characters, whatever the other two say; 0 for any.",
    )

    def process(self) -> Annotated[bool, "Whether it is."]:
        length = len(self.text)
        if self.exact_length:
            return length == self.exact_length
        return length >= self.min_length and (not self.max_length or length <= self.max_length)


class FilterString(Node):
    """
    Lets a text through where it meets a condition; nodes behind it don't run where it does not.
    text, filter, condition, loop

    Use cases:
    - Leave items of a loop out
    - Continue with prompts that name a lake
    """

    lane = Lane.INLINE
    branches = True

    value: str = Field(default="", description="Text to let through.")
    filter_type: FilterType = Field(default="contains", description="The condition.")
    criteria: str = Field(
        default="", description="What it is compared with: a text, or a number of characters."
    )

    def process(self) -> Annotated[str, "The text, where it meets the condition."]:
        if _meets(self.value, self.filter_type, self.criteria):
            return self.value
        return SKIPPED  # type: ignore[return-value]


def _folded(text: str, case_sensitive: bool, trim_whitespace: bool = False) -> str:
    text = text.strip() if trim_whitespace else text
    return text if case_sensitive else text.casefold()


def _meets(value: str, filter_type: FilterType, criteria: str) -> bool:
    if filter_type in ("contains", "starts_with", "ends_with"):
        found = {
            "contains": criteria in value,
            "starts_with": value.startswith(criteria),
            "ends_with": value.endswith(criteria),
        }
        return found[filter_type]
    if not criteria.strip().isdecimal() or len(criteria) > _MOST_DIGITS:
        raise NodeError(
            f"{criteria[:_MOST_DIGITS]!r} is no number of characters, which {filter_type} needs.",
            "Give one, such as 20.",
            where="criteria",
        )
    length, limit = len(value), int(criteria)
    return {
        "length_greater": length > limit,
        "length_less": length < limit,
        "exact_length": length == limit,
    }[filter_type]
