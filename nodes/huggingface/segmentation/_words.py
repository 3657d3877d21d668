"""What a text names, and what detectors know."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.model_kinds import DetectionModel, TextMaskModel
from nodes.huggingface.networks import model_unfit, network_output
from nodes.huggingface.segmentation._cutout import Cutout, cut_out, mask_of, phrases_of, tokens_of
from nodes.huggingface.segmentation._detectors import DETECTION_MODEL, Detection, detections
from nodetool_core import Context, Field, ImageRef

TEXT_MASK_MODEL: Final = "CIDAS/clipseg-rd64-refined"


class MaskFromText(DiffusionNode):
    """
    Masks what a text names, such as `the sky`. Takes CLIPSeg networks. Masks are soft and follow
    shapes roughly: SelectObject with the box found, or RefineMatte, gives exact edges.
    image, segmentation, clipseg, text, mask, prompt

    Use cases:
    - Repaint or grade something that can be named
    - Find out whether something is in an image
    """

    synonyms = ("CLIPSeg", "Text to Mask", "Prompt Mask", "Grounded Segmentation", "txt2mask")

    model: TextMaskModel = Field(
        default=TextMaskModel(repo_id=TEXT_MASK_MODEL),
        description="A CLIPSeg network; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")
    text: str = Field(
        default="",
        description="What is masked, in English; several things with commas between them.",
    )
    threshold: float = Field(
        default=0.4,
        ge=0.0,
        le=1.0,
        description="How sure the network has to be; 0 gives how sure it is, as tones.",
    )

    def process(self, context: Context) -> Cutout:
        import torch

        source = source_image(context, self.image, "image")
        phrases = phrases_of(self.text, "text")
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            part = lease.part
            if "CLIPSeg" not in type(part.model).__name__:
                raise model_unfit(
                    part.model, "masks no texts", "a CLIPSeg network", TEXT_MASK_MODEL
                )
            words = tokens_of(part, phrases, TEXT_MASK_MODEL)
            output = network_output(part, [source] * len(phrases), words)
            odds = output.logits.float().reshape(len(phrases), *output.logits.shape[-2:])
            mask = mask_of(torch.sigmoid(odds).amax(dim=0), source.size)
        if self.threshold:
            least = round(self.threshold * 255)
            mask = mask.point(lambda tone: 255 * (tone >= least))
        return cut_out(mask, self.image, context)


class Found(NamedTuple):
    boxes: Annotated[
        list[list[float]],
        "The boxes [left, top, right, bottom] of what was found, in pixels, the surest first.",
    ]
    labels: Annotated[list[str], "What is in each box."]
    scores: Annotated[list[float], "How sure the network is of each, 0 to 1."]
    mask: Annotated[ImageRef, "White in the boxes, mode L."]


class FindObjects(DiffusionNode):
    """
    Finds objects and the boxes around them. OWL-ViT, OWLv2 and Grounding DINO find what `text`
    names in words; other detectors of transformers (RT-DETR, DETR, YOLOS) find their own classes.
    image, detection, object, boxes, owl, grounding dino, detr, yolo, find, count

    Use cases:
    - Count what is in a photo, or crop to it
    - Give the boxes to SelectObject, and mask each object
    """

    synonyms = (
        "Object Detection",
        "YOLO",
        "DETR",
        "OWL-ViT",
        "GroundingDINO",
        "Bounding Box Detector",
        "BBOX Detector",
    )

    model: DetectionModel = Field(
        default=DetectionModel(repo_id=DETECTION_MODEL),
        description="A detector; downloaded when first used.",
    )
    image: ImageRef = Field(default=ImageRef(), description="Image to look at.")
    text: str = Field(
        default="",
        description=(
            "What is looked for, with commas between: in words for OWL-ViT and Grounding DINO,"
            " which need some, and as the network calls it for others, which find all they know"
            " where this is empty."
        ),
    )
    threshold: float = Field(
        default=0.3, ge=0.0, le=1.0, description="How sure the network has to be of what it found."
    )
    limit: int = Field(
        default=100, ge=1, le=1000, description="How many objects are given at most."
    )

    def process(self, context: Context) -> Found:
        import torch

        source = source_image(context, self.image, "image")
        with context.models.use(self.model, "network", context=context) as lease, torch.no_grad():
            objects = detections(lease.part, source, self.text, self.threshold)
        return self._found(objects[: self.limit], source.size, context)

    def _found(self, objects: list[Detection], size: tuple[int, int], context: Context) -> Found:
        from PIL import Image as Pillow

        width, height = size
        mask = Pillow.new("L", size)
        found = Found([], [], [], ImageRef())
        for score, label, box in objects:
            left, right = (min(max(edge, 0.0), float(width)) for edge in box[::2])
            top, bottom = (min(max(edge, 0.0), float(height)) for edge in box[1::2])
            mask.paste(255, (int(left), int(top), round(right + 0.5), round(bottom + 0.5)))
            found.boxes.append([left, top, right, bottom])
            found.labels.append(label)
            found.scores.append(score)
        if not found.boxes:
            context.warn("Nothing was found: lower the threshold, or look for something else.")
        return found._replace(mask=context.image_from_pil(mask))
