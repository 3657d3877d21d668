"""Nodes that name what hangs on a model, so that several nodes can use the same."""

from __future__ import annotations

from typing import Annotated

from nodes.huggingface.model_kinds import (
    AutoencoderModel,
    ControlNetModel,
    IPAdapterModel,
    LoraModel,
    UpscalerModel,
)
from nodetool_core import Field, Lane, Node

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

    lane = Lane.INLINE

    repo_id: str = Field(description=_REPO)
    variant: str = Field(default="", description="Weight variant such as `fp16`.")

    def process(self) -> Annotated[ControlNetModel, "The reference to the ControlNet."]:
        return ControlNetModel(repo_id=self.repo_id, variant=self.variant or None)


class LoadIPAdapter(Node):
    """
    Names an IP adapter. Its image encoder is looked for in the folder `image_encoder` beside its
    file.
    huggingface, model, ip-adapter, image prompt

    Use cases:
    - Use the same image prompt adapter in several nodes
    """

    lane = Lane.INLINE

    repo_id: str = Field(default="h94/IP-Adapter", description=_REPO)
    path: str = Field(default="models/ip-adapter_sd15.safetensors", description=_FILE, place="file")

    def process(self) -> Annotated[IPAdapterModel, "The reference to the adapter."]:
        return IPAdapterModel(repo_id=self.repo_id, path=self.path or None)


class LoadVAE(Node):
    """
    Names an autoencoder.
    huggingface, model, vae, autoencoder

    Use cases:
    - Encode and decode with the same autoencoder
    """

    lane = Lane.INLINE

    repo_id: str = Field(default="stabilityai/sd-vae-ft-mse", description=_REPO)

    def process(self) -> Annotated[AutoencoderModel, "The reference to the autoencoder."]:
        return AutoencoderModel(repo_id=self.repo_id)


class LoadUpscaler(Node):
    """
    Names a network that enlarges images.
    huggingface, model, upscale, real-esrgan

    Use cases:
    - Use the same network in several nodes
    """

    lane = Lane.INLINE

    repo_id: str = Field(default="nodetool/tiny-upscaler", description=_REPO)
    path: str = Field(default="", description=_FILE, place="file")

    def process(self) -> Annotated[UpscalerModel, "The reference to the network."]:
        return UpscalerModel(repo_id=self.repo_id, path=self.path or None)
