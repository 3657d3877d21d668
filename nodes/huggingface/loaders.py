"""Nodes that name what hangs on a model, so that several nodes can use the same."""

from __future__ import annotations

from typing import Annotated, Literal

from nodes.huggingface import diffusion as shared
from nodes.huggingface.model_kinds import (
    AutoencoderModel,
    ControlNetModel,
    DenoiserModel,
    IPAdapterModel,
    LoraModel,
    TextEncoderModel,
    TextToImageModel,
    UpscalerModel,
)
from nodes.huggingface.units import ControlNetUnit, IPAdapterUnit
from nodetool_core import Field, ImageRef, Lane, ModelRef, Node
from nodetool_core.references import (
    Attention,
    EncoderQuantization,
    NumberFormat,
    Quantization,
    StepCache,
)

_UNSET = ("none", "default")
"""Choices that leave a property of a model as it is."""

_REPO = "Hub id such as `owner/name`, or a path on this machine."
_FILE = "The safetensors file in it; empty where there is one alone."


class LoadLora(Node):
    """
    Names a LoRA and how much of it to apply. Chain several: each adds itself to those before it.
    huggingface, model, lora

    Use cases:
    - Use the same LoRAs in several nodes
    - Make a LoRA and its scale inputs of a workflow
    """

    synonyms = ("LoraLoader", "LoRA Stack", "Load LoRA")

    lane = Lane.INLINE

    repo_id: str = Field(description=_REPO)
    path: str = Field(default="", description=_FILE, place="file")
    scale: float = Field(
        default=1.0,
        ge=-10.0,
        le=10.0,
        description="How much of the LoRA is applied; 0 applies nothing.",
    )
    loras: list[LoraModel] = Field(default=[], description="LoRAs that are there already.")

    def process(self) -> Annotated[list[LoraModel], "The LoRAs that were there, and this one."]:
        return [
            *self.loras,
            LoraModel(repo_id=self.repo_id, path=self.path or None, scale=self.scale),
        ]


class LoadControlNet(Node):
    """
    Names a ControlNet.
    huggingface, model, controlnet

    Use cases:
    - Use the same ControlNet in several nodes
    """

    synonyms = ("ControlNetLoader", "Load ControlNet Model")

    lane = Lane.INLINE

    repo_id: str = Field(description=_REPO)
    variant: str = Field(default="", description="Weight variant such as `fp16`.")

    def process(self) -> Annotated[ControlNetModel, "The reference to the ControlNet."]:
        return ControlNetModel(repo_id=self.repo_id, variant=self.variant or None)


class ApplyControlNet(Node):
    """
    Gives a ControlNet or a T2I-Adapter its image, its scale, and the steps in which it acts. Chain
    several: each adds itself to those before it.
    huggingface, model, controlnet, t2i-adapter, union, strength, start, end

    Use cases:
    - Follow edges and depths at once
    - Have a pose count in the first half of the steps alone
    - Follow several images with one union network, each by its kind
    """

    synonyms = ("ControlNetApply", "ControlNetApplyAdvanced", "T2I-Adapter")

    lane = Lane.INLINE

    controlnet: ControlNetModel = Field(description="The ControlNet, or a T2I-Adapter.")
    image: ImageRef = Field(description="Edges, depth, a pose, …: what it follows.")
    scale: float = Field(
        default=1.0,
        ge=0.0,
        le=2.0,
        description="How closely the image is followed; 0 has no effect.",
    )
    start: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="The share of the steps after which it begins to act.",
    )
    end: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="The share of the steps after which it no longer acts.",
    )
    mode: int = shared.CONTROL_MODE
    controlnets: list[ControlNetUnit] = Field(
        default=[], description="ControlNets that are there already."
    )

    def process(
        self,
    ) -> Annotated[list[ControlNetUnit], "The ControlNets that were there, and this one."]:
        unit = ControlNetUnit(
            self.controlnet, self.image, self.scale, self.start, self.end, self.mode
        )
        return [*self.controlnets, unit]


class LoadIPAdapter(Node):
    """
    Names an IP adapter. Its image encoder is looked for in the folder `image_encoder` beside its
    file.
    huggingface, model, ip-adapter, image prompt

    Use cases:
    - Use the same image prompt adapter in several nodes
    """

    synonyms = ("IPAdapterModelLoader", "IPAdapterUnifiedLoader")

    lane = Lane.INLINE

    repo_id: str = Field(default="h94/IP-Adapter", description=_REPO)
    path: str = Field(default="models/ip-adapter_sd15.safetensors", description=_FILE, place="file")

    def process(self) -> Annotated[IPAdapterModel, "The reference to the adapter."]:
        return IPAdapterModel(repo_id=self.repo_id, path=self.path or None)


class ApplyIPAdapter(Node):
    """
    Gives an IP adapter its image, its scale, and the part of the result in which it counts. Chain
    several: each adds itself to those before it.
    huggingface, model, ip-adapter, image prompt, mask, attention mask

    Use cases:
    - Take the style of one image and the face of another
    - Have each image count in a part of the result
    """

    synonyms = ("IPAdapterApply", "Image Prompt", "Style Reference")

    lane = Lane.INLINE

    ip_adapter: IPAdapterModel = Field(
        description="The adapter; all of a list see with the same image encoder."
    )
    image: ImageRef = Field(description="The image that serves as a prompt.")
    scale: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="How closely the image is followed; 0 has no effect.",
    )
    mask: ImageRef | None = Field(
        default=None,
        description=(
            "White where the image counts; empty for everywhere. Stable Diffusion and SDXL."
        ),
    )
    ip_adapters: list[IPAdapterUnit] = Field(
        default=[], description="IP adapters that are there already."
    )

    def process(
        self,
    ) -> Annotated[list[IPAdapterUnit], "The IP adapters that were there, and this one."]:
        return [
            *self.ip_adapters,
            IPAdapterUnit(self.ip_adapter, self.image, self.scale, self.mask),
        ]


