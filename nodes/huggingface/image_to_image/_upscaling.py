"""Enlarging images: with a network, with a diffusion model, tile by tile."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from nodes._geometry import MAX_SIDE, Size, check_size, fitted_size, longest_side_of
from nodes._pixels import with_profile
from nodes.huggingface import diffusion as shared
from nodes.huggingface.conditioning import (
    Conditioning,
    conditioned_pipeline,
    conditioning_arguments,
)
from nodes.huggingface.diffusion import (
    DEFAULT_MODEL,
    DiffusionNode,
    Images,
    image_outputs,
    source_image,
)
from nodes.huggingface.few_steps import with_few_steps
from nodes.huggingface.model_kinds import (
    ControlNetModel,
    EmbeddingModel,
    LoraModel,
    UpscalerModel,
)
from nodes.huggingface.noise import Noise
from nodes.huggingface.pipelines import generate
from nodes.huggingface.prompts import GENERATION_PROPERTIES, PromptSyntax
from nodes.huggingface.realesrgan import check_installed
from nodes.huggingface.tiled import generate_in_tiles
from nodes.huggingface.tiles import grid_tiles, with_margin
from nodes.huggingface.upscalers import Upscaler, load_upscaler
from nodetool_core import Context, Field, ImageRef, ImageToImageModel
from nodetool_core.models.diffusers.families import call_parameters
from nodetool_core.models.diffusers.noise_schedules import NoiseSchedule
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName

if TYPE_CHECKING:
    from PIL import Image

    from nodes.huggingface.masks import Box

DEFAULT_UPSCALER = "nodetool/tiny-upscaler"
"""The network where none is set: enlarges four times, ships with the pack."""

_RESAMPLING_MARGIN = 4
"""Pixels of the result around a cell that resampling it looks at."""

UPSCALE_MODEL = "stabilityai/stable-diffusion-x4-upscaler"


class Upscale(DiffusionNode):
    """
    Enlarges an image with a network in one pass, by the factor that the network was made for.
    Networks of Real-ESRGAN, ESRGAN and ESPCN are read from safetensors files. Works in tiles, so
    that an image of any size fits into memory.
    image, upscale, super-resolution, enlarge, real-esrgan, espcn

    Use cases:
    - Enlarge a result four times
    - Bring old or small images to the size of a print
    """

    synonyms = (
        "ImageUpscaleWithModel",
        "Upscale Image",
        "ESRGAN",
        "Super Resolution",
        "AI Upscale",
        "Preserve Details",
    )

    default_model = DEFAULT_UPSCALER

    image: ImageRef = Field(
        default=ImageRef(), description="Image to enlarge; its transparency is enlarged as well."
    )
    model: UpscalerModel = Field(
        default=UpscalerModel(),
        description=(
            "Network to use; empty for the small one that ships. `realesrgan/x4plus`,"
            " `realesrgan/x4plus-anime` and `realesrgan/x4-video` come with the extra `realesrgan`."
        ),
    )
    longest_side: int = Field(
        default=0,
        ge=0,
        le=MAX_SIDE,
        description=(
            "Longest side of the result, in pixels, at the same aspect ratio. 0 for the network's"
            " own factor."
        ),
    )
    tile_size: int = Field(
        default=256,
        ge=16,
        le=4096,
        description="Side of a tile, in pixels; smaller tiles take less memory.",
    )
    tile_overlap: int = Field(
        default=16,
        ge=0,
        le=256,
        description="Context around each tile, in pixels; too little shows seams.",
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The enlarged image, RGB or RGBA."]:
        from nodetool_core.assets.modes import in_mode

        source = source_image(context, self.image, "image", "RGBA")
        colours = in_mode(source, "RGB")
        ref = self.model_or_default(self.model)
        check_installed(ref.repo_id)
        with context.models.use(ref, "tensors", context=context) as lease:
            part = lease.part
            network = load_upscaler(part.tensors, ref.repo_id)
            size = self._size(source.size, network.scale, context)
            enlarged = _upscale_tiled(
                network, colours, size, self.tile_size, self.tile_overlap, part.device, context
            )
        return context.image_from_pil(with_transparency(enlarged, source))

    def _size(self, size: Size, factor: int, context: Context) -> Size:
        """Return the size of the result. Raises NodeError for one that is too large."""
        if not self.longest_side:
            hint = (
                f"Set longest_side, to at most {longest_side_of(size)}, or put a Fit in front of"
                " this node."
            )
            return check_size(size[0] * factor, size[1] * factor, hint)
        if self.longest_side > factor * max(size):
            context.warn(
                f"longest_side is more than the {factor} times that the network enlarges; the rest"
                " is resampled."
            )
        if self.longest_side < max(size):
            context.warn(
                f"The image is larger than longest_side already ({size[0]} x {size[1]} pixels), and"
                " is made smaller."
            )
        wanted = fitted_size(size, (self.longest_side, self.longest_side))
        return check_size(*wanted, f"Set longest_side to at most {longest_side_of(size)}.")


class DiffusionUpscale(DiffusionNode):
    """
    Enlarges an image with a diffusion upscaler, which adds plausible detail: Stable Diffusion x4,
    or the latent upscaler x2.
    image, upscale, super-resolution, enlarge, stable-diffusion

    Use cases:
    - Give a small image plausible details
    - Enlarge an image with a prompt that says what is to be seen
    """

    synonyms = (
        "Creative Upscale",
        "Super Resolution",
        "LatentUpscale",
        "Stable Diffusion x4 Upscaler",
    )

    model: ImageToImageModel = Field(
        default=ImageToImageModel(repo_id=UPSCALE_MODEL),
        description="A diffusion upscaler; downloaded when first used.",
    )
    prompt: str = Field(default="", description="Text prompt describing the image.")
    negative_prompt: str = shared.NEGATIVE_PROMPT
    image: ImageRef = Field(default=ImageRef(), description="Image to enlarge.")
    num_inference_steps: int = shared.STEPS
    guidance_scale: float = Field(
        default=7.5, ge=0.0, le=20.0, description="How closely the prompt is followed."
    )
    noise_level: int = Field(
        default=20,
        ge=0,
        le=350,
        description=(
            "Noise added to the image first, in steps of the noise schedule: more lets the model"
            " change more. Stable Diffusion x4 alone."
        ),
    )
    seed: int = shared.SEED
    scheduler: SchedulerName = shared.SCHEDULER
    noise_schedule: NoiseSchedule = shared.NOISE_SCHEDULE

    def process(self, context: Context) -> Images:
        names = ["negative_prompt", "num_inference_steps", "guidance_scale"]
        if self.noise_level != self.spec.properties["noise_level"].default:
            names.append("noise_level")
        with conditioned_pipeline(self.model, "upscaling", Conditioning.of(self), context) as lease:
            # Those that take a prompt want one, if an empty one.
            takes_prompt = "prompt" in call_parameters(type(lease.pipeline))
            prompt = self.prompt or (" " if takes_prompt else "")
            wanted = self.property_values(*names) | {"prompt": prompt}
            source = source_image(context, self.image, "image")
            output = generate(lease, wanted, noise=Noise.of(self), image=source, context=context)
        return image_outputs(output, context, source)


class TiledRefinement(DiffusionNode):
    """
    Enlarges an image and repaints it tile by tile with an image-to-image model, so that it may be
    larger than the model was made for. Tiles overlap and are blended.
    image, upscale, tiles, refinement, detail, image-to-image

    Use cases:
    - Bring a result to print size with new detail
    - Restyle an image that is larger than the model can take
    - Follow the image closely with a tile ControlNet
    """

    synonyms = ("Ultimate SD Upscale", "Tiled Upscale", "Hires Fix", "Tiled Diffusion")

    default_model = DEFAULT_MODEL

    model: ImageToImageModel = Field(
        default=ImageToImageModel(),
        description="A model for image to image; empty for the one that ships.",
    )
    prompt: str = Field(
        default="A beautiful landscape with mountains and a lake at sunset",
        description="Text prompt describing the image.",
    )
    negative_prompt: str = shared.NEGATIVE_PROMPT
    image: ImageRef = Field(default=ImageRef(), description="Image to enlarge and refine.")
    scale: float = Field(
        default=2.0,
        ge=0.25,
        le=8.0,
        description="Factor for both sides before the tiles are refined; 1 keeps the size.",
    )
    strength: float = Field(
        default=0.3,
        ge=0.0,
        le=1.0,
        description="How far a tile may differ from the enlarged image: 0 keeps it, 1 ignores it.",
    )
    num_inference_steps: int = shared.STEPS
    guidance_scale: float = shared.GUIDANCE
    tile_overlap: float = Field(
        default=0.25,
        ge=0.0,
        le=0.75,
        description="Overlap of neighbouring tiles, as a fraction of a tile's side.",
    )
    seed: int = shared.SEED
    scheduler: SchedulerName = shared.SCHEDULER
    noise_schedule: NoiseSchedule = shared.NOISE_SCHEDULE
    loras: list[LoraModel] = shared.LORAS
    free_u: list[float] = shared.FREE_U
    controlnet: ControlNetModel = Field(
        default=ControlNetModel(),
        description="ControlNet (tile) that keeps tiles close to the image; empty for none.",
    )
    controlnet_conditioning_scale: float = shared.CONTROL_SCALE
    prompt_2: str = shared.PROMPT_2
    prompt_syntax: PromptSyntax = shared.PROMPT_SYNTAX
    embeddings: list[EmbeddingModel] = shared.EMBEDDINGS
    clip_skip: int = shared.CLIP_SKIP
    max_sequence_length: int = shared.MAX_SEQUENCE_LENGTH
    negative_prompt_2: str = shared.NEGATIVE_PROMPT_2

    def process(self, context: Context) -> Annotated[ImageRef, "The refined image, RGB."]:
        source = source_image(context, self.image, "image")
        check_size(
            round(source.width * self.scale),
            round(source.height * self.scale),
            "Choose a smaller scale.",
        )
        conditioning = replace(Conditioning.of(self), control_image=self.image)
        wanted = self.property_values("strength", *GENERATION_PROPERTIES)
        wanted = with_few_steps(self, wanted, self.model, self.loras, context)
        with conditioned_pipeline(
            self.model_or_default(self.model), "image-to-image", conditioning, context
        ) as lease:
            aligned = {} if conditioning.controlnet.is_empty() else {"control_image": source}
            image = generate_in_tiles(
                lease,
                wanted | conditioning_arguments(lease.pipeline, conditioning, context),
                image=source,
                size=(round(source.width * self.scale), round(source.height * self.scale)),
                aligned_images=aligned,
                overlap=self.tile_overlap,
                noise=Noise.of(self),
                context=context,
            )
        return context.image_from_pil(with_profile(image, source))


def with_transparency(enlarged: Image.Image, source: Image.Image) -> Image.Image:
    """
    Return the enlarged RGB image with the alpha and the profile of its source (RGBA).

    It stays RGB where no pixel of the source is transparent.
    """
    alpha = source.getchannel("A")
    if alpha.getextrema() != (255, 255):
        enlarged.putalpha(_resized(alpha, enlarged.size))
    return with_profile(enlarged, source)


def _rounded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return the nearest size whose sides are multiples."""
    width, height = (max(multiple, round(side / multiple) * multiple) for side in size)
    return width, height


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    from PIL import Image as Pillow

    return image if image.size == size else image.resize(size, Pillow.Resampling.LANCZOS)


