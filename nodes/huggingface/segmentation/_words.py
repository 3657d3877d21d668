"""What a text names, and what detectors know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from nodes.huggingface.diffusion import DiffusionNode, source_image
from nodes.huggingface.model_kinds import DetectionModel, TextMaskModel
from nodes.huggingface.networks import model_unfit, network_output
from nodes.huggingface.segmentation._cutout import Cutout, cut_out, mask_of, phrases_of, tokens_of
from nodetool_core import Context, Field, ImageRef, NodeError

if TYPE_CHECKING:
    from nodetool_core.models.components.networks import ModelPart

TEXT_MASK_MODEL: Final = "CIDAS/clipseg-rd64-refined"
DETECTION_MODEL: Final = "google/owlv2-base-patch16-ensemble"

_WORDS: Final = 16
"""The words, as tokens, that OWL-ViT reads of a label."""


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
    Finds objects and the boxes around them. OWL-ViT and OWLv2 find what `text` names in words;
    other detectors of transformers (RT-DETR, DETR, YOLOS) find their own classes.
    image, detection, object, boxes, owl, detr, yolo, find, count

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
            "What is looked for, with commas between: in words for OWL-ViT, which needs some, and"
            " as the network calls it for others, which find all they know where this is empty."
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
            part = lease.part
            find = getattr(part.processor, "post_process_object_detection", None)
            if "ForObjectDetection" not in type(part.model).__name__ or find is None:
                raise model_unfit(part.model, "finds no boxes", "a detector", DETECTION_MODEL)
            reads = "Owl" in type(part.model).__name__
            names = self._names(part, reads)
            words = tokens_of(part, names, DETECTION_MODEL, _WORDS) if reads else {}
            output = network_output(part, source, words)
            size = torch.tensor([[source.height, source.width]])
            (found,) = find(output, threshold=self.threshold, target_sizes=size)
            boxes, numbers = found["boxes"].tolist(), found["labels"].tolist()
            objects = sorted(
                zip(found["scores"].tolist(), numbers, boxes, strict=True), key=lambda one: -one[0]
            )
        return self._found(objects, names, source.size, context)

    def _names(self, part: ModelPart, reads: bool) -> list[str]:
        """Return what each number of a class means; empty for one that is not looked for."""
        if reads:
            return phrases_of(self.text, "text")
        known = {int(number): str(name) for number, name in part.model.config.id2label.items()}
        names = [known.get(number, str(number)) for number in range(max(known) + 1)]
        if not self.text.strip():
            return names
        wanted = {phrase.lower() for phrase in phrases_of(self.text, "text")}
        unknown = wanted - {name.lower() for name in names}
        if unknown:
            raise NodeError(
                f"The model knows no {', '.join(sorted(unknown))}.",
                f"It knows {', '.join(names[:40])}" + ("." if len(names) <= 40 else ", …"),
                code="invalid_value",
                where="text",
            )
        return [name if name.lower() in wanted else "" for name in names]

    def _found(
        self,
        objects: list[tuple[float, int, list[float]]],
        names: list[str],
        size: tuple[int, int],
        context: Context,
    ) -> Found:
        from PIL import Image as Pillow

        width, height = size
        mask = Pillow.new("L", size)
        found = Found([], [], [], ImageRef())
        for score, number, box in objects:
            if number >= len(names) or not names[number] or len(found.boxes) == self.limit:
                continue
            left, right = (min(max(edge, 0.0), float(width)) for edge in box[::2])
            top, bottom = (min(max(edge, 0.0), float(height)) for edge in box[1::2])
            mask.paste(255, (int(left), int(top), round(right + 0.5), round(bottom + 0.5)))
            found.boxes.append([left, top, right, bottom])
            found.labels.append(names[number])
            found.scores.append(score)
        if not found.boxes:
            context.warn("Nothing was found: lower the threshold, or look for something else.")
        return found._replace(mask=context.image_from_pil(mask))
