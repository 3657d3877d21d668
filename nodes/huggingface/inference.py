"""Images from hosted models: Hugging Face's providers, or a server with the same API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from nodes.huggingface.diffusion import model_image
from nodetool_core import Context, Field, ImageData, ImageRef, Lane, Node, NodeError, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huggingface_hub import InferenceClient
    from PIL import Image

Provider = Literal["hf-inference", "fal-ai", "replicate", "together", "wavespeed"]

_HEADERED = ("", "hf-inference")
"""Providers that read the headers of the Inference API: Hugging Face's own, and endpoints."""


class HostedModel(Node):
    """Base of nodes with a hosted model: provider, key, retries, deadline, caching."""

    lane = Lane.NETWORK

    provider: Provider = Field(
        default="replicate",
        description=(
            "Provider that runs the model: the model's page on the Hub lists those that serve it."
        ),
    )
    model: str = Field(
        default="black-forest-labs/FLUX.1-Kontext-dev",
        description="Hub id of the model, such as owner/name.",
    )
    endpoint: str = Field(
        place="address",
        default="",
        max_length=2000,
        description=(
            "Address of a server that speaks the Inference API, such as an Inference Endpoint; then"
            " provider and model are not used. It gets the secret INFERENCE_TOKEN_ with the host's"
            " name, and no other."
        ),
    )
    prompt: str = Field(default="", description="What the image should become or show.")
    negative_prompt: str = Field(
        default="", description="What should not appear in the image; not every model reads it."
    )
    num_inference_steps: int | None = Field(
        default=None,
        ge=1,
        le=500,
        description=(
            "Denoising steps: more take longer and often look better. Empty for the model's own"
            " number."
        ),
    )
    guidance_scale: float | None = Field(
        default=None,
        ge=0.0,
        le=100.0,
        description="How closely the prompt is followed. Empty for the model's own value.",
    )
    seed: int = Field(
        default=-1,
        ge=-1,
        seed=True,
        description=(
            "Seed of the random generator, sent to the model modulo 2³¹. With -1 every run asks for"
            " a new image; with a number, an equal request is answered from the result cache and"
            " costs nothing."
        ),
    )
    send_seed: bool = Field(
        default=True,
        description=(
            "Off for a model that refuses a seed. What it makes can't be made again, so it is never"
            " taken from the result cache."
        ),
    )
    extra_parameters: dict[str, Any] | None = Field(
        default=None,
        description="Further parameters by name, as the model's page at the provider lists them.",
    )
    bill_to: str = Field(
        default="",
        max_length=200,
        description="Organization on Hugging Face that pays; empty for the owner of the token.",
    )
    use_cache: bool = Field(
        default=True,
        description=(
            "Whether the service may answer with what it made for an equal request (hf-inference"
            " and endpoints)."
        ),
    )
    wait_for_model: bool = Field(
        default=True,
        description=(
            "Whether the service should wait for a model that is not loaded, instead of refusing"
            " (hf-inference and endpoints)."
        ),
    )
    timeout: float = Field(
        default=300.0,
        ge=1.0,
        le=3600.0,
        description=(
            "Seconds that the call may take in all: attempts, queue, work, and fetching the result."
        ),
    )
    attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description=(
            "How often a request to a busy or loading service is tried. Accepted work is never"
            " requested twice."
        ),
    )

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        # Without a seed no two results are the same. Where that comes over an edge, it is not known
        # here.
        return "" if values.get("send_seed") is True else None

    async def _hosted(
        self,
        context: Context,
        task: str,
        inputs: Mapping[str, object],
        size: tuple[int, int] | None,
    ) -> ImageData:
        """
        Request an image.

        Args:
            task: The method of the client.
            inputs: Its arguments besides the common ones.
            size: The requested width and height; None for the model's own.
        """
        from nodes.huggingface._inference_call import hosted_image, target
        from nodes.services.waiting import Waiting

        asked = target(context, self.provider, self.model, self.endpoint)
        arguments: dict[str, object] = {**inputs} | {
            "negative_prompt": self.negative_prompt or None,
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scale,
        }
        extra = self._extra(arguments)
        bill_to = self.bill_to
        if bill_to and not asked.key.startswith("hf_"):
            context.warn(
                f"bill_to is not used: {asked.service} is paid with {asked.secret or 'no key'}."
            )
            bill_to = ""

        def ask(client: InferenceClient) -> Image.Image:
            # The one method takes further parameters by name, the other as a mapping.
            named = extra if task == "image_to_image" else {"extra_body": extra}
            found: Image.Image = getattr(client, task)(**arguments, **named)
            return found

        waiting = Waiting(context, asked.service, timeout=self.timeout, attempts=self.attempts)
        image = await hosted_image(
            waiting, asked, ask, headers=self._headers(asked.provider), bill_to=bill_to
        )
        if size is not None and image.size != size:
            made, wanted = f"{image.width} x {image.height}", f"{size[0]} x {size[1]}"
            context.warn(
                f"The size is not as requested: {asked.service} made {made} in place of {wanted}."
            )
        return context.image_from_pil(image)

    def _extra(self, arguments: dict[str, object]) -> dict[str, object]:
        extra = dict(self.extra_parameters or {})
        taken = sorted(extra.keys() & {*arguments, "prompt", "model", "seed", "image"})
        if taken:
            message = f"{', '.join(taken)}: set by properties of this node, or by the input."
            raise NodeError(
                message,
                "Take them out of extra_parameters.",
                code="invalid_value",
                where="extra_parameters",
            )
        if self.send_seed and self.seed >= 0:
            extra["seed"] = self.seed % 2**31
        return extra

    def _headers(self, provider: str) -> dict[str, str]:
        if provider not in _HEADERED:
            return {}
        return {
            "x-use-cache": str(self.use_cache).lower(),
            "x-wait-for-model": str(self.wait_for_model).lower(),
        }