def _upscale_tiled(
    network: Upscaler,
    image: Image.Image,
    size: Size,
    side: int,
    margin: int,
    device: str,
    context: Context,
) -> Image.Image:
    """
    Return the image through the network, cell by cell, each with its margin, in a size.

    Where that is not the size that the network gives, each cell is resampled by itself, with as
    much around it as resampling
    looks at: no image of the network's own size is ever held.
    """
    import torch
    from PIL import Image as Pillow

    result = Pillow.new("RGB", size)
    scales = (size[0] / image.width, size[1] / image.height)
    resampled = size != (image.width * network.scale, image.height * network.scale)
    reach = math.ceil(_RESAMPLING_MARGIN / min(scales)) + 1 if resampled else 0
    boxes = grid_tiles(image.size, side)
    for index, box in enumerate(boxes):
        seen = with_margin(box, margin + reach, image.size)
        left, upper, right, lower = (
            round(edge * scales[axis % 2]) for axis, edge in enumerate(box)
        )
        needed = with_margin(
            (left, upper, right, lower), _RESAMPLING_MARGIN if resampled else 0, size
        )
        with torch.no_grad():
            large = _upscale_tile(
                network.module, network.channels, image.crop(seen), network.scale, device
            )
        part = _resample_region(
            large,
            [
                (edge / scales[axis % 2] - seen[axis % 2]) * network.scale
                for axis, edge in enumerate(needed)
            ],
            needed,
        )
        across, down = left - needed[0], upper - needed[1]
        result.paste(
            part.crop((across, down, across + right - left, down + lower - upper)), (left, upper)
        )
        context.progress(index + 1, len(boxes))
    return result


