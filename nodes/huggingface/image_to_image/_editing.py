"""Editing an image by an instruction, and variations of it without any text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from nodes.huggingface import diffusion as shared
from nodes.huggingface.conditioning import Conditioning, conditioned_pipeline
from nodes.huggingface.diffusion import (
    DiffusionNode,
    Images,
    image_outputs,
    model_image,
    source_image,
)
from nodes.huggingface.few_steps import with_few_steps
from nodes.huggingface.model_kinds import EmbeddingModel, LoraModel, ReduxModel
from nodes.huggingface.noise import Noise
from nodes.huggingface.pipelines import (
    Generated,
    generate,
    kept_in_size,
    say_that_size_is_kept,
)
from nodes.huggingface.prompts import PromptSyntax
from nodetool_core import Context, Field, ImageRef, ImageToImageModel
from nodetool_core.models.diffusers.families import call_parameters, quirks_of
from nodetool_core.models.diffusers.noise_schedules import NoiseSchedule
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName
from nodetool_core.models.diffusers.sizes import Size, wanted_size

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core import ModelRef
    from nodetool_core.context import Pipeline

INSTRUCT_MODEL = "timbrooks/instruct-pix2pix"
_SIDE = "pixels; 0 for that of `image`. For models that make a result of another size."
VARIATION_MODEL = "lambdalabs/sd-image-variations-diffusers"


class EditByInstruction(DiffusionNode):
    """
    Edits an image by an instruction, and keeps the rest. Takes models for it: InstructPix2Pix for
    Stable Diffusion and SDXL, FLUX.1 Kontext, FLUX.2, Qwen-Image-Edit.
    image, edit, instruction, kontext, pix2pix, image-to-image

    Use cases:
    - Change the season, the weather or a colour by saying so
    - Add or remove something without drawing a mask
    - Put things from further images into the first one
    """

    synonyms = ("Instruct Edit", "InstructPix2Pix", "Kontext", "Qwen Image Edit", "Generative Edit")

    model: ImageToImageModel = Field(
        default=ImageToImageModel(repo_id=INSTRUCT_MODEL),
        description="A model that edits by instruction; downloaded when first used.",
    )
    prompt: str = Field(default="Make it winter", description="What to change.")
    negative_prompt: str = shared.NEGATIVE_PROMPT
    image: ImageRef = Field(default=ImageRef(), description="The image to change.")
    reference_images: list[ImageRef] | None = Field(
        default=None,
        description=("Further images that the instruction mentions, for models that take several."),
    )
    num_inference_steps: int = shared.STEPS
    guidance_scale: float = shared.WIDE_GUIDANCE
    width: int = Field(default=0, ge=0, le=4096, description=f"Width of the result, in {_SIDE}")
    height: int = Field(default=0, ge=0, le=4096, description=f"Height of the result, in {_SIDE}")
    image_guidance_scale: float = Field(
        default=1.5,
        ge=1.0,
        le=20.0,
        description="How closely the image is kept: higher keeps more. InstructPix2Pix alone.",
    )
    seed: int = shared.SEED
    scheduler: SchedulerName = shared.SCHEDULER
    noise_schedule: NoiseSchedule = shared.NOISE_SCHEDULE
    shift: float = shared.SHIFT
    loras: list[LoraModel] = shared.LORAS
    layers: int = Field(
        default=0,
        ge=0,
        le=16,
        description=(
            "Number of layers that the image is taken apart into: `images` are the layers of one"
            " image, the lowest first. Qwen-Image-Layered alone; 0 puts its layers together."
        ),
    )
    num_images: int = shared.COUNT
    keep_size: Literal["no", "resize"] = Field(
        default="no",
        description=(
            "Whether the result has the size of `image` where a model can't take that: `resize`"
            " makes it smaller and resizes it."
        ),
    )
    prompt_syntax: PromptSyntax = shared.PROMPT_SYNTAX
    embeddings: list[EmbeddingModel] = shared.EMBEDDINGS

    def process(self, context: Context) -> Images:
        source = source_image(context, self.image, "image")
        names = ["prompt", "negative_prompt", "num_inference_steps", "guidance_scale"]
        names += ["prompt_syntax", "embeddings"]
        if self.image_guidance_scale != self.spec.properties["image_guidance_scale"].default:
            names.append("image_guidance_scale")
        with conditioned_pipeline(self.model, "editing", Conditioning.of(self), context) as lease:
            pipeline = lease.pipeline
            references = [
                model_image(context, ref, "reference_images") for ref in self.reference_images or ()
            ]
            quirks = quirks_of(type(pipeline).__name__)
            if references and not any(quirk.reference_images for quirk in quirks):
                context.warn(
                    f"reference_images is not used: {type(pipeline).__name__} looks at one image."
                )
                references = []
            wanted = with_few_steps(
                self, self.property_values(*names), self.model, self.loras, context
            )
            wanted |= {"layers": self.layers} if self.layers else {}
            keeps = self.keep_size == "resize"
            if keeps:
                say_that_size_is_kept(pipeline, source, context)
            made = generate(
                lease,
                wanted,
                noise=Noise.of(self),
                image=source,
                size=self._size(context, pipeline, source),
                reference_images=references,
                count=1 if self.layers else self.num_images,
                restore_size=keeps,
                context=context,
            )
            if keeps:
                made = kept_in_size(made, source)
        return image_outputs(made, context, source)

    def _size(self, context: Context, pipeline: Pipeline, source: Image.Image) -> Size | None:
        """Return the size of the result where it is set; one side alone leaves the other's."""
        if not (self.width or self.height):
            return None
        if not {"width", "height"} <= call_parameters(type(pipeline)).keys():
            name = type(pipeline).__name__
            context.warn(f"width and height are not used: {name} makes the size of the image.")
            return None
        return Size(self.width or source.width, self.height or source.height)


