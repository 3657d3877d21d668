"""Inpainting: repaint a part of an image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

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
from nodes.huggingface.masks import Mask
from nodes.huggingface.model_kinds import (
    ControlNetModel,
    EmbeddingModel,
    InpaintingModel,
    IPAdapterModel,
    LoraModel,
)
from nodes.huggingface.noise import Noise
from nodes.huggingface.pipelines import Aligned, Generated, generate, map_aligned, strength_masks
from nodes.huggingface.prompts import GENERATION_PROPERTIES, PromptSyntax
from nodes.huggingface.units import ControlNetUnit, IPAdapterUnit
from nodetool_core import Context, Field, ImageRef
from nodetool_core.models.diffusers.noise_schedules import NoiseSchedule
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName

if TYPE_CHECKING:
    from PIL import Image


class Inpainting(DiffusionNode):
    """
    Repaints the masked part of an image from a prompt. Pixels outside of the mask keep every bit,
    and the image its size. Takes models for inpainting (Stable Diffusion with 9 channels, Flux
    Fill) and any other whose family can inpaint.
    image, inpainting, mask, fill, repair, object removal

    Use cases:
    - Remove an object and fill in what was behind it
    - Put something new into an image
    - Repair scratches and holes
    - Work on a small part of a large photo in full detail
    """

    synonyms = (
        "Inpaint",
        "Generative Fill",
        "Content-Aware Fill",
        "Object Removal",
        "VAEEncodeForInpaint",
        "Heal",
    )

    default_model = DEFAULT_MODEL

    model: InpaintingModel = Field(
        default=InpaintingModel(),
        description="The model to use; empty for the small one that ships.",
    )
    prompt: str = Field(
        default="A beautiful landscape with mountains and a lake at sunset",
        description="Text prompt describing what to paint.",
    )
    negative_prompt: str = shared.NEGATIVE_PROMPT
    image: ImageRef = Field(default=ImageRef(), description="The image to change.")
    mask_image: ImageRef = Field(
        default=ImageRef(), description="Mask: white is repainted, black is kept."
    )
    strength: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description=("How far the repainted part may differ from what was there; 1 ignores it."),
    )
    num_inference_steps: int = shared.STEPS
    guidance_scale: float = shared.WIDE_GUIDANCE
    seed: int = shared.SEED
    mask_grow: int = Field(
        default=0, ge=0, le=512, description="Pixels by which the mask grows in each direction."
    )
    mask_blur: int = Field(
        default=0,
        ge=0,
        le=512,
        description=(
            "Pixels beyond the mask over which the repainted part fades out; 0 is a hard edge."
        ),
    )
    crop_to_mask: bool = Field(
        default=False,
        description=(
            "Whether the model only gets the masked part, enlarged to its native size: full detail"
            " in large images."
        ),
    )
    crop_padding: int = Field(
        default=32,
        ge=0,
        le=2048,
        description=(
            "Pixels around the masked part that the model gets as well, with `crop_to_mask`."
        ),
    )
    scheduler: SchedulerName = shared.SCHEDULER
    noise_schedule: NoiseSchedule = shared.NOISE_SCHEDULE
    shift: float = shared.SHIFT
    loras: list[LoraModel] = shared.LORAS
    ip_adapter_model: IPAdapterModel = shared.IP_ADAPTER_MODEL
    ip_adapter_image: ImageRef | None = shared.IP_ADAPTER_IMAGE
    ip_adapter_scale: float = shared.IP_ADAPTER_SCALE
    ip_adapters: list[IPAdapterUnit] = shared.IP_ADAPTERS
    controlnet: ControlNetModel = shared.CONTROLNET
    control_image: ImageRef | None = shared.CONTROL_IMAGE
    controlnet_conditioning_scale: float = shared.CONTROL_SCALE
    control_mode: int = shared.CONTROL_MODE
    controlnets: list[ControlNetUnit] = shared.CONTROLNETS
    guess_mode: bool = shared.GUESS_MODE
    prompt_2: str = shared.PROMPT_2
    prompt_syntax: PromptSyntax = shared.PROMPT_SYNTAX
    embeddings: list[EmbeddingModel] = shared.EMBEDDINGS
    clip_skip: int = shared.CLIP_SKIP
    max_sequence_length: int = shared.MAX_SEQUENCE_LENGTH
    negative_prompt_2: str = shared.NEGATIVE_PROMPT_2
    variation_seed: int = shared.VARIATION_SEED
    variation_strength: float = shared.VARIATION_STRENGTH
    seed_width: int = shared.SEED_WIDTH
    seed_height: int = shared.SEED_HEIGHT
    free_u: list[float] = shared.FREE_U
    num_images: int = shared.COUNT
    strength_mask: ImageRef | None = Field(
        default=None,
        description=(
            "In how many of the steps each part is painted, by its tone: white in all, black in"
            " none. What is not black is painted beside the mask; empty for white in the mask."
        ),
    )

    def process(self, context: Context) -> Images:
        source = source_image(context, self.image, "image")
        whole = (0, 0, *source.size)
        mask = Mask.of(
            _resized(source_image(context, self.mask_image, "mask_image", "L"), source),
            self.mask_grow,
            self.mask_blur,
        )
        strengths = strength_masks(self.strength_mask, source.size, context)
        for tones in strengths.values():
            mask = mask.with_part(tones)
        box = mask.region(self.crop_padding) if self.crop_to_mask else whole
        conditioning = Conditioning.of(self)
        aligned_images = {
            name: map_aligned(image, partial(_resized, other=source))
            for name, image in conditioning.aligned_images(context).items()
        }
        cropped_along: dict[str, Aligned] = {
            "mask_image": mask.paint,
            **strengths,
            **aligned_images,
        }
        wanted = self.property_values("strength", *GENERATION_PROPERTIES)
        wanted = with_few_steps(self, wanted, self.model, self.loras, context)
        with conditioned_pipeline(
            self.model_or_default(self.model), "inpainting", conditioning, context
        ) as lease:
            pipeline = lease.pipeline
            made = generate(
                lease,
                wanted | conditioning_arguments(pipeline, conditioning, context),
                noise=Noise.of(self),
                image=source.crop(box),
                aligned_images={
                    name: map_aligned(image, lambda one: one.crop(box))
                    for name, image in cropped_along.items()
                },
                count=self.num_images,
                restore_size=True,
                context=context,
            )
        region = source.crop(box)
        pasted = [
            mask.composite(source, _resized(image.convert("RGB"), region), box)
            for image in made.images
        ]
        return image_outputs(Generated(pasted, made.latents), context, source)


def _resized(image: Image.Image, other: Image.Image) -> Image.Image:
    """Return the image in the size of another one."""
    from PIL import Image as Pillow

    return (
        image if image.size == other.size else image.resize(other.size, Pillow.Resampling.LANCZOS)
    )
