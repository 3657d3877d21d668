"""Nodes that turn an image into another by a prompt."""

from __future__ import annotations

from typing import Annotated, Any

from nodes.huggingface.pipelines import generate
from nodetool_core import Context, Field, ImageRef, ImageToImageModel, Lane, Node, NodeError, Sources

DEFAULT_MODEL = "nodetool/tiny-landscapes"
"""The model where none is set: small, trained on landscapes, ships with the pack."""


class ImageToImage(Node):
    """
    Transforms existing images based on text prompts using AutoPipeline for Image-to-Image.
    This node automatically detects the appropriate pipeline class based on the model used.
    image, generation, image-to-image, autopipeline

    Use cases:
    - Transform existing images with any compatible model (Stable Diffusion, SDXL, Kandinsky, etc.)
    - Apply specific styles or concepts to photographs or artwork
    - Modify existing images based on text descriptions
    - Create variations of existing visual content with automatic pipeline selection
    """

    lane = Lane.DEVICE

    model: ImageToImageModel = Field(default=ImageToImageModel(), description="The HuggingFace model to use for image-to-image generation.")
    prompt: str = Field(
        default="A beautiful landscape with mountains and a lake at sunset",
        description="Text prompt describing the desired image transformation.",
    )
    negative_prompt: str = Field(default="", description="Text prompt describing what should not appear in the generated image.")
    image: ImageRef = Field(default=ImageRef(), description="The input image to transform")
    strength: float = Field(
        default=0.8,
        ge=0.0,
        le=1.0,
        description="Strength of the transformation. Higher values allow for more deviation from the original image.",
    )
    num_inference_steps: int = Field(default=25, ge=1, le=100, description="Number of denoising steps.")
    guidance_scale: float = Field(
        default=7.5, ge=1.0, le=20.0, description="Guidance scale for generation. Higher values follow the prompt more closely."
    )
    seed: int = Field(default=-1, ge=-1, seed=True, description="Seed for the random number generator. Use -1 for a random seed.")

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        # Also where another model is set or comes over an edge: it may be an empty reference, which means the default.
        return str(sources.revision(ImageToImageModel(repo_id=DEFAULT_MODEL)))

    def process(self, context: Context) -> Annotated[ImageRef, "The transformed image, RGB."]:
        if self.image.is_empty():
            raise NodeError(
                "has no image to transform.", "Connect an image to `image`, or set it to a path.", code="missing_image", where="image"
            )
        source = context.image(self.image, "RGB")
        model = ImageToImageModel(repo_id=DEFAULT_MODEL) if self.model.is_empty() else self.model
        wanted = {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "strength": self.strength,
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scale,
        }
        with context.models.use(model, "image-to-image", context=context) as pipeline:
            return context.picture(generate(pipeline, wanted, seed=self.seed, image=source, context=context))


class LoadImageToImageModel(Node):
    """
    Names a model for image to image, so that several nodes can use the same one.
    huggingface, model, image-to-image

    Use cases:
    - Choose a model once and connect it to many nodes
    - Make the model an input of a workflow
    """

    lane = Lane.INLINE

    repo_id: str = Field(default="runwayml/stable-diffusion-v1-5", description="Hub id such as `owner/name`, or a path on this machine.")

    def process(self) -> Annotated[ImageToImageModel, "The reference to the model."]:
        return ImageToImageModel(repo_id=self.repo_id)
