"""Named values: parts of them."""

from __future__ import annotations

from typing import Annotated, Any

from nodetool_core import Field, Lane, Node


class GetValue(Node):
    """
    Takes one value out of a set of named values.
    dictionary, dict, get, value, key

    Use cases:
    - Use one setting of a JSON text
    - Read what a service answered
    """

    lane = Lane.INLINE

    dictionary: dict[str, Any] = Field(default={}, description="The values by name.")
    key: str = Field(default="", description="Name of the value.")
    default: Any = Field(default=None, description="What is given where there is no such name.")

    def process(self) -> Annotated[Any, "The value."]:
        return self.dictionary.get(self.key, self.default)
