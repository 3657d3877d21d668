"""Depths and normals: how far surfaces are, and which way they face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.model_kinds import DepthModel
from nodes.huggingface.networks import model_unfit, network_output
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import torch
    from PIL import Image


DEPTH_MODEL = "depth-anything/Depth-Anything-V2-Small-hf"


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
