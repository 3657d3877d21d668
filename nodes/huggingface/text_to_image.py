"""Nodes that make images from texts alone."""

from __future__ import annotations

from typing import Annotated

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
)
from nodes.huggingface.few_steps import with_few_steps
from nodes.huggingface.model_kinds import (
    ControlNetModel,
    EmbeddingModel,
    IPAdapterModel,
    LoraModel,
    TextToImageModel,
)
from nodes.huggingface.noise import Noise
from nodes.huggingface.pipelines import generate
from nodes.huggingface.prompts import GENERATION_PROPERTIES, PromptSyntax
from nodes.huggingface.regions import prompt_masks
from nodes.huggingface.units import ControlNetUnit, IPAdapterUnit, PromptUnit
from nodetool_core import Context, Field, ImageRef, Lane, Node
from nodetool_core.models.diffusers.noise_schedules import NoiseSchedule
from nodetool_core.models.diffusers.scheduler_choice import SchedulerName
from nodetool_core.models.diffusers.sizes import wanted_size

_SIDE = "pixels; 0 for the model's native size. Rounded down to a multiple that the model supports."


class TextToImage(DiffusionNode):
    """
    Makes images from a text prompt. The pipeline is chosen by the model: Stable Diffusion, SDXL,
    SD3, Flux, Kandinsky, …
    image, generation, text-to-image, prompt, autopipeline

    Use cases:
    - Make an image from a description
    - Make several images of one prompt and choose
    - Follow edges, depths or a pose with a ControlNet
    - Make a first draft for image to image
    """

    synonyms = (
        "txt2img",
        "Text to Image",
        "KSampler",
        "CLIPTextEncode",
        "EmptyLatentImage",
        "Generate Image",
    )

    default_model = DEFAULT_MODEL

    model: TextToImageModel = Field(
        default=TextToImageModel(),
        description="The model to use; empty for the small one that ships.",
    )
    prompt: str = Field(
        default="A beautiful landscape with mountains and a lake at sunset",
        description="Text prompt describing the image.",
    )
    negative_prompt: str = shared.NEGATIVE_PROMPT
    num_inference_steps: int = shared.STEPS
    guidance_scale: float = shared.WIDE_GUIDANCE
    width: int = Field(default=0, ge=0, le=4096, description=f"Width of the image, in {_SIDE}")
    height: int = Field(default=0, ge=0, le=4096, description=f"Height of the image, in {_SIDE}")
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

    def process(self, context: Context) -> Images:
        conditioning = Conditioning.of(self)
        wanted = self.property_values(*GENERATION_PROPERTIES)
        wanted = with_few_steps(self, wanted, self.model, self.loras, context)
        with conditioned_pipeline(
            self.model_or_default(self.model), "text-to-image", conditioning, context
        ) as lease:
            pipeline = lease.pipeline
            made = generate(
                lease,
                wanted | conditioning_arguments(pipeline, conditioning, context),
                noise=Noise.of(self),
                aligned_images=conditioning.aligned_images(context, pipeline)
                | prompt_masks(self.prompts, context),
                prompts=self.prompts,
                size=wanted_size(pipeline, self.width, self.height, context.warn),
                count=self.num_images,
                context=context,
            )
        return image_outputs(made, context)


class LoadTextToImageModel(Node):
    """
    Names a model for text to image, so that several nodes can use the same one.
    huggingface, model, text-to-image

    Use cases:
    - Choose a model once and connect it to many nodes
    - Make the model an input of a workflow
    """

    synonyms = ("Checkpoint Loader", "CheckpointLoaderSimple", "Load Checkpoint")

    lane = Lane.INLINE

    repo_id: str = Field(
        default="", description="Hub id such as `owner/name`, or a path on this machine."
    )

    def process(self) -> Annotated[TextToImageModel, "The reference to the model."]:
        return TextToImageModel(repo_id=self.repo_id)