class LoadVAE(Node):
    """
    Names an autoencoder.
    huggingface, model, vae, autoencoder

    Use cases:
    - Encode and decode with the same autoencoder
    """

    synonyms = ("VAELoader", "Load VAE")

    lane = Lane.INLINE

    repo_id: str = Field(default="stabilityai/sd-vae-ft-mse", description=_REPO)

    def process(self) -> Annotated[AutoencoderModel, "The reference to the autoencoder."]:
        return AutoencoderModel(repo_id=self.repo_id)


class AssembleModel(Node):
    """
    Names a model in parts: a denoiser, text encoders and an autoencoder over a base that has what
    they don't give.
    huggingface, model, checkpoint, unet, transformer, text encoder, vae, gguf

    Each part is a file (safetensors, also with 8-bit weights and scales, or GGUF with the extra
    `gguf`), the folder of a component, a Hub id, or a checkpoint, of which the component is taken.
    The base is a Hub id, a folder in diffusers form, of which the weights that parts give may be
    missing, a checkpoint, or the name of a family such as `sdxl`. Empty, it is the family of the
    denoiser. A text encoder finds its place by what it is; among equal ones the order counts.

    Use cases:
    - Use a denoiser with the text encoders and the autoencoder that you have already
    - Give a checkpoint another autoencoder
    - Run a GGUF file
    """

    synonyms = ("UNETLoader", "CLIPLoader", "DualCLIPLoader", "Load Diffusion Model")

    lane = Lane.INLINE

    base: TextToImageModel = Field(
        default=TextToImageModel(),
        description="What gives the rest: a Hub id, a folder, a checkpoint or a family.",
    )
    denoiser: DenoiserModel = Field(
        default=DenoiserModel(), description="The UNet or transformer; empty for that of the base."
    )
    text_encoders: list[TextEncoderModel] = Field(
        default=[], description="Text encoders; those that are not given are those of the base."
    )
    vae: AutoencoderModel = Field(
        default=AutoencoderModel(), description="The autoencoder; empty for that of the base."
    )

    def process(self) -> Annotated[TextToImageModel, "The model, for any node that takes one."]:
        return self.base.model_copy(
            update={
                "denoiser": _plain(self.denoiser) or self.base.denoiser,
                "text_encoders": tuple(
                    one for given in self.text_encoders if (one := _plain(given))
                )
                or self.base.text_encoders,
                "vae": _plain(self.vae) or self.base.vae,
            }
        )


class ModelOptions(Node):
    """
    Says how a model is loaded and computed: number format, quantization, step cache, attention.
    huggingface, model, dtype, fp16, fp8, int8, int4, quantization, cache, attention, compile, speed

    What a family can't take, or is not installed, is refused by name before anything is loaded.

    Use cases:
    - Fit a large model into a small card
    - Trade a little fidelity for speed
    - Compute a model in float32 whose numbers overflow
    """

    synonyms = ("Quantization", "Precision", "Model Sampling", "Attention")

    lane = Lane.INLINE

    model: TextToImageModel = Field(description="The model.")
    dtype: Literal["default", NumberFormat] = Field(
        default="default", description="Number format to compute in; the device's own by default."
    )
    variant: str = Field(default="", description="Weight variant such as `fp16`.")
    quantization: Literal["none", Quantization] = Field(
        default="none",
        description=(
            "What the denoiser's weights are kept in: `fp8`, or rounded by torchao or quanto."
        ),
    )
    encoder_quantization: Literal["none", EncoderQuantization] = Field(
        default="none", description="What the text encoders' weights are rounded to."
    )
    step_cache: Literal["none", StepCache] = Field(
        default="none",
        description="How the transformer takes from earlier steps what changes little.",
    )
    attention: Literal["default", Attention] = Field(
        default="default", description="Code that computes attention in a transformer."
    )
    compile: bool = Field(
        default=False,
        description="Whether the denoiser is compiled: slower the first time, faster from then on.",
    )

    def process(self) -> Annotated[TextToImageModel, "The model, for any node that takes one."]:
        names = ("dtype", "quantization", "encoder_quantization", "step_cache", "attention")
        chosen: dict[str, object] = {name: getattr(self, name) for name in names}
        set_here = {name: value for name, value in chosen.items() if value not in _UNSET}
        if self.variant:
            set_here["variant"] = self.variant
        if self.compile:
            set_here["compile"] = True
        return self.model.model_copy(update=set_here)


def _plain(part: ModelRef) -> ModelRef | None:
    """Return a part as any reference has it; None where it is empty."""
    return None if part.is_empty() else part


class LoadUpscaler(Node):
    """
    Names a network that enlarges images.
    huggingface, model, upscale, real-esrgan

    Use cases:
    - Use the same network in several nodes
    """

    synonyms = ("UpscaleModelLoader", "Load Upscale Model", "Load Model", "ESRGAN")

    lane = Lane.INLINE

    repo_id: str = Field(default="nodetool/tiny-upscaler", description=_REPO)
    path: str = Field(default="", description=_FILE, place="file")

    def process(self) -> Annotated[UpscalerModel, "The reference to the network."]:
        return UpscalerModel(repo_id=self.repo_id, path=self.path or None)
