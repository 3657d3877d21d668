"""Named values: parts of them."""

from __future__ import annotations

from typing import Annotated, Any

from nodes._natural import natural
from nodes._values import NamedValues
from nodetool_core import Field, Lane, Node


class MakeDictionary(Node):
    """
    Makes a set of named values of what is connected to it. Properties of any name are taken; their
    names are those of the values.
    dictionary, dict, make, gather, combine

    Use cases:
    - Give several results as one
    - Fill a set of settings with what other nodes worked out
    """

    lane = Lane.INLINE
    dynamic = True

    def process(
        self,
    ) -> Annotated[NamedValues, "The values by name, in the order of the names."]:
        return {
            name: self.dynamic_values[name] for name in sorted(self.dynamic_values, key=natural)
        }


class GetValue(Node):
    """
    Takes one value out of a set of named values.
    dictionary, dict, get, value, key

    Use cases:
    - Use one setting of a JSON text
    - Read what a service answered
    """

    lane = Lane.INLINE

    dictionary: NamedValues = Field(default={}, description="The values by name.")
    key: str = Field(default="", description="Name of the value.")
    default: Any = Field(default=None, description="What is given where there is no such name.")

    def process(self) -> Annotated[Any, "The value."]:
        return self.dictionary.get(self.key, self.default)
