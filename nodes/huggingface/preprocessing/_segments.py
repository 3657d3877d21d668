"""What each pixel of an image belongs to."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from nodes._pixels import distinct_colour
from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.model_kinds import SegmentationModel
from nodes.huggingface.networks import model_unfit, network_output
from nodetool_core import Context, Field, ImageRef, NodeError

SEGMENTATION_MODEL = "nvidia/segformer-b0-finetuned-ade-512-512"


class Segments(NamedTuple):
    output: Annotated[ImageRef, "Each class in a colour of its own, RGB."]
    mask: Annotated[
        ImageRef,
        "White where the image shows `label`, mode L; black everywhere where that is empty.",
    ]
    labels: Annotated[list[str], "The classes that were found, the largest first."]


class SegmentImage(DiffusionNode):
    """
    Labels each pixel of an image (sky, water, tree, …), and masks one of the classes. Takes
    networks for semantic segmentation of transformers, such as SegFormer.
    image, segmentation, mask, controlnet, preprocessing

    Use cases:
    - Mask the sky, and paint another one
    - List what is to be seen in an image
    """

    synonyms = ("Semantic Segmentation", "SegFormer", "UniFormer", "Segmentation Map")

    model: SegmentationModel = Field(
        default=SegmentationModel(repo_id=SEGMENTATION_MODEL),
        description="A network for semantic segmentation; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")
    label: str = Field(
        default="", description="Class that the mask shows, as the network calls it, such as `sky`."
    )

    def process(self, context: Context) -> Segments:
        import numpy as np
        import torch
        from PIL import Image

        source = source_image(context, self.image, "image")
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            part = lease.part
            scores = getattr(network_output(part, source), "logits", None)
            if scores is None or scores.dim() != 4:
                raise model_unfit(
                    part.model,
                    "finds no segments",
                    "a network for semantic segmentation",
                    SEGMENTATION_MODEL,
                )
            names = {int(number): str(name) for number, name in part.model.config.id2label.items()}
            large = torch.nn.functional.interpolate(
                scores.float(), (source.height, source.width), mode="bilinear"
            )
            classes = large.argmax(dim=1)[0].cpu().numpy()
        counts = np.bincount(classes.ravel(), minlength=len(names))
        output = [names[number] for number in np.argsort(-counts, kind="stable") if counts[number]]
        wanted = [
            number
            for number, name in names.items()
            if self.label and name.lower() == self.label.lower()
        ]
        if self.label and not wanted:
            raise NodeError(
                f"The model knows no {self.label!r}.",
                f"It sees {', '.join(output)}.",
                code="invalid_value",
                where="label",
            )
        if wanted and not counts[wanted].any():
            context.warn(f"label: there is no {self.label!r} in the image, so the mask is black.")
        colours = np.array([distinct_colour(number) for number in range(len(names))], np.uint8)
        mask = Image.fromarray(np.isin(classes, wanted).astype(np.uint8) * 255)
        return Segments(
            context.image_from_pil(Image.fromarray(colours[classes])),
            context.image_from_pil(mask),
            output,
        )
