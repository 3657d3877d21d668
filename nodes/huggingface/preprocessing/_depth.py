"""Depths and normals: how far surfaces are, and which way they face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.marigold import estimated, is_pipeline
from nodes.huggingface.model_kinds import DepthModel, NormalsModel
from nodes.huggingface.networks import model_unfit, network_output
from nodetool_core import Context, Field, ImageRef, Node

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image


DEPTH_MODEL = "depth-anything/Depth-Anything-V2-Small-hf"
NORMALS_MODEL = "prs-eth/marigold-normals-v1-1"

MARIGOLD_STEPS = Field(
    default=0,
    ge=0,
    le=100,
    description="Steps of denoising of Marigold; 0 for as many as the model was made for.",
)
MARIGOLD_SEED = Field(
    default=0,
    ge=-1,
    le=2**64 - 1,
    seed=True,
    description="Seed of the noise that Marigold begins with; -1 draws another each time.",
)
GREEN_DOWN = Field(
    default=False,
    description="Whether green is down, as DirectX has it; OpenGL and Blender have it up.",
)


class EstimateDepth(DiffusionNode):
    """
    Estimates the depth of each pixel of an image: the nearer, the brighter. Takes depth estimators
    of transformers, such as Depth Anything, DPT or ZoeDepth, and pipelines of Marigold, which are
    slower and draw finer edges.
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
        "Marigold",
        "Depth Estimation",
    )

    model: DepthModel = Field(
        default=DepthModel(repo_id=DEPTH_MODEL),
        description=(
            "A depth estimator, or a pipeline of Marigold such as `prs-eth/marigold-depth-v1-1`;"
            " downloaded when first used."
        ),
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")
    num_inference_steps: int = MARIGOLD_STEPS
    seed: int = MARIGOLD_SEED

    def process(
        self, context: Context
    ) -> Annotated[ImageRef, "The depth map, from black (far) to white (near), RGB."]:
        source = source_image(context, self.image, "image")
        if is_pipeline(self.model, context):
            import torch

            depths = estimated(
                self.model,
                "depth-estimation",
                source,
                self.num_inference_steps,
                self.seed,
                context,
            )
            nearness = -torch.from_numpy(depths[..., 0])
        else:
            nearness = self._by_network(source, context)
        return context.image_from_pil(_depth_image(nearness, source.size))

    def _by_network(self, source: Image.Image, context: Context) -> torch.Tensor:
        """Return how near each pixel is, in the network's own size."""
        import torch

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
            nearness: torch.Tensor = (-output if is_distance else output).cpu()
            return nearness


class EstimateNormals(DiffusionNode):
    """
    Estimates the direction that the surface at each pixel of an image faces: red is right, green is
    up, blue is towards the eye. Takes pipelines of Marigold. `NormalMap` makes normals of depths,
    without a model.
    image, normals, normal map, controlnet, preprocessing

    Use cases:
    - Keep the shapes of an image while its style changes, with a ControlNet for normals
    - Light a photo in another way in a 3D program
    """

    synonyms = ("Marigold", "Bae Normal Map", "DSINE", "Normal Map from Photo", "Surface Normals")

    model: NormalsModel = Field(
        default=NormalsModel(repo_id=NORMALS_MODEL),
        description="A pipeline of Marigold for normals; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")
    num_inference_steps: int = MARIGOLD_STEPS
    seed: int = MARIGOLD_SEED
    green_down: bool = GREEN_DOWN

    def process(self, context: Context) -> Annotated[ImageRef, "The normal map, RGB."]:
        source = source_image(context, self.image, "image")
        normals = estimated(
            self.model,
            "normals-estimation",
            source,
            self.num_inference_steps,
            self.seed,
            context,
        )
        return context.image_from_pil(_normal_image(normals, self.green_down))


class NormalMap(Node):
    """
    Makes a map of the directions that surfaces face from a map of depths or heights: red is right,
    green is up, blue is towards the eye. `EstimateDepth` makes depths of a photo;
    `EstimateNormals` makes normals of it at once.
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
    green_down: bool = GREEN_DOWN

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
        normals = np.stack([right, up, np.ones_like(up)], axis=2)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        return context.image_from_pil(_normal_image(normals, self.green_down))


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


def _normal_image(normals: NDArray[np.float32], green_down: bool) -> Image.Image:
    """Return normals of length 1 (right, up, towards the eye) as colours, RGB."""
    import numpy as np
    from PIL import Image as Pillow

    ways = np.array([1, -1 if green_down else 1, 1], np.float32)
    shown = (normals * ways * 0.5 + 0.5).clip(0, 1) * 255 + 0.5
    return Pillow.fromarray(shown.astype(np.uint8))


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
