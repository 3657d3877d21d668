"""Named values: made, read, changed, put together."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NamedTuple

from nodes._json_path import found_at, read_path, with_value
from nodes._natural import natural
from nodes._values import NamedValues, Values
from nodetool_core import Field, Lane, Node, NodeError

_KEY: Final = "Name of the value, or a JSONPath such as `$.scene.lights[0]`."


class MakeDictionary(Node):
    """
    Makes a set of named values of what is connected to it. Properties of any name are taken; their
    names are those of the values.
    dictionary, dict, make, gather, combine

    Use cases:
    - Give several results as one
    - Fill a set of settings with what other nodes worked out
    """

    synonyms = ("Create Dictionary", "Make Dict", "Object")

    lane = Lane.INLINE
    dynamic = True

    def process(
        self,
    ) -> Annotated[NamedValues, "The values by name, in the order of the names."]:
        return {
            name: self.dynamic_values[name] for name in sorted(self.dynamic_values, key=natural)
        }


class FromLists(Node):
    """
    Makes a set of named values of a list of names and a list of values.
    dictionary, dict, zip, lists, keys, values

    Use cases:
    - Read a row of a table by its columns
    - Give the values of a loop their names
    """

    lane = Lane.INLINE
    synonyms = (
        "Zip to Dictionary",
        "Dictionary from Lists",
        "Make Dict",
        "Combine Keys and Values",
    )

    keys: list[str] = Field(default=[], description="The names.")
    values: Values = Field(default=[], description="The values, as many as there are names.")

    def process(self) -> Annotated[NamedValues, "The values by name; the last of a name counts."]:
        if len(self.keys) != len(self.values):
            raise NodeError(
                f"There are {len(self.keys)} names and {len(self.values)} values.",
                "Give as many of both.",
            )
        return dict(zip(self.keys, self.values, strict=True))


class GetValue(Node):
    """
    Takes one value out of a set of named values.
    dictionary, dict, get, value, key, path

    Use cases:
    - Use one setting of a JSON text
    - Read what a service answered
    """

    lane = Lane.INLINE
    synonyms = ("Get from Dictionary", "Dict Get", "Get Key", "Get by Path")

    dictionary: NamedValues = Field(default={}, description="The values by name.")
    key: str = Field(default="", description=_KEY)
    default: Any = Field(default=None, description="What is given where there is no such value.")

    def process(self) -> Annotated[Any, "The value."]:
        if self.key in self.dictionary or not self.key.startswith("$"):
            return self.dictionary.get(self.key, self.default)
        found = found_at(read_path(self.key), self.dictionary)
        return found[0] if found else self.default


class SetValue(Node):
    """
    Sets one value in a set of named values. Names on the way that are missing are made; a place
    behind the last item of a list adds one.
    dictionary, dict, set, value, key, path, update

    Use cases:
    - Change one setting of a JSON text
    - Add the prompt to the metadata of an image
    """

    lane = Lane.INLINE
    synonyms = ("Update Dictionary", "Dict Set", "Set Key", "Set by Path", "Add to Dictionary")

    dictionary: NamedValues = Field(default={}, description="The values by name.")
    key: str = Field(default="", description=_KEY)
    value: Any = Field(default=None, description="The new value.")

    def process(self) -> Annotated[NamedValues, "The values with the new one."]:
        if not self.key.startswith("$"):
            return {**self.dictionary, self.key: self.value}
        changed = with_value(read_path(self.key), self.dictionary, self.value)
        if not isinstance(changed, dict):
            raise NodeError(
                f"At {self.key!r} is the whole dictionary, which is to stay one.",
                "Give a path to a value in it, such as $.season.",
                where="key",
            )
        return changed


class Parts(NamedTuple):
    keys: Annotated[list[str], "The names, in order."]
    values: Annotated[Values, "Their values."]
    length: Annotated[int, "How many there are."]


class Entries(Node):
    """
    Takes a set of named values apart: a list of the names and a list of the values.
    dictionary, dict, keys, values, items, list

    Use cases:
    - Run a loop over all settings of a JSON text
    - Find out which values a service answered with
    """

    lane = Lane.INLINE
    synonyms = ("Dictionary Keys", "Get Keys", "Dict Values", "Dict to Lists", "Items")

    dictionary: NamedValues = Field(default={}, description="The values by name.")

    def process(self) -> Parts:
        return Parts(list(self.dictionary), list(self.dictionary.values()), len(self.dictionary))


class MergeDictionaries(Node):
    """
    Puts two sets of named values together. Where both have a name, the second counts.
    dictionary, dict, merge, combine, update

    Use cases:
    - Lay a user's settings over the defaults
    - Add to the metadata of an image
    """

    lane = Lane.INLINE
    synonyms = ("Merge Dict", "Combine Dictionaries", "Dict Update", "Reduce Dictionaries")

    dictionary: NamedValues = Field(default={}, description="The first values.")
    other: NamedValues = Field(default={}, description="The second values, which count.")
    deep: bool = Field(
        default=False,
        description=(
            "Whether values that are sets of named values in both are put together as well, instead"
            " of replaced."
        ),
    )

    def process(self) -> Annotated[NamedValues, "All values by name."]:
        return _merged(self.dictionary, self.other, self.deep)


class SelectKeys(Node):
    """
    Keeps some of a set of named values, or leaves them out.
    dictionary, dict, select, filter, remove, keys

    Use cases:
    - Pass only the settings on that a node takes
    - Leave a name out before something is saved
    """

    lane = Lane.INLINE
    synonyms = ("Filter Dictionary", "Remove Key", "Delete Key", "Dict Remove", "Pick Keys", "Omit")

    dictionary: NamedValues = Field(default={}, description="The values by name.")
    keys: list[str] = Field(default=[], description="Names; those that are not there don't count.")
    mode: Literal["keep", "remove"] = Field(
        default="keep", description="Whether these are kept, or left out."
    )

    def process(self) -> Annotated[NamedValues, "The values that are left."]:
        wanted, keep = set(self.keys), self.mode == "keep"
        return {name: value for name, value in self.dictionary.items() if (name in wanted) is keep}


def _merged(first: NamedValues, second: NamedValues, deep: bool) -> NamedValues:
    merged = {**first, **second}
    if deep:
        for name in first.keys() & second.keys():
            if isinstance(first[name], dict) and isinstance(second[name], dict):
                merged[name] = _merged(first[name], second[name], deep)
    return merged