def _resample_region(large: Image.Image, region: list[float], needed: Box) -> Image.Image:
    """Return a region of what the network gave, in the size of the box that is needed."""
    from PIL import Image as Pillow

    left, upper, right, lower = (max(0.0, edge) for edge in region)
    box = (left, upper, min(right, float(large.width)), min(lower, float(large.height)))
    return large.resize(
        (needed[2] - needed[0], needed[3] - needed[1]), Pillow.Resampling.LANCZOS, box
    )


def _upscale_tile(
    module: Any, channels: int, image: Image.Image, factor: int, device: str
) -> Image.Image:
    """
    Return one piece, enlarged by the network.

    Where that knows brightness alone, the colours are enlarged without it.
    """
    import numpy as np
    import torch
    from PIL import Image as Pillow

    size = (image.width * factor, image.height * factor)
    pixels = image if channels == 3 else image.convert("YCbCr").getchannel(0)
    tones = torch.from_numpy(np.array(pixels, dtype=np.float32) / 255).to(device)
    output = module(tones.movedim(-1, 0)[None] if channels == 3 else tones[None, None])[0]
    large = (output.float().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    if channels == 3:
        return Pillow.fromarray(np.moveaxis(large, 0, -1))
    colours = image.convert("YCbCr").resize(size, Pillow.Resampling.BICUBIC)
    return Pillow.merge("YCbCr", (Pillow.fromarray(large[0]), *colours.split()[1:])).convert("RGB")
