"""An image and a prompt to another image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

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
    IPAdapterModel,
    LoraModel,
)
from nodes.huggingface.noise import Noise
from nodes.huggingface.pipelines import (
    Aligned,
    Generated,
    generate,
    kept_in_size,
    resized,
    say_that_size_is_kept,
    strength_masks,
)
from nodes.huggingface.prompts import GENERATION_PROPERTIES, PromptSyntax
from nodes.huggingface.regions import prompt_masks
from nodes.huggingface.tiled import generate_in_tiles
from nodes.huggingface.units import ControlNetUnit, IPAdapterUnit, PromptUnit
from nodetool_core import Context, Field, ImageRef, ImageToImageModel, Lane, Node
from nodetool_core.models.diffusers.noise_schedules import NoiseSchedule
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.context import Lease


class ImageToImage(DiffusionNode):
    """
    Transforms an image by a text prompt. The pipeline is chosen by the model: Stable Diffusion,
    SDXL, SD3, Flux, Kandinsky, …
    image, generation, image-to-image, autopipeline

    Use cases:
    - Transform existing images with any compatible model (Stable Diffusion, SDXL, Kandinsky, etc.)
    - Apply specific styles or concepts to photographs or artwork
    - Modify existing images based on text descriptions
    - Create variations of existing visual content with automatic pipeline selection
    - Change parts of an image more than others, by a mask of strengths
    """

    synonyms = ("img2img", "Image to Image", "KSampler", "Denoise Strength", "Restyle")

    default_model = DEFAULT_MODEL

    model: ImageToImageModel = Field(
        default=ImageToImageModel(),
        description="Model for image to image; empty for the small one that ships.",
    )
    prompt: str = Field(
        default="A beautiful landscape with mountains and a lake at sunset",
        description="Text prompt describing the desired image transformation.",
    )
    negative_prompt: str = shared.NEGATIVE_PROMPT
    image: ImageRef = Field(default=ImageRef(), description="Image to transform.")
    strength: float = Field(
        default=0.8,
        ge=0.0,
        le=1.0,
        description=(
            "How far the result may differ from the image (denoising strength): 0 keeps it, 1"
            " ignores it."
        ),
    )
    num_inference_steps: int = shared.STEPS
    guidance_scale: float = shared.GUIDANCE
    seed: int = shared.SEED
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
    prompts: list[PromptUnit] = shared.PROMPTS
    free_u: list[float] = shared.FREE_U
    num_images: int = shared.COUNT
    keep_size: Literal["no", "later", "resize", "tiles"] = shared.KEEP_SIZE
    strength_mask: ImageRef | None = shared.STRENGTH_MASK

    def process(self, context: Context) -> Images:
        source = source_image(context, self.image, "image")
        conditioning = Conditioning.of(self)
        prompts = self.prompts
        if prompts and self.keep_size == "tiles":
            context.warn("prompts is not used: tiles are made by `prompt` alone.")
            prompts = []
        wanted = self.property_values("strength", *GENERATION_PROPERTIES)
        wanted = with_few_steps(self, wanted, self.model, self.loras, context)
        with conditioned_pipeline(
            self.model_or_default(self.model), "image-to-image", conditioning, context
        ) as lease:
            wanted |= conditioning_arguments(lease.pipeline, conditioning, context)
            aligned = (
                conditioning.aligned_images(context)
                | strength_masks(self.strength_mask, source.size, context)
                | prompt_masks(prompts, context)
            )
            made = self._made(lease, wanted, source, aligned, prompts, context)
        return image_outputs(made, context, source)

    def _made(
        self,
        lease: Lease,
        wanted: Mapping[str, object],
        source: Image.Image,
        aligned: Mapping[str, Aligned],
        prompts: list[PromptUnit],
        context: Context,
    ) -> Generated:
        if self.keep_size == "tiles":
            return Generated(
                [
                    resized(
                        generate_in_tiles(
                            lease,
                            wanted,
                            image=source,
                            size=source.size,
                            aligned_images=aligned,
                            noise=Noise.of(self).of_image(index),
                            progress_slice=(index, self.num_images),
                            context=context,
                        ),
                        source.size,
                    )
                    for index in range(self.num_images)
                ]
            )
        keeps = self.keep_size == "resize"
        if keeps:
            say_that_size_is_kept(lease.pipeline, source, context)
        made = generate(
            lease,
            wanted,
            noise=Noise.of(self),
            image=source,
            aligned_images=aligned,
            prompts=prompts,
            count=self.num_images,
            restore_size=keeps or self.keep_size == "later",
            context=context,
        )
        return kept_in_size(made, source) if keeps else made


class LoadImageToImageModel(Node):
    """
    Names a model for image to image, so that several nodes can use the same one.
    huggingface, model, image-to-image

    Use cases:
    - Choose a model once and connect it to many nodes
    - Make the model an input of a workflow
    """

    synonyms = ("Checkpoint Loader", "CheckpointLoaderSimple")

    lane = Lane.INLINE

    repo_id: str = Field(
        default="runwayml/stable-diffusion-v1-5",
        description="Hub id such as `owner/name`, or a path on this machine.",
    )

    def process(self) -> Annotated[ImageToImageModel, "The reference to the model."]:
        return ImageToImageModel(repo_id=self.repo_id)


__all__ = ["DEFAULT_MODEL", "ImageToImage", "LoadImageToImageModel"]