class ImageToImage(HostedModel):
    """
    Transforms an image by a prompt with a model that runs elsewhere: at hf-inference, fal.ai,
    Replicate, Together, WaveSpeed, or on a server of your own. The image and the prompt leave this
    machine, and the provider is paid for it.
    huggingface, inference, hosted, image-to-image

    Use cases:
    - Edit photographs with models that are too large for this machine
    - Transfer a style, colorize, enlarge or retouch by instruction
    - Try a model before its weights are fetched
    """

    image: ImageRef = Field(
        default=ImageRef(),
        description="The image to transform. It is sent as PNG, without transparency.",
    )
    target_width: int | None = Field(
        default=None,
        ge=16,
        le=8192,
        description=(
            "Width of the result in pixels, with target_height. Not every model has a choice."
        ),
    )
    target_height: int | None = Field(
        default=None,
        ge=16,
        le=8192,
        description="Height of the result in pixels, with target_width.",
    )

    async def process(self, context: Context) -> Annotated[ImageRef, "The transformed image."]:
        import asyncio

        from nodetool_core.assets.encode import encode_image

        size = _size(self.target_width, self.target_height, "target_width", "target_height")
        image = await asyncio.to_thread(
            lambda: encode_image(model_image(context, self.image, "image"), "PNG")
        )
        target = None if size is None else {"width": size[0], "height": size[1]}
        return await self._hosted(
            context,
            "image_to_image",
            {"image": image, "prompt": self.prompt or None, "target_size": target},
            size,
        )


class TextToImage(HostedModel):
    """
    Makes an image from a prompt with a model that runs elsewhere: at hf-inference, fal.ai,
    Replicate, Together, WaveSpeed, or on a server of your own. The prompt leaves this machine, and
    the provider is paid for it.
    huggingface, inference, hosted, text-to-image

    Use cases:
    - Make images with models that are too large for this machine
    - Make a first image for an image-to-image workflow
    - Compare providers and models on one prompt
    """

    provider: Provider = Field(
        default="fal-ai",
        description=(
            "Who runs the model. Each provider has models of its own: the model's page on the Hub"
            " names them."
        ),
    )
    model: str = Field(
        default="black-forest-labs/FLUX.1-dev",
        description="Hub id of the model, such as owner/name.",
    )
    prompt: str = Field(description="What the image should show.")
    width: int | None = Field(
        default=None,
        ge=128,
        le=8192,
        description="Width in pixels, with height. Empty for the model's own size.",
    )
    height: int | None = Field(
        default=None, ge=128, le=8192, description="Height in pixels, with width."
    )
    scheduler: str = Field(
        default="",
        max_length=200,
        description="Name of another scheduler, where the model has a choice.",
    )

    async def process(self, context: Context) -> Annotated[ImageRef, "The image."]:
        size = _size(self.width, self.height, "width", "height")
        inputs = {
            "prompt": self.prompt,
            "width": self.width,
            "height": self.height,
            "scheduler": self.scheduler or None,
        }
        return await self._hosted(context, "text_to_image", inputs, size)


def _size(width: int | None, height: int | None, *names: str) -> tuple[int, int] | None:
    if width is not None and height is not None:
        return width, height
    if width is None and height is None:
        return None
    raise NodeError(
        f"{names[0]} and {names[1]} are given both or not at all.",
        code="invalid_value",
        where=names[width is not None],
    )
