"""Between images and latents."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from nodes.huggingface.diffusion import DEFAULT_MODEL, DiffusionNode, source_image
from nodes.huggingface.latents import Latents
from nodes.huggingface.model_kinds import AutoencoderModel
from nodetool_core import Context, Field, ImageRef, NodeError
from nodetool_core.models.diffusers.latents import denormalized, normalized, vae_scale_factor


class Encoded(NamedTuple):
    output: Annotated[
        Latents, "The latents, as a denoiser takes them; always the same for an image."
    ]


class VAEEncode(DiffusionNode):
    """
    Turns an image into latents with a model's autoencoder. Sides are cut down to a multiple of its
    factor.
    image, latents, vae, autoencoder, encode

    Use cases:
    - See what an autoencoder keeps of an image
    - Prepare latents for nodes that continue from them
    """

    synonyms = ("Image to Latent", "VAE Encode")

    default_model = DEFAULT_MODEL

    model: AutoencoderModel = Field(
        default=AutoencoderModel(), description="An autoencoder, or a model that has one."
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to encode.")

    def process(self, context: Context) -> Encoded:
        import torch

        source = source_image(context, self.image, "image")
        with (
            context.models.use(
                self.model_or_default(self.model), "network:vae", context=context
            ) as lease,
            torch.no_grad(),
        ):
            part = lease.part
            vae = _checked(part.model)
            factor = vae_scale_factor(vae)
            width, height = (side // factor * factor for side in source.size)
            if min(width, height) == 0:
                message = (
                    f"{source.width} x {source.height} pixels are too few: both sides have to be at"
                    f" least {factor}."
                )
                raise NodeError(
                    message, "Enlarge the image first.", code="image_too_small", where="image"
                )
            pixels = _tensor(source.crop((0, 0, width, height)), vae)
            encoded = vae.encode(pixels)
            found = (
                encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
            )
            return Encoded(Latents.of(normalized(vae, found.float())))


class VAEDecode(DiffusionNode):
    """
    Turns latents into an image with a model's autoencoder.
    image, latents, vae, autoencoder, decode

    Use cases:
    - See latents that another node gives
    - Decode with a better autoencoder than the model's own
    """

    synonyms = ("Latent to Image", "VAE Decode")

    default_model = DEFAULT_MODEL

    model: AutoencoderModel = Field(
        default=AutoencoderModel(), description="An autoencoder, or a model that has one."
    )
    latents: Latents | None = Field(
        description="Latents to decode, of the kind that the autoencoder makes."
    )

    def process(self, context: Context) -> Annotated[ImageRef, "The image, RGB."]:
        import torch

        if self.latents is None:
            hint = (
                "Connect the output `latents` of another node; some families of models show none."
            )
            raise NodeError("has no latents.", hint, code="missing_latents", where="latents")
        samples = self.latents.samples
        with (
            context.models.use(
                self.model_or_default(self.model), "network:vae", context=context
            ) as lease,
            torch.no_grad(),
        ):
            part = lease.part
            vae = _checked(part.model)
            channels = vae.config.get("latent_channels")
            if samples.dim() != 4 or samples.shape[1] != channels:
                message = (
                    f"The latents have {samples.shape[1]} channels, and the autoencoder takes"
                    f" {channels}."
                )
                raise NodeError(
                    message,
                    "Use the autoencoder of the model that made them.",
                    code="model_unfit",
                    where="model",
                )
            ready = denormalized(vae, samples.to(vae.device)).to(vae.dtype)
            return context.image_from_pil(_image(vae.decode(ready, return_dict=False)[0]))


def _checked(vae: Any) -> Any:
    if not (
        hasattr(vae, "encode") and hasattr(vae, "decode") and vae.config.get("latent_channels")
    ):
        hint = "Choose an autoencoder such as stabilityai/sd-vae-ft-mse, or a model that has one."
        raise NodeError(
            f"{type(vae).__name__} is no autoencoder of images.",
            hint,
            code="model_unfit",
            where="model",
        )
    return vae


def _tensor(image: Any, vae: Any) -> Any:
    """Return pixels in -1…1, (1, 3, height, width)."""
    import numpy as np
    import torch

    pixels = torch.from_numpy(np.array(image, dtype=np.float32) / 127.5 - 1).movedim(-1, 0)[None]
    return pixels.to(vae.device, vae.dtype)


def _image(pixels: Any) -> Any:
    import torch
    from PIL import Image

    tones = ((pixels[0].float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(tones.movedim(0, -1).cpu().numpy())
