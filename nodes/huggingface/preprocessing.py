"""Preprocessors for ControlNets: edges, depth, segmentation, pose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from nodes._pixels import distinct_colour
from nodes.huggingface.canny import canny_edges
from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.model_kinds import DepthModel, PoseModel, SegmentationModel
from nodes.huggingface.networks import model_unfit, network_output
from nodes.huggingface.openpose import Keypoint, draw_pose
from nodetool_core import Context, Field, ImageRef, Node, NodeError

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.models.components.networks import ModelPart

DEPTH_MODEL = "depth-anything/Depth-Anything-V2-Small-hf"
SEGMENTATION_MODEL = "nvidia/segformer-b0-finetuned-ade-512-512"
POSE_MODEL = "usyd-community/vitpose-base-simple"


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


class EstimateDepth(DiffusionNode):
    """
    Estimates the depth of each pixel of an image: the nearer, the brighter. Takes depth estimators
    of transformers, such as Depth Anything, DPT or ZoeDepth.
    image, depth, controlnet, preprocessing

    Use cases:
    - Keep the space of an image while its style changes, with a ControlNet for depths
    - Mask what is near or far
    """

    synonyms = (
        "Depth Map",
        "Depth Anything",
        "DepthAnything",
        "MiDaS",
        "Zoe Depth",
        "Depth Estimation",
    )

    model: DepthModel = Field(
        default=DepthModel(repo_id=DEPTH_MODEL),
        description="A depth estimator; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The depth map, from black (far) to white (near), RGB."]:
        import torch

        source = source_image(context, self.image, "image")
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            part = lease.part
            output = getattr(network_output(part, source), "predicted_depth", None)
            if output is None:
                raise model_unfit(part.model, "finds no depths", "a depth estimator", DEPTH_MODEL)
            # Most estimate nearness; those that estimate distances say so.
            is_distance = (
                getattr(part.model.config, "depth_estimation_type", "") == "metric"
                or "ZoeDepth" in type(part.model).__name__
            )
            return context.image_from_pil(
                _depth_image(-output if is_distance else output, source.size)
            )


class NormalMap(Node):
    """
    Makes a map of the directions that surfaces face from a map of depths or heights: red is right,
    green is up, blue is towards the eye. EstimateDepth makes depths of a photo.
    image, normals, normal map, bump, depth, controlnet, preprocessing

    Use cases:
    - Keep the shapes of an image while its style changes, with a ControlNet for normals
    - Give a texture relief in a 3D program
    """

    synonyms = ("Bump to Normal", "Normal Map Generator", "Height to Normal", "Bae Normal Map")

    image: ImageRef = Field(description="Depths or heights: the nearer or higher, the brighter.")
    strength: float = Field(
        default=8.0,
        ge=0.0,
        le=1000.0,
        description="How many pixels high white is above black, in tens; 0 is flat.",
    )
    smoothing: float = Field(
        default=1.0,
        ge=0.0,
        le=100.0,
        description="Standard deviation of a blur of the heights, in pixels; 0 for none.",
    )
    green_down: bool = Field(
        default=False,
        description="Whether green is down, as DirectX has it; OpenGL and Blender have it up.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The normal map, RGB."]:
        import numpy as np
        from PIL import Image

        grey = context.image(self.image, "L")
        heights = Image.fromarray(np.asarray(grey, np.float32) / np.float32(255))
        if self.smoothing:
            # Pillow blurs tones of 8 bits alone, whose steps would be seen as terraces.
            heights = _smoothed(heights, self.smoothing)
        tones = np.asarray(heights) * np.float32(10 * self.strength)
        slopes = np.array(np.gradient(np.pad(tones, 1, mode="edge")), np.float32)
        up, right = slopes[0, 1:-1, 1:-1], -slopes[1, 1:-1, 1:-1]
        normals = np.stack([right, -up if self.green_down else up, np.ones_like(up)], axis=2)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        shown = (normals * 0.5 + 0.5) * 255 + 0.5
        return context.image_from_pil(Image.fromarray(shown.astype(np.uint8)))


class Segments(NamedTuple):
    output: Annotated[ImageRef, "Each class in a colour of its own, RGB."]
    mask: Annotated[
        ImageRef,
        "White where the image shows `label`, mode L; black everywhere where that is empty.",
    ]
    labels: Annotated[list[str], "The classes that were found, the largest first."]


class SegmentImage(DiffusionNode):
    """
    Labels each pixel of an image (sky, water, tree, …), and masks one of the classes. Takes
    networks for semantic segmentation of transformers, such as SegFormer.
    image, segmentation, mask, controlnet, preprocessing

    Use cases:
    - Mask the sky, and paint another one
    - List what is to be seen in an image
    """

    synonyms = ("Semantic Segmentation", "SegFormer", "UniFormer", "Segmentation Map")

    model: SegmentationModel = Field(
        default=SegmentationModel(repo_id=SEGMENTATION_MODEL),
        description="A network for semantic segmentation; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")
    label: str = Field(
        default="", description="Class that the mask shows, as the network calls it, such as `sky`."
    )

    def process(self, context: Context) -> Segments:
        import numpy as np
        import torch
        from PIL import Image

        source = source_image(context, self.image, "image")
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            part = lease.part
            scores = getattr(network_output(part, source), "logits", None)
            if scores is None or scores.dim() != 4:
                raise model_unfit(
                    part.model,
                    "finds no segments",
                    "a network for semantic segmentation",
                    SEGMENTATION_MODEL,
                )
            names = {int(number): str(name) for number, name in part.model.config.id2label.items()}
            large = torch.nn.functional.interpolate(
                scores.float(), (source.height, source.width), mode="bilinear"
            )
            classes = large.argmax(dim=1)[0].cpu().numpy()
        counts = np.bincount(classes.ravel(), minlength=len(names))
        output = [names[number] for number in np.argsort(-counts, kind="stable") if counts[number]]
        wanted = [
            number
            for number, name in names.items()
            if self.label and name.lower() == self.label.lower()
        ]
        if self.label and not wanted:
            raise NodeError(
                f"The model knows no {self.label!r}.",
                f"It sees {', '.join(output)}.",
                code="invalid_value",
                where="label",
            )
        if wanted and not counts[wanted].any():
            context.warn(f"label: there is no {self.label!r} in the image, so the mask is black.")
        colours = np.array([distinct_colour(number) for number in range(len(names))], np.uint8)
        mask = Image.fromarray(np.isin(classes, wanted).astype(np.uint8) * 255)
        return Segments(
            context.image_from_pil(Image.fromarray(colours[classes])),
            context.image_from_pil(mask),
            output,
        )


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


def _smoothed(heights: Image.Image, deviation: float) -> Image.Image:
    """Return heights (mode F) blurred, as if the edge went on evenly."""
    import numpy as np
    from PIL import Image as Pillow

    reach = min(round(4 * deviation), max(heights.size))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2).astype(np.float32)
    weights /= weights.sum()
    tones = np.asarray(heights, np.float32)
    for axis in (0, 1):
        room = [(reach, reach) if here == axis else (0, 0) for here in (0, 1)]
        padded = np.moveaxis(np.pad(tones, room, mode="edge"), axis, 0)
        mean = np.zeros_like(padded[: tones.shape[axis]])
        for step, weight in enumerate(weights):
            mean += weight * padded[step : step + len(mean)]
        tones = np.moveaxis(mean, 0, axis)
    return Pillow.fromarray(np.ascontiguousarray(tones))


def _depth_image(nearness: torch.Tensor, size: tuple[int, int]) -> Image.Image:
    import torch
    from PIL import Image

    values = nearness.float().reshape(1, 1, *nearness.shape[-2:])
    large = torch.nn.functional.interpolate(
        values, (size[1], size[0]), mode="bicubic", align_corners=False
    )[0, 0]
    low, high = float(large.min()), float(large.max())
    tones = (large - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(tones.round().clamp(0, 255).to(torch.uint8).cpu().numpy()).convert("RGB")


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
