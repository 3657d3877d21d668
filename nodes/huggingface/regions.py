"""Several prompts for one image: each with its part of it, its strength, and its share of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from nodes.huggingface.diffusion import source_image
from nodes.huggingface.prompts import encoded_texts
from nodes.huggingface.units import PromptUnit
from nodetool_core import Context, Field, ImageRef, Lane, Node, NodeError
from nodetool_core.models.diffusers.prompt_regions import PromptRegions, RegionPrompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image

    from nodetool_core.context import Lease

MASKS: Final = "prompt_masks"
"""The aligned images that say where prompts count."""


class AddPrompt(Node):
    """
    Gives an image a further prompt, which counts in a part of it or in all, beside the prompt of
    the node that generates. Chain several: each adds itself to those before it. Stable Diffusion 1,
    2 and XL.
    huggingface, prompt, regional prompt, area, mask, combine, conditioning

    Use cases:
    - Say what is on the left of an image and what is on the right
    - Draw a subject within a background that has its own prompt
    - Begin an image with one prompt and finish it with another
    - Mix two prompts
    """

    synonyms = (
        "ConditioningSetArea",
        "ConditioningSetMask",
        "ConditioningCombine",
        "Regional Prompter",
        "Attention Couple",
    )

    lane = Lane.INLINE

    prompt: str = Field(default="", description="What is drawn there.")
    strength: float = Field(
        default=1.0,
        ge=0.0,
        le=10.0,
        description="How much it counts; the prompt of the node that generates counts 1.",
    )
    left: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Left edge of its part, as a share of the width."
    )
    top: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Upper edge, as a share of the height."
    )
    right: float = Field(
        default=1.0, ge=0.0, le=1.0, description="Right edge, as a share of the width."
    )
    bottom: float = Field(
        default=1.0, ge=0.0, le=1.0, description="Lower edge, as a share of the height."
    )
    mask: ImageRef | None = Field(
        default=None,
        description=(
            "White where it counts. With a mask the model sees the whole image; without one, a part"
            " is drawn as an image of its own."
        ),
    )
    start: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Share of the noise after which it begins to count.",
    )
    end: float = Field(
        default=1.0, ge=0.0, le=1.0, description="Share of the noise after which it ends to count."
    )
    prompts: list[PromptUnit] = Field(default=[], description="Prompts that are there already.")

    def process(self) -> Annotated[list[PromptUnit], "The prompts that were there, and this one."]:
        if self.left >= self.right or self.top >= self.bottom:
            raise NodeError(
                "The part of the image is empty: left has to be below right, and top below bottom.",
                "Change the edges.",
                code="invalid_value",
                where="right" if self.left >= self.right else "bottom",
            )
        edges = self.left, self.top, self.right, self.bottom
        unit = PromptUnit(self.prompt, self.strength, *edges, self.mask, self.start, self.end)
        return [*self.prompts, unit]


def prompt_masks(
    units: Sequence[PromptUnit], context: Context
) -> dict[str, Image.Image | list[Image.Image]]:
    """Return the masks of prompts as images that lie over the result; white where there is none."""
    from PIL import Image as Pillow

    if all(unit.mask is None for unit in units):
        return {}
    white = Pillow.new("L", (1, 1), 255)
    masks = [
        white if unit.mask is None else source_image(context, unit.mask, "mask", "L")
        for unit in units
    ]
    return {MASKS: masks}


def prompt_regions(
    lease: Lease,
    units: Sequence[PromptUnit],
    masks: object,
    wanted: Mapping[str, object],
    context: Context,
    *,
    warns: bool,
) -> PromptRegions | None:
    """
    Return the further prompts of a call, encoded; None where there are none.

    Raises NodeError where the model's family takes no further prompts.
    """
    if not units:
        return None
    texts = [unit.prompt for unit in units]
    encoded = encoded_texts(lease, texts, wanted, context, where="prompts", warns=warns)
    placed = masks if isinstance(masks, list) else [None] * len(units)
    regions = [
        RegionPrompt(
            made.tokens,
            made.pooled,
            (unit.left, unit.top, unit.right, unit.bottom),
            None if unit.mask is None else mask,
            unit.strength,
            unit.start,
            unit.end,
        )
        for unit, made, mask in zip(units, encoded, placed, strict=True)
    ]
    return PromptRegions(lease.pipeline, regions, has_base=bool(wanted.get("prompt")))
