"""
What nodes with a diffusion model share: lane, properties, and images in and out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple

from nodes._pixels import with_profile
from nodes.huggingface.latents import Latents
from nodes.huggingface.model_kinds import ControlNetModel, IPAdapterModel
from nodetool_core import Field, ImageRef, Lane, ModelRef, Node, NodeError

if TYPE_CHECKING:
    from PIL import Image

    from nodes.huggingface.pipelines import Generated
    from nodetool_core import Context, Sources

DEFAULT_MODEL: Final = "nodetool/tiny-landscapes"
"""The default model: small, trained on landscapes, ships with the pack."""

NEGATIVE_PROMPT = Field(
    default="", description="Text prompt describing what should not appear in the generated image."
)
PROMPT_2 = Field(
    default="",
    description=(
        "Prompt for the second text encoder, where the model has one (SDXL, SD3, FLUX.1); empty for"
        " the same."
    ),
)
NEGATIVE_PROMPT_2 = Field(
    default="",
    description="Negative prompt for the second text encoder; empty for the same.",
)
PROMPT_SYNTAX = Field(
    default="plain",
    description=(
        "How prompts are read: as they are, or with weights `(x:1.3)` and `[x]`, changes between"
        " steps `[x:y:0.5]` and `[x|y]`, sections by `BREAK`, `embedding:name`, and at any length"
        " (Stable Diffusion 1, 2 and XL)."
    ),
)
EMBEDDINGS = Field(
    default=[],
    description=(
        "Embeddings (textual inversions) that prompts name as `embedding:name`, by the names of"
        " their files; with the weighted syntax. Others are looked for in the folders of models."
    ),
)
CLIP_SKIP = Field(
    default=0,
    ge=0,
    le=11,
    description=(
        "Number of last layers of the CLIP text encoder that are left out; for Stable Diffusion 1,"
        " 1 is what other programs call a clip skip of 2."
    ),
)
MAX_SEQUENCE_LENGTH = Field(
    default=0,
    ge=0,
    le=2048,
    description=(
        "Tokens of a prompt that the text encoder reads, for models that let it be chosen (SD3,"
        " FLUX.1, …); 0 for the model's own number."
    ),
)
PROMPTS = Field(
    default=[],
    description=(
        "Further prompts, each with its part of the image, its strength and its share of the noise"
        " (AddPrompt); where `prompt` is empty, they count alone. Stable Diffusion 1, 2 and XL."
    ),
)
STEPS = Field(
    default=25,
    ge=1,
    le=100,
    description="Number of denoising steps; more take longer and often look better.",
)
GUIDANCE = Field(
    default=7.5,
    ge=0.0,
    le=20.0,
    description=(
        "Guidance scale for generation. Higher values follow the prompt more closely; up to 1 there"
        " is no guidance."
    ),
)
WIDE_GUIDANCE = Field(
    default=7.5,
    ge=0.0,
    le=50.0,
    description=(
        "Guidance scale for generation. Higher values follow the prompt more closely; up to 1 there"
        " is no guidance."
    ),
)
SEED = Field(
    default=-1,
    ge=-1,
    le=2**64 - 1,
    seed=True,
    description="Seed for the random number generator. Use -1 for a random seed.",
)
VARIATION_SEED = Field(
    default=0,
    ge=0,
    le=2**64 - 1,
    description=(
        "Seed whose noise is mixed into that of `seed`, as far as `variation_strength` says. Of"
        " several images, the second has the next one, and all the same `seed`."
    ),
)
VARIATION_STRENGTH = Field(
    default=0.0,
    ge=0.0,
    le=1.0,
    description=(
        "How far the noise is that of `variation_seed`: small values vary the image of `seed`, 1"
        " makes that of the other seed."
    ),
)
SEED_WIDTH = Field(
    default=0,
    ge=0,
    le=8192,
    description=(
        "Width of an image whose noise is put into the middle of this one's, so that `seed` makes"
        " much the same in another size; 0 for none."
    ),
)
SEED_HEIGHT = Field(
    default=0,
    ge=0,
    le=8192,
    description="Height of that image; 0 where its width says it all.",
)
SCHEDULER = Field(
    default="default",
    description=(
        "Scheduler (sampler) of the denoising loop; `default` is the model's own."
        " DPMSolverSDEScheduler needs the extra `sde`."
    ),
)
NOISE_SCHEDULE = Field(
    default="default",
    description=(
        "How the noise falls from step to step: as the scheduler has it, by a schedule of Karras,"
        " exponentially, or by a beta distribution, whose steps are close at both ends."
    ),
)
SHIFT = Field(
    default=0.0,
    ge=0.0,
    le=100.0,
    description=(
        "Shift of the noise schedule of flow-matching models (SD3, FLUX, Qwen-Image, Z-Image):"
        " above 1, more of the steps go to the composition and fewer to detail; 0 for the model's"
        " own."
    ),
)
FREE_U = Field(
    default=[],
    description=(
        "FreeU's four numbers b1, b2, s1, s2: how much the UNet's backbone counts, and the skips"
        " beside it; such as 1.3, 1.4, 0.9, 0.2. Empty for none. Models with a UNet."
    ),
)
LORAS = Field(default=[], description="LoRAs to apply, each with its scale; 0 has no effect.")
IP_ADAPTER_MODEL = Field(
    default=IPAdapterModel(),
    description="IP adapter that makes the model follow `ip_adapter_image`; empty for none.",
)
IP_ADAPTER_IMAGE = Field(
    default=None, description="Image that serves as a prompt; needs `ip_adapter_model`."
)
IP_ADAPTER_SCALE = Field(
    default=0.5,
    ge=0.0,
    le=1.0,
    description="How closely `ip_adapter_image` is followed; 0 has no effect.",
)
IP_ADAPTERS = Field(
    default=[],
    description="Further IP adapters, each with its image, scale and mask (ApplyIPAdapter).",
)
CONTROLNET = Field(
    default=ControlNetModel(),
    description="ControlNet that makes the model follow `control_image`; empty for none.",
)
CONTROL_IMAGE = Field(
    default=None,
    description="Edges, depth, a pose, …: what the ControlNet, or a model made for it, follows.",
)
CONTROL_MODE = Field(
    default=-1,
    ge=-1,
    le=63,
    description=(
        "Kind of `control_image`, for ControlNets that take several (unions): the number on the"
        " network's page; -1 for all others."
    ),
)
CONTROL_SCALE = Field(
    default=1.0,
    ge=0.0,
    le=2.0,
    description="How closely the ControlNet follows `control_image`; 0 has no effect.",
)
CONTROLNETS = Field(
    default=[],
    description=(
        "Further ControlNets or T2I-Adapters, each with its image, scale, start and end"
        " (ApplyControlNet). All at once, where the family takes several."
    ),
)
GUESS_MODE = Field(
    default=False,
    description=(
        "Whether ControlNets make up for a prompt that says little, by acting on the guided half"
        " alone; Stable Diffusion and SDXL."
    ),
)
STRENGTH_MASK = Field(
    default=None,
    description=(
        "Where `strength` holds: white is changed as far as it says, black is kept, and grey"
        " lies between. Resized to the image."
    ),
)
KEEP_SIZE = Field(
    default="no",
    description=(
        "Whether the result has the size of `image` where a model can't take that. `no` warns that"
        " it has another one. `later` leaves the size to a node behind, such as TransferLight."
        " `resize` makes it smaller and resizes it. `tiles` makes it in overlapping tiles of the"
        " model's size."
    ),
)
COUNT = Field(
    default=1,
    ge=1,
    le=64,
    description="Number of images; the second has the next seed, and so on.",
)


class Images(NamedTuple):
    output: Annotated[
        ImageRef,
        "The image; the first of several. RGB, or RGBA from models that generate layers.",
    ]
    images: Annotated[list[ImageRef], "All images, in the order of their seeds."]
    latents: Annotated[
        Latents | None,
        "Latents of the last image, for a node that continues from them; none for families that do"
        " not expose them.",
    ]


class DiffusionNode(Node):
    """Base of nodes that run a model."""

    lane = Lane.DEVICE

    default_model: ClassVar[str] = ""
    """The model where the property `model` is empty."""

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        # The revision of each default that may be used. What is connected may be an empty
        # reference, which means the default; another model that is set counts as a value.
        named = []
        for name, prop in cls.spec.properties.items():
            default, value = prop.default, values.get(name)
            if isinstance(default, ModelRef) and (
                not value or value.is_empty() or value == default
            ):
                named.append(default)
                if name == "model":
                    named.append(ModelRef(repo_id=cls.default_model))
        return ", ".join(str(sources.revision(ref)) for ref in named if not ref.is_empty())

    def model_or_default(self, model: ModelRef) -> ModelRef:
        """Return the model, or the node's default where it is empty."""
        return (
            type(model)(repo_id=self.default_model)
            if model.is_empty() and self.default_model
            else model
        )

    def property_values(self, *names: str) -> dict[str, object]:
        """Return properties by name, for `generate`."""
        return {name: getattr(self, name) for name in names}


