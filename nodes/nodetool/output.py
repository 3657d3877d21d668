"""Outputs of a workflow: named results of a run."""

from __future__ import annotations

from typing import Annotated, Any

from nodetool_core import Context, Field, ImageData, ImageRef, Node, Role
from nodetool_core.values import map_leaves


class Output(Node):
    """
    A named result of the workflow. Passes its value on; an image that is still a file or a URI is
    opened.
    output, result, sink

    Use cases:
    - Return an image to the person who runs the workflow
    - Name several results of one graph
    """

    synonyms = ("Result", "Return", "Graph Output")

    role = Role.OUTPUT

    name: str = Field(default="", description="Name of the output, by which the result is found.")
    value: Any = Field(default=None, description="The result.")
    description: str = Field(
        default="", description="What the result is; shown to the person who runs the workflow."
    )

    def process(self, context: Context) -> Annotated[Any, "The value as it came."]:
        return map_leaves(self.value, lambda leaf: _opened(leaf, context))


def _opened(value: Any, context: Context) -> Any:
    if isinstance(value, ImageRef) and not isinstance(value, ImageData):
        return context.image_from_pil(context.image(value))
    return value
