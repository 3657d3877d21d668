"""Nodes for whoever looks at a workflow: previews and comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodetool_core import Context, Field, ImageRef, Node, Role
from nodetool_core.values import leaves

if TYPE_CHECKING:
    pass


class Preview(Node):
    """
    Shows images while the workflow runs, without making them results.
    preview, show, display, image

    Use cases:
    - Look at a step between two nodes
    - Watch a batch as it is worked on
    """

    synonyms = ("PreviewImage", "Show Image", "View Image", "Show Text", "Preview Any", "Display")

    role = Role.SINK
    cacheable = False

    name: str = Field(default="", description="Name of the preview.")
    value: Any = Field(
        default=None,
        description="What to show: an image or a list of images. Other values show nothing.",
    )

    def process(self, context: Context) -> None:
        for ref in leaves(self.value, ImageRef):
            context.check_cancelled()
            context.preview(context.image(ref))


class Comment(Node):
    """
    A note in the workflow. It never runs.
    comment, note, annotation, documentation

    Use cases:
    - Explain a part of a graph to its reader
    - Leave a reminder
    """

    synonyms = ("Note", "MarkdownNote", "Sticky Note")

    role = Role.COMMENT

    headline: str = Field(default="", description="Title of the note.")
    comment: Any = Field(default="", description="The note: a text, or the document of an editor.")
    comment_color: str = Field(default="#f0f0f0", description="Colour of the note in an editor.")

    def process(self) -> None:
        return
