"""What the nodes share: masks of shares, cut-outs, and texts as networks read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from nodes._pixels import colours, opened, with_alpha, with_profile
from nodetool_core import Context, ImageRef, NodeError

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.models.components.networks import ModelPart


class Cutout(NamedTuple):
    mask: Annotated[ImageRef, "White where the subject is, grey at soft edges, mode L."]
    cutout: Annotated[ImageRef, "The image, transparent where the subject is not, RGBA."]
    boxes: Annotated[
        list[list[float]],
        "The box [left, top, right, bottom] around what is more than half seen, in pixels; none"
        " where nothing is.",
    ]


def cut_out(mask: Image.Image, ref: ImageRef, context: Context) -> Cutout:
    """Return the outputs of a mask: itself, the image with it as alpha, and the box around it."""
    from PIL import ImageChops

    image = opened(context, ref)
    colour, alpha = colours(image)
    whole = colour.convert("RGB")
    seen = mask if alpha is None else ImageChops.multiply(mask, alpha)
    box = mask.point(lambda tone: 255 * (tone > 127)).getbbox()
    return Cutout(
        context.image_from_pil(mask),
        context.image_from_pil(with_profile(with_alpha(whole, seen), image)),
        [list(map(float, box))] if box else [],
    )


def mask_of(shares: torch.Tensor, size: tuple[int, int]) -> Image.Image:
    """Return shares from 0 to 1, (rows, columns), as a mask (L) in a size."""
    import torch
    from PIL import Image as Pillow

    large = torch.nn.functional.interpolate(
        shares.float()[None, None],
        (size[1], size[0]),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )[0, 0]
    tones = (large.clamp(0, 1) * 255).round().to(torch.uint8)
    return Pillow.fromarray(tones.cpu().numpy())


def phrases_of(text: str, where: str) -> list[str]:
    """Return what a text names, with commas between."""
    phrases = [phrase.strip() for phrase in text.split(",") if phrase.strip()]
    if not phrases:
        raise NodeError(
            "It is not known what to look for.",
            "Name it, such as `the sky, a lake`.",
            code="missing_value",
            where=where,
        )
    return phrases


def tokens_of(
    part: ModelPart, phrases: list[str], example: str, length: int | None = None
) -> dict[str, torch.Tensor]:
    """Return what a network reads of phrases, cut or filled to a length in tokens."""
    if part.tokenizer is None:
        raise NodeError(
            f"{type(part.model).__name__} has no tokenizer beside it, so it can't read texts.",
            f"Choose a repository with one, such as {example}.",
            code="model_unfit",
            where="model",
        )
    padding = "max_length" if length else True
    tokens = part.tokenizer(
        phrases, padding=padding, truncation=True, max_length=length, return_tensors="pt"
    )
    return {name: tokens[name] for name in ("input_ids", "attention_mask")}
