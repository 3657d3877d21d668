"""The pose of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.model_kinds import PoseModel
from nodes.huggingface.networks import model_unfit
from nodes.huggingface.openpose import Keypoint, draw_pose
from nodetool_core import Context, Field, ImageRef

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.models.components.networks import ModelPart


POSE_MODEL = "usyd-community/vitpose-base-simple"


class EstimatePose(DiffusionNode):
    """
    Detects the pose of the one person in an image, and draws it in the format of OpenPose.
    Takes ViTPose networks. For one of several people, crop to that one first.
    image, pose, openpose, controlnet, preprocessing

    Use cases:
    - Keep the pose of a person while everything else changes, with a ControlNet for poses
    """

    synonyms = ("OpenPose", "DWPose", "Pose Estimation", "ViTPose")

    model: PoseModel = Field(
        default=PoseModel(repo_id=POSE_MODEL),
        description="A ViTPose network; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image of one person.")
    threshold: float = Field(
        default=0.3,
        ge=0.0,
        le=1.0,
        description="Least confidence of a keypoint that is drawn; 0 draws all.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The pose on black, RGB."]:
        import torch

        source = source_image(context, self.image, "image")
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            part = lease.part
            if "PoseEstimation" not in type(part.model).__name__:
                raise model_unfit(part.model, "finds no joints", "a ViTPose network", POSE_MODEL)
            keypoints = _keypoints(part, source)
        return context.image_from_pil(draw_pose(source.size, keypoints, self.threshold))


def _keypoints(part: ModelPart, image: Image.Image) -> list[Keypoint]:
    """
    Return COCO's 17 joints.

    The whole image, brought to the network's shape with black beside it, is what it looks at; the
    places of greatest heat are moved a quarter towards the warmer neighbour, as in the network's
    paper.
    """
    import numpy as np
    import torch
    from PIL import Image as Pillow

    height, width = part.model.config.backbone_config.image_size
    scale = min(width / image.width, height / image.height)
    resized = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
        Pillow.Resampling.BILINEAR,
    )
    left, upper = (width - resized.width) // 2, (height - resized.height) // 2
    canvas = Pillow.new("RGB", (width, height))
    canvas.paste(resized, (left, upper))
    mean, std = (
        getattr(part.processor, name, None) or default for name, default in _NORMALIZATION.items()
    )
    tones = (np.asarray(canvas, np.float32) / 255 - np.array(mean, np.float32)) / np.array(
        std, np.float32
    )
    pixels = torch.from_numpy(tones).movedim(-1, 0)[None].to(part.model.device, part.model.dtype)
    heatmaps = part.model(pixels).heatmaps[0].float().cpu().numpy()
    keypoints = []
    for heatmap in heatmaps:
        row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
        place = [
            column + _subpixel_offset(heatmap[row], int(column)),
            row + _subpixel_offset(heatmap[:, column], int(row)),
        ]
        x, y = (
            (place[0] + 0.5) * width / heatmap.shape[1],
            (place[1] + 0.5) * height / heatmap.shape[0],
        )
        keypoints.append(Keypoint((x - left) / scale, (y - upper) / scale, float(heatmap.max())))
    return keypoints


_NORMALIZATION = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
"""Mean and deviation of ImageNet's pixels, which the networks were trained with."""


def _subpixel_offset(line: torch.Tensor, place: int) -> float:
    """Return a quarter towards the warmer of two neighbours; 0 at the ends."""
    import numpy as np

    return (
        0.0
        if place in (0, len(line) - 1)
        else 0.25 * float(np.sign(line[place + 1] - line[place - 1]))
    )
