"""Texts: build prompts from parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from nodes._template import as_text, fill
from nodetool_core import Field, Lane, Node, NodeError


class FormatText(Node):
    """
    Fills the placeholders of a text, such as `{{ season }}`. Each takes its value from the property of the same name:
    add properties of any name to the node. `{{ season | upper }}` changes the case (upper, lower, title, capitalize, trim).
    text, template, format, prompt, placeholder

    Use cases:
    - Build a prompt from a season, a time of day and a subject
    - Label a picture with the settings that made it
    """

    lane = Lane.INLINE
    dynamic = True

    template: str = Field(default="", description="Text with placeholders, such as `a lake in {{ season }}`.")

    def process(self) -> Annotated[str, "The text with all placeholders filled."]:
        return fill(self.template, self.dynamic_values)


class Template(Node):
    """
    Fills the placeholders of a text from one value: an object by name (`{{ season }}`), a list by position (`{{ 0 }}`),
    anything else as `{{ value }}`.
    text, template, format, prompt, placeholder

    Use cases:
    - Build a prompt from a dictionary of settings
    - Put the item of a loop into a prompt
    """

    lane = Lane.INLINE

    string: str = Field(default="", description="Text with placeholders.")
    values: Any = Field(default=None, description="What to fill in: an object, a list, a text or a number.")

    def process(self) -> Annotated[str, "The text with all placeholders filled."]:
        return fill(self.string, _named(self.values))


class Concat(Node):
    """
    Puts two texts together, the second right after the first.
    text, concatenate, join, add

    Use cases:
    - Add a style to a prompt
    - Add an ending to a file name
    """

    lane = Lane.INLINE

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

    strings: list[Any] = Field(default=[], description="Texts to put together; other values are written as text.")
    separator: str = Field(default="", description="Text between them, such as a comma and a space.")

    def process(self) -> Annotated[str, "All texts."]:
        return self.separator.join(as_text(part) for part in self.strings)


class Replace(Node):
    """
    Replaces every occurrence of a text in another by a third. Capitals count; an empty `old` changes nothing.
    text, replace, substitute

    Use cases:
    - Turn a day prompt into a night prompt
    - Clean a text before it becomes a prompt
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to change.")
    old: str = Field(default="", description="What to replace.")
    new: str = Field(default="", description="What to put in its place.")

    def process(self) -> Annotated[str, "The changed text."]:
        return self.text.replace(self.old, self.new) if self.old else self.text


class Split(Node):
    """
    Cuts a text into parts at a delimiter.
    text, split, list, delimiter

    Use cases:
    - Make a list of a line of keywords
    - Run a loop over prompts separated by a mark
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to cut.")
    delimiter: str = Field(default=",", description="What stands between the parts; it is not part of them.")

    def process(self) -> Annotated[list[str], "The parts, in order."]:
        if not self.delimiter:
            raise NodeError("The delimiter is empty.", "Give the text that stands between the parts, such as a comma.")
        return self.text.split(self.delimiter)


class ToString(Node):
    """
    Writes any value as text.
    text, string, convert, number

    Use cases:
    - Put a number into a label
    - Look at a value while a workflow is being built
    """

    lane = Lane.INLINE

    value: Any = Field(default=None, description="Value to write.")
    mode: Literal["str", "repr"] = Field(default="str", description="str writes it as prompts do, repr as Python code.")

    def process(self) -> Annotated[str, "The value as text."]:
        return repr(self.value) if self.mode == "repr" else as_text(self.value)


class TrimWhitespace(Node):
    """
    Removes spaces and line breaks at the ends of a text.
    text, trim, whitespace, strip

    Use cases:
    - Clean the parts of a split text
    - Clean a pasted prompt
    """

    lane = Lane.INLINE

    text: str = Field(default="", description="Text to clean.")
    trim_start: bool = Field(default=True, description="Whether to clean its start.")
    trim_end: bool = Field(default=True, description="Whether to clean its end.")

    def process(self) -> Annotated[str, "The cleaned text."]:
        text = self.text.lstrip() if self.trim_start else self.text
        return text.rstrip() if self.trim_end else text


def _named(values: Any) -> Mapping[str, Any]:
    if isinstance(values, Mapping):
        return {str(name): value for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return {str(index): value for index, value in enumerate(values)}
    return {} if values is None else {"value": values}