def source_image(
    context: Context, ref: ImageRef | None, name: str, mode: str = "RGB"
) -> Image.Image:
    """Return the pixels of a required input. Raises NodeError where it is empty."""
    if ref is None or ref.is_empty():
        message = f"has no {name.replace('_', ' ')}."
        raise NodeError(
            message,
            f"Connect an image to `{name}`, or set it to a path.",
            code="missing_image",
            where=name,
        )
    return model_image(context, ref, name, mode)


def model_image(context: Context, ref: ImageRef, name: str, mode: str = "RGB") -> Image.Image:
    """
    Return the pixels of an input in sRGB, which models were trained with.

    Warn where pixels are transparent and the mode has no alpha: they are put on white.
    """
    from nodetool_core.assets.modes import in_mode

    image = context.image(ref, "RGBA")
    if mode.endswith("A"):
        return in_mode(image, mode)
    if image.getchannel("A").getextrema() == (255, 255):
        return in_mode(image.convert("RGB"), mode)
    context.warn(
        f"{name} has transparent pixels; they are put on white, because the model sees no"
        " transparency."
    )
    return in_mode(image, mode)


def image_outputs(made: Generated, context: Context, source: Image.Image | None = None) -> Images:
    """
    Return the generated images as a node's outputs.

    They get an sRGB profile where `source` has one.
    """
    made_from = [image if source is None else with_profile(image, source) for image in made.images]
    images: list[ImageRef] = [context.image_from_pil(image) for image in made_from]
    return Images(images[0], images, made.latents)
