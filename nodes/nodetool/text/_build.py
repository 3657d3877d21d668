"""Texts built from parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from nodes._template import as_text, fill
from nodetool_core import Field, Lane, Node, NodeError


class FormatText(Node):
    """
    Fills the placeholders of a text, such as `{{ season }}`. Each takes its value from the property
    of the same name: add properties of any name to the node. `{{ season | upper }}` changes the
    case (upper, lower, title, capitalize, trim), `{{ scene.light }}` takes a part of a value.

    `{% for item in items %} … {% endfor %}` repeats what lies in it for each item of a list;
    `loop.index`, `loop.first`, `loop.last` and `loop.length` say where it is.
    `{% if count > 2 %} … {% elif … %} … {% else %} … {% endif %}` keeps one part; conditions are
    read as `Expression` reads them.
    text, template, format, prompt, placeholder, loop

    Use cases:
    - Build a prompt from a season, a time of day and a subject
    - Label an image with the settings that made it
    - Write a list of what a loop did
    """

    lane = Lane.INLINE
    dynamic = True
    synonyms = (
        "String Format",
        "Text Template",
        "Jinja",
        "f-string",
        "Prompt Template",
        "Text Concatenate",
        "Text Multiline",
    )

    template: str = Field(
        default="", description="Text with placeholders, such as `a lake in {{ season }}`."
    )

    def process(self) -> Annotated[str, "The text with all placeholders filled."]:
        return fill(self.template, self.dynamic_values)


class Template(Node):
    """
    Fills the placeholders of a text from one value: an object by name (`{{ season }}`), a list by
    position (`{{ 0 }}`), anything else as `{{ value }}`. `FormatText` takes the same texts, with
    loops and conditions, and its values from properties of any name.
    text, template, format, prompt, placeholder

    Use cases:
    - Build a prompt from a dictionary of settings
    - Put the item of a loop into a prompt
    """

    lane = Lane.INLINE

    string: str = Field(default="", description="Text with placeholders.")
    values: Any = Field(
        default=None, description="What to fill in: an object, a list, a text or a number."
    )

    def process(self) -> Annotated[str, "The text with all placeholders filled."]:
        return fill(self.string, _named(self.values))


class Concat(Node):
    """
    Puts two texts together, the second right after the first. `Join` puts a list of them together,
    `FormatText` any number at places in a text.
    text, concatenate, join, add

    Use cases:
    - Add a style to a prompt
    - Add an ending to a file name
    """

    lane = Lane.INLINE
    synonyms = ("Concatenate", "Text Concatenate", "Append Text", "Combine Text", "String Concat")

    a: str = Field(default="", description="First text.")
    b: str = Field(default="", description="Second text.")

    def process(self) -> Annotated[str, "Both texts."]:
        return self.a + self.b


class Join(Node):
    """
    Puts a list of texts together, with a separator between them.
    text, join, list, concatenate

    Use cases:
    - Make a prompt of a list of keywords
    - Make lines of a list
    """

    lane = Lane.INLINE
    synonyms = ("List to Text", "Join Strings", "Join List", "Text List to Text", "Implode")

    strings: list[Any] = Field(
        default=[], description="Texts to put together; other values are written as text."
    )
    separator: str = Field(
        default="", description="Text between them, such as a comma and a space."
    )

    def process(self) -> Annotated[str, "All texts."]:
        return self.separator.join(as_text(part) for part in self.strings)


class Collect(Node):
    """
    Puts the texts of all rounds of a loop together.
    text, collect, loop, join

    Use cases:
    - Make one caption of the labels of a batch
    - Write a list of what a loop did
    """

    lane = Lane.INLINE
    gathers = frozenset({"input_item"})

    input_item: Any = Field(
        default=[], description="Text of one round; other values are written as text."
    )
    separator: str = Field(default="", description="Text between them.")

    def process(self) -> Annotated[str, "All texts, in the order of the items."]:
        items = self.input_item if isinstance(self.input_item, list) else [self.input_item]
        return self.separator.join(as_text(item) for item in items)


class SurroundWith(Node):
    """
    Puts a text between two others.
    text, surround, wrap, quote, prefix, suffix

    Use cases:
    - Put a prompt into brackets to weight it
    - Add a style before and after a subject
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to surround.")
    prefix: str = Field(default="", description="What goes before.")
    suffix: str = Field(default="", description="What goes after.")
    skip_if_wrapped: bool = Field(
        default=True, description="Whether a text that has both already is left alone."
    )

    def process(self) -> Annotated[str, "The surrounded text."]:
        wrapped = self.text.startswith(self.prefix) and self.text.endswith(self.suffix)
        if (
            self.skip_if_wrapped
            and wrapped
            and len(self.text) >= len(self.prefix) + len(self.suffix)
        ):
            return self.text
        return f"{self.prefix}{self.text}{self.suffix}"


class PadText(Node):
    """
    Fills a text up to a length.
    text, pad, fill, align

    Use cases:
    - Number files so that they sort (0001, 0002)
    - Align labels
    """

    synonyms = ("Zero Pad", "Pad String", "zfill")

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to fill up.")
    length: int = Field(
        default=0, ge=0, le=1_000_000, description="The least characters of the result."
    )
    pad_character: str = Field(default=" ", description="Character to fill with.")
    direction: Literal["left", "right", "both"] = Field(
        default="right", description="Side that is filled."
    )

    def process(self) -> Annotated[str, "The text, at least that long."]:
        if len(self.pad_character) != 1:
            raise NodeError(
                f"{self.pad_character!r} is not one character.",
                "Give the one character to fill with, such as 0.",
            )
        side = {"left": ">", "right": "<", "both": "^"}[self.direction]
        return f"{self.text:{self.pad_character}{side}{self.length}}"


class ToString(Node):
    """
    Writes any value as text.
    text, string, convert, number

    Use cases:
    - Put a number into a label
    - Look at a value while a workflow is being built
    """

    synonyms = ("Any to String", "Convert to Text", "str")

    lane = Lane.INLINE

    value: Any = Field(default=None, description="Value to write.")
    mode: Literal["str", "repr"] = Field(
        default="str", description="str writes it as prompts do, repr as Python code."
    )

    def process(self) -> Annotated[str, "The value as text."]:
        return repr(self.value) if self.mode == "repr" else as_text(self.value)


def _named(values: Any) -> Mapping[str, Any]:
    if isinstance(values, Mapping):
        return {str(name): value for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return {str(index): value for index, value in enumerate(values)}
    return {} if values is None else {"value": values}
