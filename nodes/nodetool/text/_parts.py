"""Parts of texts: cut, counted, found, read."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NamedTuple

from nodes._json_path import found_at, read_path
from nodetool_core import Field, Lane, Node, NodeError


class Split(Node):
    """
    Cuts a text into parts at a delimiter. `SplitLines` cuts it at line breaks, `RegexSplit` where a
    pattern matches, `Chunk` after so many words.
    text, split, list, delimiter

    Use cases:
    - Make a list of a line of keywords
    - Run a loop over prompts separated by a mark
    """

    lane = Lane.INLINE
    synonyms = ("Text Split", "String Split", "Split String", "Text to List", "CSV to List")

    text: str = Field(default="", description="Text to cut.")
    delimiter: str = Field(
        default=",", description="The text between the parts; it is not part of them."
    )

    def process(self) -> Annotated[list[str], "The parts, in order."]:
        if not self.delimiter:
            raise NodeError(
                "The delimiter is empty.",
                "Give the text between the parts, such as a comma.",
            )
        return self.text.split(self.delimiter)


class Lines(NamedTuple):
    lines: Annotated[list[str], "The lines, in order."]
    length: Annotated[int, "How many there are."]


class SplitLines(Node):
    """
    Makes a list of the lines of a text.
    text, lines, split, list, multiline

    Use cases:
    - Run a loop over prompts that are written a line each
    - Read a list that somebody typed
    """

    lane = Lane.INLINE
    synonyms = (
        "Text List",
        "Multiline Text",
        "Prompt List",
        "Text to List",
        "Text Lines",
        "Split by Newline",
        "Load Prompts",
    )

    text: str = Field(default="", description="Text to take apart.")
    trim: bool = Field(default=True, description="Whether spaces at the ends of lines are removed.")
    skip_empty: bool = Field(
        default=True, description="Whether lines of spaces alone are left out."
    )
    comment: str = Field(
        default="", description="Beginning of lines that are left out, such as #; empty for none."
    )

    def process(self) -> Lines:
        lines = [line.strip() if self.trim else line for line in self.text.splitlines()]
        kept = [
            line
            for line in lines
            if (not self.skip_empty or line.strip())
            and not (self.comment and line.lstrip().startswith(self.comment))
        ]
        return Lines(kept, len(kept))


class Chunk(Node):
    """
    Cuts a text into pieces of so many words.
    text, chunk, split, pieces

    Use cases:
    - Cut a story into prompts
    - Give a model pieces that it can read
    """

    synonyms = ("Split into Chunks", "Text Splitter")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to cut.")
    length: int = Field(default=100, ge=1, le=1000, description="Words in a piece.")
    overlap: int = Field(
        default=0, ge=0, description="Words at the end of a piece that begin the next one as well."
    )
    separator: str = Field(default=" ", description="The text between words.")

    def process(self) -> Annotated[list[str], "The pieces, in order."]:
        if self.overlap >= self.length:
            raise NodeError(
                f"An overlap of {self.overlap} leaves nothing new in {self.length} words.",
                "Choose a smaller overlap.",
            )
        if not self.separator:
            raise NodeError(
                "The separator is empty.",
                "Give the text between words, such as a space.",
            )
        words = self.text.split(self.separator)
        last = max(1, len(words) - self.overlap)
        starts = range(0, last, self.length - self.overlap)
        return [self.separator.join(words[start : start + self.length]) for start in starts]


class Slice(Node):
    """
    Takes a part out of a text, or every so many characters of it.
    text, slice, extract, substring, part, step, reverse

    Use cases:
    - Take the beginning of a caption, or leave its ending out
    - Turn a text around (step -1)
    """

    lane = Lane.INLINE
    synonyms = ("Extract", "Substring", "Text Slice", "Left", "Right", "Mid", "Truncate Start")

    text: str = Field(default="", description="Text to take from.")
    start: int = Field(
        default=0,
        description=(
            "First character, from 0; below 0 counts from the end; going backwards, 0 is the last."
        ),
    )
    stop: int = Field(
        default=0,
        description="First character after the part; 0 for no limit, below 0 counts from the end.",
    )
    step: int = Field(default=1, description="Distance of the characters; below 0 goes backwards.")

    def process(self) -> Annotated[str, "The characters."]:
        if not self.step:
            raise NodeError(
                "A step of 0 never comes to an end.",
                "Give 1 for every character, or -1 to turn the text around.",
            )
        start = None if self.step < 0 and not self.start else self.start
        return self.text[start : self.stop or None : self.step]


class Length(Node):
    """
    Counts the characters, words or lines of a text.
    text, length, count, words, lines

    Use cases:
    - Check that a prompt is not too long
    - Choose a branch by the length of a text
    """

    synonyms = ("Text Length", "String Length", "Word Count", "Count Words", "StringLength")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to count.")
    measure: Literal["characters", "words", "lines"] = Field(
        default="characters", description="What is counted."
    )
    trim_whitespace: bool = Field(
        default=False, description="Whether spaces and line breaks at the ends are left out."
    )

    def process(self) -> Annotated[int, "How many there are."]:
        text = self.text.strip() if self.trim_whitespace else self.text
        counted = {"characters": text, "words": text.split(), "lines": text.splitlines()}
        return len(counted[self.measure])


class IndexOf(Node):
    """
    Returns where a text is in another one.
    text, index, find, position

    Use cases:
    - Cut a prompt at a mark
    - Find out which keyword comes first
    """

    synonyms = ("Find in Text", "Position", "str.find")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to search.")
    substring: str = Field(default="", description="Text to look for.")
    case_sensitive: bool = Field(default=True, description="Whether capitals count.")
    start_index: int = Field(default=0, ge=0, description="Where the search begins, from 0.")
    end_index: int = Field(
        default=0,
        description="Where it ends; 0 for the end of the text, below 0 counts from there.",
    )
    search_from_end: bool = Field(
        default=False, description="Whether the last place is given, instead of the first."
    )

    def process(self) -> Annotated[int, "The place, from 0; -1 where it is not there."]:
        text, wanted = (
            (self.text, self.substring)
            if self.case_sensitive
            else (_small(self.text), _small(self.substring))
        )
        find = text.rfind if self.search_from_end else text.find
        return find(wanted, self.start_index, self.end_index or None)


class ParseJSON(Node):
    """
    Reads a text as JSON.
    text, json, parse, data

    Use cases:
    - Read settings from a text
    - Take apart what a service answered
    """

    synonyms = ("JSON to Object", "Load JSON", "json.loads")

    lane = Lane.INLINE

    text: str = Field(default="", description="JSON text.")

    def process(
        self,
    ) -> Annotated[
        Any, "What it says: an object, a list, a text, a number, true, false or nothing."
    ]:
        return _parsed(self.text)


class ExtractJSON(Node):
    """
    Takes values out of a text of JSON by a JSONPath (RFC 9535): `$.name`, `$['name']`, `$[0]`,
    `$[1:3]`, `$.*`, `$..name` at any depth, and `$[?@.size > 2]` for items for which a condition
    holds. Its functions `match` and `search` are not there.
    text, json, jsonpath, extract, data

    Use cases:
    - Read one setting of many
    - Collect all prompts of a workflow file
    """

    lane = Lane.INLINE
    synonyms = ("JSON Path", "JSONPath", "Parse JSON Path", "Get JSON Value", "jq")

    text: str = Field(default="", description="JSON text.")
    json_path: str = Field(default="$.*", description="Where the values are; `$` is the whole.")
    find_all: bool = Field(
        default=False, description="Whether a list of all values is given, instead of the first."
    )

    def process(
        self,
    ) -> Annotated[Any, "The first value, nothing where there is none; or a list of all."]:
        found = found_at(read_path(self.json_path), _parsed(self.text))
        if self.find_all:
            return found
        return found[0] if found else None


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise NodeError(
            f"The text is no JSON: {error}.",
            "Check that it is whole, with double quotes around texts.",
        ) from error


def _small(text: str) -> str:
    """
    Return the text in small letters, each in its place.

    Those whose small form is longer, such as İ, stay.
    """
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
