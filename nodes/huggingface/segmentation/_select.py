"""Objects at places, by Segment Anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.model_kinds import MaskModel
from nodes.huggingface.networks import model_unfit, prepared
from nodes.huggingface.segmentation._cutout import cut_out
from nodetool_core import Context, Field, ImageRef, NodeError

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.models.components.networks import ModelPart

MASK_MODEL: Final = "facebook/sam-vit-base"

_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of the pixels that SAM was trained with."""


@dataclass(frozen=True)
class _Prompts:
    """Where objects are: points of the one, or a box for each; in pixels of the image."""

    points: list[list[float]]
    labels: list[int]
    """1 for a point on the object, 0 for one that is not."""
    boxes: list[list[float]]


class Selected(NamedTuple):
    mask: Annotated[ImageRef, "White where one of the objects is, mode L."]
    cutout: Annotated[ImageRef, "The image, transparent where no object is, RGBA."]
    masks: Annotated[list[ImageRef], "A mask for each object, in the order of the boxes given."]
    bounds: Annotated[
        list[list[float]],
        "The box [left, top, right, bottom] around each object's mask, in pixels; of no size where"
        " the mask is empty.",
    ]
    scores: Annotated[list[float], "How sure the network is of each mask, about 0 to 1."]


class SelectObject(DiffusionNode):
    """
    Masks the object at a place: at points on it, or in a box around it (Segment Anything). Takes
    SAM and SAM 2 networks of transformers. Boxes of FindObjects give a mask for each.
    image, segmentation, sam, segment anything, mask, select, points, box

    Use cases:
    - Mask one thing among many by a point on it
    - Turn the boxes of a detector into exact masks
    """

    synonyms = ("SAM", "Segment Anything", "SAM 2", "Object Selection Tool", "Quick Selection")

    model: MaskModel = Field(
        default=MaskModel(repo_id=MASK_MODEL),
        description="A SAM or SAM 2 network; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")
    points: list[list[float]] = Field(
        default=[],
        max_length=256,
        description="Places [x, y] on the object, in pixels; all are on the same one.",
    )
    excluded_points: list[list[float]] = Field(
        default=[], max_length=256, description="Places [x, y] that are not on it, in pixels."
    )
    boxes: list[list[float]] = Field(
        default=[],
        max_length=256,
        description=(
            "Boxes [left, top, right, bottom] around objects, in pixels. Points go with one box at"
            " most."
        ),
    )

    def process(self, context: Context) -> Selected:
        import torch

        self._check()
        source = source_image(context, self.image, "image")
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            part = lease.part
            if type(part.model).__name__ not in ("SamModel", "SamHQModel", "Sam2Model"):
                raise model_unfit(part.model, "masks no places", "a SAM network", MASK_MODEL)
            masks, scores = _masks_at(part, source, self._prompts(), context)
        return self._selected(masks, scores, context)

    def _selected(
        self, masks: list[Image.Image], scores: list[float], context: Context
    ) -> Selected:
        from PIL import ImageChops

        union = masks[0]
        for mask in masks[1:]:
            union = ImageChops.lighter(union, mask)
        cut = cut_out(union, self.image, context)
        boxes = [list(map(float, mask.getbbox() or (0, 0, 0, 0))) for mask in masks]
        images: list[ImageRef] = [context.image_from_pil(mask) for mask in masks]
        return Selected(cut.mask, cut.cutout, images, boxes, scores)

    def _prompts(self) -> _Prompts:
        labels = [1] * len(self.points) + [0] * len(self.excluded_points)
        return _Prompts([*self.points, *self.excluded_points], labels, self.boxes)

    def _check(self) -> None:
        wrong = {
            "points": any(len(point) != 2 for point in self.points),
            "excluded_points": any(len(point) != 2 for point in self.excluded_points),
            "boxes": any(len(box) != 4 for box in self.boxes),
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                numbers = "left, top, right and bottom" if name == "boxes" else "x and y"
                raise NodeError(
                    f"One of {name} has not {numbers}.",
                    "Give numbers in pixels.",
                    code="invalid_value",
                    where=name,
                )
        if not self.points and not self.boxes:
            raise NodeError(
                "It is not known which object is meant.",
                "Give a point on it, or a box around it.",
                code="missing_value",
                where="points",
            )
        if len(self.boxes) > 1 and (self.points or self.excluded_points):
            raise NodeError(
                f"Points go with one box at most, and there are {len(self.boxes)}.",
                "Give the points to another node, or one box.",
                code="invalid_value",
                where="points",
            )


def _masks_at(
    part: ModelPart,
    source: Image.Image,
    prompts: _Prompts,
    context: Context,
) -> tuple[list[Image.Image], list[float]]:
    """Return the mask of each object, and how sure SAM is of it."""
    import torch

    model = part.model
    is_second = type(model).__name__ == "Sam2Model"
    side = _side_of(part)
    scale = side / max(source.size)
    # The first SAM keeps the shape and fills the square up; the second one stretches.
    scales = (side / source.width, side / source.height) if is_second else (scale, scale)
    size = (max(1, round(source.width * scales[0])), max(1, round(source.height * scales[1])))
    mean, deviation = _IMAGENET
    pixels = prepared(source, size, mean, deviation)
    pixels = torch.nn.functional.pad(pixels, (0, side - size[0], 0, side - size[1]))
    arguments = {"pixel_values": pixels.to(model.device, model.dtype)}
    factors = torch.tensor(scales)
    if prompts.points:
        places = torch.tensor([[prompts.points]]) * factors
        arguments["input_points"] = places.to(model.device, model.dtype)
        arguments["input_labels"] = torch.tensor([[prompts.labels]]).to(model.device)
    if prompts.boxes:
        places = torch.tensor([prompts.boxes]) * factors.repeat(2)
        arguments["input_boxes"] = places.to(model.device, model.dtype)
    output = model(**arguments, multimask_output=True)
    masks, scores = [], []
    for found, sure in zip(output.pred_masks[0], output.iou_scores[0], strict=True):
        context.check_cancelled()
        best = int(sure.argmax())
        square = torch.nn.functional.interpolate(
            found[best].float()[None, None], (side, side), mode="bilinear", align_corners=False
        )[0, 0, : size[1], : size[0]]
        masks.append(_hard_mask(square, source.size))
        scores.append(round(float(sure[best]), 4))
    return masks, scores


def _side_of(part: ModelPart) -> int:
    """Return the side of the square that a SAM network looks at, in pixels."""
    config = part.model.config.vision_config
    size = (getattr(config, "backbone_config", None) or config).image_size
    return int(size[0] if isinstance(size, (list, tuple)) else size)


def _hard_mask(odds: torch.Tensor, size: tuple[int, int]) -> Image.Image:
    """Return a black and white mask of where odds are better than even, in a size."""
    import torch
    from PIL import Image as Pillow

    large = torch.nn.functional.interpolate(
        odds[None, None], (size[1], size[0]), mode="bilinear", align_corners=False
    )[0, 0]
    return Pillow.fromarray(((large > 0).to(torch.uint8) * 255).cpu().numpy())
