"""Colours of one image given to another by a few numbers, so that any sizes and motifs fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from nodes._colour_match import matched, moments, moved, sampled
from nodes._pixels import alike, colours, opened, with_alpha, with_profile
from nodes.lib.pillow.color_grading._primary import IMAGE
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Matrix = NDArray[np.float64]


class MatchColor(Node):
    """
    Gives an image the overall colours of another one, in Oklab. The motifs need not be alike.
    `MatchHistogram` matches tones channel by channel; `TransferColor` takes the colours of each
    place.
    image, color grading, match color, color transfer, reinhard, mkl

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
        "Style Match",
        "Average Color Fix",
        "Color Fix",
    )

    image: ImageRef = Field(description=IMAGE)
    reference: ImageRef = Field(description="Image whose colours are taken; of any size.")
    method: Literal["mean", "reinhard", "mkl"] = Field(
        default="mkl",
        description=(
            "`mean` moves the mean of the colours; `reinhard` brings the spread of lightness and of"
            " both opponent axes as well; `mkl` (Monge-Kantorovich) also how they go together."
        ),
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="0 leaves the image, 1 matches fully."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image in the other's colours."]:
        image = opened(context, self.image)
        ready, reference = alike(image, opened(context, self.reference))
        (colour, alpha), (wanted, other) = colours(ready), colours(reference)
        changed = self._changed(colour, alpha, wanted, other, context)
        whole = with_alpha(changed, alpha if image.has_transparency_data else None)
        return context.image_from_pil(with_profile(whole, ready))

    def _changed(
        self,
        colour: Image.Image,
        alpha: Image.Image | None,
        wanted: Image.Image,
        other: Image.Image | None,
        context: Context,
    ) -> Image.Image:
        import numpy as np

        if self.method != "mkl":
            return matched(
                colour,
                moments(colour, alpha),
                moments(wanted, other),
                self.strength,
                context,
                spread=self.method == "reinhard",
            )
        (own, own_weights), (target, weights) = sampled(colour, alpha), sampled(wanted, other)
        mean, goal = np.average(own, 0, own_weights), np.average(target, 0, weights)
        matrix = _transport(_covariance(own, own_weights), _covariance(target, weights))
        partly = np.eye(3) + (matrix - np.eye(3)) * self.strength
        offset = (goal - matrix @ mean) * self.strength
        return moved(colour, partly, offset, context)


def _covariance(colours: Matrix, weights: Matrix) -> Matrix:
    """Return how colours vary together, a little of it for every axis."""
    import numpy as np

    covariance = np.cov(colours.T, aweights=weights, bias=True)
    whole: Matrix = covariance + np.eye(3) * 1e-6
    return whole


def _transport(own: Matrix, wanted: Matrix) -> Matrix:
    """
    Return the linear map that brings one covariance to another and moves colours the least.

    F. Pitié and A. Kokaram, The Linear Monge-Kantorovitch Linear Colour Mapping, 2007.
    """
    import numpy as np

    root = _root(own)
    inverse = np.linalg.inv(root)
    matrix: Matrix = inverse @ _root(root @ wanted @ root) @ inverse
    return matrix


def _root(matrix: Matrix) -> Matrix:
    """Return the square root of a symmetric positive matrix."""
    import numpy as np

    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: Matrix = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
