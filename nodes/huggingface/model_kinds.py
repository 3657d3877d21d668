"""
Kinds of models that properties take, besides those that every pack knows.

A kind says what a property expects; weights of every kind can be given to it, and what they are
good for is found out when they are loaded. The names are those that workflow files use.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from nodetool_core import ModelRef


class TextToImageModel(ModelRef):
    """A model that makes images from texts."""

    type: str = "hf.text_to_image"


class InpaintingModel(ModelRef):
    """A model that fills in what a mask covers."""

    type: str = "hf.inpainting"


class ControlNetModel(ModelRef):
    """
    A network that makes a model follow edges, depths or poses.

    A directory or repository of its own.
    """

    type: str = "hf.controlnet"


class IPAdapterModel(ModelRef):
    """
    An image prompt adapter: a safetensors file, named in `path` where it lies in a repository.
    """

    type: str = "hf.ip_adapter"


class AutoencoderModel(ModelRef):
    """An autoencoder between images and latents: one of its own, or a model that has one."""

    type: str = "hf.vae"


class DenoiserModel(ModelRef):
    """The UNet or transformer of a model, alone: a file, a folder, or a model that has one."""

    type: str = "hf.denoiser"


class TextEncoderModel(ModelRef):
    """A text encoder of a model, alone: a file, a folder, or a model that has one."""

    type: str = "hf.text_encoder"


class UpscalerModel(ModelRef):
    """A network that enlarges images: a safetensors file."""

    type: str = "hf.real_esrgan"


class ReduxModel(ModelRef):
    """A prior that turns images into what a prompt would be."""

    type: str = "hf.redux"


class EmbeddingModel(ModelRef):
    """An embedding (textual inversion): vectors in the place of words, in a safetensors file."""

    type: str = "hf.embedding"


class DepthModel(ModelRef):
    """A network, or a pipeline of Marigold, that estimates depths."""

    type: str = "hf.depth_estimation"


class NormalsModel(ModelRef):
    """A pipeline of Marigold that estimates which way surfaces face."""

    type: str = "hf.normals_estimation"


class SegmentationModel(ModelRef):
    """A network that finds what each pixel belongs to."""

    type: str = "hf.image_segmentation"


class PoseModel(ModelRef):
    """A network that finds the joints of people."""

    type: str = "hf.pose_estimation"


class BackgroundModel(ModelRef):
    """A network that tells what is in front from what is behind it."""

    type: str = "hf.background_removal"


class MattingModel(ModelRef):
    """A network that finds how much of each pixel at an edge is seen."""

    type: str = "hf.image_matting"


class MaskModel(ModelRef):
    """A network that masks what is at a place."""

    type: str = "hf.mask_generation"


class TextMaskModel(ModelRef):
    """A network that masks what a text names."""

    type: str = "hf.text_segmentation"


class DetectionModel(ModelRef):
    """A network that finds objects and the boxes around them."""

    type: str = "hf.object_detection"


class LoraModel(ModelRef):
    """A LoRA: a small change to another model, and how much of it to apply."""

    type: str = "hf.lora"
    scale: float = Field(
        default=1.0,
        ge=-10.0,
        le=10.0,
        description="How much of the change is applied; 0 applies nothing.",
    )
    text_encoder_scale: float | None = Field(
        default=None,
        ge=-10.0,
        le=10.0,
        description="The same for the text encoders; empty for that of `scale`.",
    )

    @property
    def text_scale(self) -> float:
        """How much of the change of the text encoders is applied."""
        return self.scale if self.text_encoder_scale is None else self.text_encoder_scale

    @model_validator(mode="before")
    @classmethod
    def _read_configuration(cls, value: object) -> object:
        """Read the form `{"lora": {…}, "strength": 0.5}` of the nearest tool's files as well."""
        if not isinstance(value, Mapping) or not isinstance(value.get("lora"), Mapping):
            return value
        kept = {
            name: part
            for name, part in value["lora"].items()
            if name in cls.model_fields and name != "type"
        }
        return {**kept, "scale": value.get("strength", 1.0)}
