"""Colours of one image given to another by a few numbers, so that any sizes and motifs fit."""

from __future__ import annotations

from typing import Annotated, Literal

from nodes._colour_match import LAB, OKLAB, Method, matched, sampled
from nodes._pixels import alike, colours, opened, with_alpha, with_profile
from nodes.lib.pillow.color_grading._primary import IMAGE
from nodetool_core import Context, Field, ImageRef, Node


class MatchColor(Node):
    """
    Gives an image the overall colours of another one, in Oklab or CIE Lab. The motifs need not be
    alike. `MatchHistogram` matches red, green and blue each by itself; `TransferColor` takes the
    colours of each place.
    image, color grading, match color, color transfer, reinhard, mkl, histogram

    Use cases:
    - Bring the photos of a series to the look of one of them
    - Give a generated image the colours of its original
    """

    synonyms = (
        "Color Match",
        "Color Transfer",
        "Match Color",
        "Reinhard",
        "MKL",
        "Histogram Matching",
        "Style Match",
        "Average Color Fix",
        "Color Fix",
    )

    image: ImageRef = Field(description=IMAGE)
    reference: ImageRef = Field(description="Image whose colours are taken; of any size.")
    method: Method = Field(
        default="mkl",
        description=(
            "`mean` moves the mean of the colours; `reinhard` brings the spread of lightness and of"
            " both opponent axes as well; `mkl` (Monge-Kantorovich) also how they go together;"
            " `histogram` gives each axis the distribution of the other's."
        ),
    )
    space: Literal["oklab", "lab"] = Field(
        default="oklab",
        description=(
            "Space of the colours: Oklab, in which blue keeps its hue, or CIE Lab (D65),"
            " which Photoshop and most tools match in. Both are made of linear light and follow"
            " the eye."
        ),
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 matches fully."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image in the other's colours."]:
        image = opened(context, self.image)
        ready, reference = alike(image, opened(context, self.reference))
        (colour, alpha), (wanted, other) = colours(ready), colours(reference)
        space = LAB if self.space == "lab" else OKLAB
        own, goal = sampled(colour, alpha, space), sampled(wanted, other, space)
        changed = matched(colour, own, goal, self.method, self.strength, context, space)
        whole = with_alpha(changed, alpha if image.has_transparency_data else None)
        return context.image_from_pil(with_profile(whole, ready))
