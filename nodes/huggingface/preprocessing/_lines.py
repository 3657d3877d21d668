"""The edges of an image as lines."""

from __future__ import annotations

from typing import Annotated

from nodes.huggingface.canny import canny_edges
from nodetool_core import Context, Field, ImageRef, Node, NodeError


class Canny(Node):
    """
    Draws the edges of an image as thin white lines on black, by Canny's method.
    image, edges, canny, controlnet, preprocessing

    Use cases:
    - Keep the lines of an image while its style changes, with a ControlNet for edges
    - Find out how much detail an image has
    """

    synonyms = ("Canny Edge Preprocessor", "CannyEdgePreprocessor", "Line Art", "LineArt")

    image: ImageRef = Field(description="Image to find edges in.")
    low_threshold: int = Field(
        default=100,
        ge=0,
        le=1000,
        description="Gradient, 0…2040, above which an edge is continued; lower gives longer lines.",
    )
    high_threshold: int = Field(
        default=200,
        ge=0,
        le=1000,
        description="Gradient, 0…2040, above which an edge begins; lower gives more edges.",
    )
    smoothing: float = Field(
        default=0.0,
        ge=0.0,
        le=20.0,
        description=(
            "Standard deviation of a blur before edges are detected, in pixels: drops small"
            " detail; 0 for none."
        ),
    )

    def process(self, context: Context) -> Annotated[ImageRef, "White lines on black, RGB."]:
        import numpy as np
        from PIL import Image, ImageFilter

        if self.low_threshold > self.high_threshold:
            message = (
                f"low_threshold {self.low_threshold} is above high_threshold {self.high_threshold}."
            )
            raise NodeError(message, "Lower it.", code="invalid_value", where="low_threshold")
        grey = context.image(self.image, "L")
        if self.smoothing:
            grey = grey.filter(ImageFilter.GaussianBlur(self.smoothing))
        output = canny_edges(np.asarray(grey), self.low_threshold, self.high_threshold)
        return context.image_from_pil(Image.fromarray(output.astype(np.uint8) * 255).convert("RGB"))