class ImageVariation(DiffusionNode):
    """
    Makes images that resemble an image, without any prompt. Takes Stable Diffusion image variations
    and unCLIP, or any FLUX.1 together with the FLUX.1 Redux prior.
    image, variation, redux, unclip, image-to-image

    Use cases:
    - Make several images in the manner of one
    - Find out what a model sees in an image
    """

    synonyms = ("unCLIP", "Variations", "Redux")

    model: ImageToImageModel = Field(
        default=ImageToImageModel(repo_id=VARIATION_MODEL),
        description="A model for variations, or FLUX.1 where `redux` is set.",
    )
    redux: ReduxModel = Field(
        default=ReduxModel(),
        description="Redux prior that encodes the image for FLUX.1; empty for other models.",
    )
    image: ImageRef = Field(default=ImageRef(), description="The image to vary.")
    num_inference_steps: int = shared.STEPS
    guidance_scale: float = shared.WIDE_GUIDANCE
    width: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Width of the result, in pixels; 0 for the model's own.",
    )
    height: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Height of the result, in pixels; 0 for the model's own.",
    )
    seed: int = shared.SEED
    scheduler: SchedulerName = shared.SCHEDULER
    noise_schedule: NoiseSchedule = shared.NOISE_SCHEDULE
    num_images: int = shared.COUNT

    def process(self, context: Context) -> Images:
        source = source_image(context, self.image, "image")
        wanted = self.property_values("num_inference_steps", "guidance_scale")
        task = "variation"
        if not self.redux.is_empty():
            wanted |= _redux_embeddings(self.redux, source, context)
            task = "text-to-image"
        with conditioned_pipeline(self.model, task, Conditioning.of(self), context) as lease:
            pipeline = lease.pipeline
            if task == "variation":
                wanted["image"] = source
            made = generate(
                lease,
                wanted,
                noise=Noise.of(self),
                size=wanted_size(pipeline, self.width, self.height, context.warn),
                count=self.num_images,
                context=context,
            )
        return image_outputs(Generated(made.images, made.latents), context, source)


def _redux_embeddings(redux: ModelRef, image: Image.Image, context: Context) -> dict[str, object]:
    """Return what stands for a prompt, as the prior makes it from an image."""
    import torch

    with context.models.use(redux, "image-prior", context=context) as lease, torch.no_grad():
        # The published prior has no text encoders, and can't be given a text; one that has them has
        # to be.
        prior = lease.pipeline
        texts = {} if getattr(prior, "text_encoder", None) is None else {"prompt": ""}
        embeddings: Any = lease.run({"image": image, **texts})
        return {
            "prompt_embeds": embeddings.prompt_embeds,
            "pooled_prompt_embeds": embeddings.pooled_prompt_embeds,
        }
