"""Texts changed: capitals, spaces, marks, length."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal

from nodes._template import titled
from nodetool_core import Context, Field, Lane, Node

_PLAIN: Final = str.maketrans(
    {
        "ß": "ss",
        "ẞ": "SS",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
    }
    | {
        "þ": "th",
        "Þ": "Th",
        "ł": "l",
        "Ł": "L",
        "ħ": "h",
        "Ħ": "H",
        "ŧ": "t",
        "Ŧ": "T",
        "ŋ": "ng",
        "Ŋ": "NG",
        "\u0131": "i",
        "ĸ": "k",
    }
)
"""Letters of Latin whose plain form Unicode does not know."""
_SHOWN: Final = 20
"""Letters that a warning names."""


class ChangeCase(Node):
    """
    Changes the capitals of a text: all of them, none, one for each word or one for the text.
    text, case, uppercase, lowercase, title, capitals

    Use cases:
    - Make a label stand out, or a heading of a prompt
    - Clean prompts that are written in capitals
    - Compare texts whatever their case
    """

    lane = Lane.INLINE
    synonyms = (
        "To Uppercase",
        "To Lowercase",
        "To Titlecase",
        "Capitalize Text",
        "Upper",
        "Lower",
        "Text Case",
        "Convert Case",
        "Case Converter",
    )

    text: str = Field(default="", description="Text to change.")
    case: Literal["upper", "lower", "title", "sentence"] = Field(
        default="lower",
        description=(
            "`upper` writes all letters as capitals, `lower` none; `title` begins every word with"
            " one, `sentence` the text alone, and writes the rest in small letters."
        ),
    )

    def process(self) -> Annotated[str, "The changed text."]:
        return _CASES[self.case](self.text)


_CASES: Final[Mapping[str, Callable[[str], str]]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": titled,
    "sentence": str.capitalize,
}


class TrimWhitespace(Node):
    """
    Removes spaces and line breaks at the ends of a text.
    text, trim, whitespace, strip

    Use cases:
    - Clean the parts of a split text
    - Clean a pasted prompt
    """

    synonyms = ("Trim Text", "StringTrim", "Strip")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to clean.")
    trim_start: bool = Field(default=True, description="Whether to clean its start.")
    trim_end: bool = Field(default=True, description="Whether to clean its end.")

    def process(self) -> Annotated[str, "The cleaned text."]:
        text = self.text.lstrip() if self.trim_start else self.text
        return text.rstrip() if self.trim_end else text


class CollapseWhitespace(Node):
    """
    Writes one space where there are several, and none at the ends.
    text, whitespace, clean, normalize

    Use cases:
    - Clean a pasted prompt
    - Put a text of several lines into one
    """

    synonyms = ("Remove Extra Spaces", "Normalize Whitespace")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to clean.")
    preserve_newlines: bool = Field(
        default=False,
        description="Whether line breaks stay; spaces are then collapsed line by line.",
    )
    replacement: str = Field(default=" ", description="The text between the words.")
    trim_edges: bool = Field(default=True, description="Whether spaces at the ends are removed.")

    def process(self) -> Annotated[str, "The cleaned text."]:
        spaces = r"[^\S\n]+" if self.preserve_newlines else r"\s+"
        text = self.text.replace("\r\n", "\n")
        text = text.strip() if self.trim_edges else text
        return re.sub(spaces, lambda _: self.replacement, text)


class RemovePunctuation(Node):
    """
    Replaces punctuation marks, by nothing unless said otherwise.
    text, punctuation, clean, remove

    Use cases:
    - Make keywords of a sentence
    - Clean a text before it becomes a file name
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to clean.")
    replacement: str = Field(default="", description="What is put in place of each mark.")
    punctuation: str = Field(default=string.punctuation, description="The marks.")

    def process(self) -> Annotated[str, "The cleaned text."]:
        return "".join(
            self.replacement if letter in self.punctuation else letter for letter in self.text
        )


class StripAccents(Node):
    """
    Removes accents: é becomes e.
    text, accents, ascii, normalize

    Use cases:
    - Clean a text before it becomes a file name
    - Search a text whatever its accents
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to clean.")
    preserve_non_ascii: bool = Field(
        default=True, description="Whether letters that have no plain form stay."
    )

    def process(self) -> Annotated[str, "The text without accents."]:
        return _without_accents(self.text) if self.preserve_non_ascii else _ascii(self.text)


class Slugify(Node):
    """
    Makes a name for files and addresses of a text: words of plain letters and digits with a mark
    between them.
    text, slug, file name, url

    Use cases:
    - Name an image by its prompt
    - Make an address of a title
    """

    synonyms = ("Safe File Name", "URL Slug")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to change.")
    separator: str = Field(default="-", description="Mark between the words.")
    lowercase: bool = Field(default=True, description="Whether capitals become small letters.")
    allow_unicode: bool = Field(default=False, description="Whether letters beyond a to z stay.")

    def process(self, context: Context) -> Annotated[str, "The name."]:
        text = self.text.lower() if self.lowercase else self.text
        if not self.allow_unicode:
            lost = [
                letter for letter in dict.fromkeys(text) if letter.isalnum() and not _ascii(letter)
            ]
            if lost:
                named = " ".join(lost[:_SHOWN]) + (" …" if len(lost) > _SHOWN else "")
                context.warn(
                    f"Left out of the name, because they have no plain letters: {named}."
                    " allow_unicode keeps them."
                )
        text = unicodedata.normalize("NFC", text) if self.allow_unicode else _ascii(text)
        # Marks belong to their letters: without them, a word of many scripts would fall apart.
        kept = (
            letter if letter.isalnum() or unicodedata.category(letter)[0] == "M" else " "
            for letter in text
        )
        return self.separator.join("".join(kept).split())


class TruncateText(Node):
    """
    Cuts a text that is too long.
    text, truncate, shorten, limit

    Use cases:
    - Bound the length of a caption
    - Keep a prompt within what a model reads
    """

    synonyms = ("Shorten Text", "Ellipsis", "Limit Length")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to cut.")
    max_length: int = Field(
        default=100, ge=0, description="The most characters of the result, the ellipsis included."
    )
    ellipsis: str = Field(default="", description="What ends a text that was cut.")

    def process(self) -> Annotated[str, "The text, cut where it was too long."]:
        if len(self.text) <= self.max_length:
            return self.text
        kept = max(0, self.max_length - len(self.ellipsis))
        return (self.text[:kept] + self.ellipsis)[: self.max_length]


class Replace(Node):
    """
    Replaces every occurrence of a text in another by a third. Capitals count; an empty `old`
    changes nothing. `RegexReplace` replaces what a pattern matches.
    text, replace, substitute

    Use cases:
    - Turn a day prompt into a night prompt
    - Clean a text before it becomes a prompt
    """

    lane = Lane.INLINE
    synonyms = ("Text Replace", "String Replace", "Find and Replace", "Search and Replace")

    text: str = Field(default="", description="Text to change.")
    old: str = Field(default="", description="What to replace.")
    new: str = Field(default="", description="What to put in its place.")

    def process(self) -> Annotated[str, "The changed text."]:
        return self.text.replace(self.old, self.new) if self.old else self.text


def _without_accents(text: str) -> str:
    """Return the text with the accents of its letters left out; all else stays as it is."""
    parts = (part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))
    return unicodedata.normalize("NFC", "".join(parts))


def _ascii(text: str) -> str:
    """
    Return what of a text has a plain form: é as e, ﬁ as fi, ß as ss.

    Letters that have none are left out.
    """
    return unicodedata.normalize("NFKD", text.translate(_PLAIN)).encode("ascii", "ignore").decode()
