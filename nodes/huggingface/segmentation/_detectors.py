"""What detectors of transformers find: things named in words, or the classes that they know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from nodes.huggingface.networks import model_unfit, network_output
from nodes.huggingface.segmentation._cutout import phrases_of, tokens_of
from nodetool_core import NodeError

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from nodetool_core.models.components.networks import ModelPart

DETECTION_MODEL: Final = "google/owlv2-base-patch16-ensemble"

_WORDS: Final = 16
"""The words, as tokens, that OWL-ViT reads of a label."""


class Detection(NamedTuple):
    score: float
    """How sure the network is, 0 to 1."""
    label: str
    box: list[float]
    """Left, top, right and bottom, in pixels."""


def detections(
    part: ModelPart, source: Image.Image, text: str, threshold: float
) -> list[Detection]:
    """
    Return what a detector finds in an image, the surest first.

    Args:
        text: What is looked for, with commas between. Detectors with classes of their own find all
            of them where it is empty.
        threshold: How sure the network has to be.
    """
    name = type(part.model).__name__
    find = getattr(part.processor, "post_process_object_detection", None)
    if "ForObjectDetection" not in name or find is None:
        raise model_unfit(part.model, "finds no boxes", "a detector", DETECTION_MODEL)
    if "GroundingDino" in name:
        found = _grounded(part, source, phrases_of(text, "text"), threshold)
    else:
        reads = "Owl" in name
        labels = phrases_of(text, "text") if reads else _classes(part, text)
        words = tokens_of(part, labels, DETECTION_MODEL, _WORDS) if reads else {}
        output = network_output(part, source, words)
        found = _decoded(find, output, labels, source.size, threshold)
    return sorted(found, key=lambda detection: -detection.score)


def _decoded(
    find: Callable[..., Sequence[Mapping[str, torch.Tensor]]],
    output: object,
    labels: list[str],
    size: tuple[int, int],
    threshold: float,
) -> list[Detection]:
    """Return the detections of a network's output that have a label."""
    import torch

    (found,) = find(output, threshold=threshold, target_sizes=torch.tensor([size[::-1]]))
    rows = zip(
        found["scores"].tolist(), found["labels"].tolist(), found["boxes"].tolist(), strict=True
    )
    return [
        Detection(score, labels[number], box)
        for score, number, box in rows
        if number < len(labels) and labels[number]
    ]


def _classes(part: ModelPart, text: str) -> list[str]:
    """Return what each number of a class means; empty for one that is not looked for."""
    known = {int(number): str(name) for number, name in part.model.config.id2label.items()}
    names = [known.get(number, str(number)) for number in range(max(known) + 1)]
    if not text.strip():
        return names
    wanted = {phrase.lower() for phrase in phrases_of(text, "text")}
    unknown = wanted - {name.lower() for name in names}
    if unknown:
        raise NodeError(
            f"The model knows no {', '.join(sorted(unknown))}.",
            f"It knows {', '.join(names[:40])}" + ("." if len(names) <= 40 else ", …"),
            code="invalid_value",
            where="text",
        )
    return [name if name.lower() in wanted else "" for name in names]


def _grounded(
    part: ModelPart, source: Image.Image, phrases: list[str], threshold: float
) -> list[Detection]:
    """
    Return the detections of Grounding DINO, which reads all phrases as one text.

    Its output says of each box and token of the text how well they go together. A box has the
    phrase whose best token goes with it best (S. Liu et al., Grounding DINO, 2023).
    """
    import torch

    phrases = [phrase.lower().replace(".", " ") for phrase in phrases]
    words = tokens_of(part, [". ".join(phrases) + "."], DETECTION_MODEL)
    spans = _spans(part, words["input_ids"][0], len(phrases))
    output = network_output(part, source, words)
    odds = torch.sigmoid(output.logits[0].float())
    fits = torch.stack([odds[:, first:stop].amax(dim=1) for first, stop in spans], dim=1)
    scores, numbers = fits.max(dim=1)
    x, y, width, height = output.pred_boxes[0].float().unbind(dim=1)
    edges = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=1)
    boxes = edges.cpu() * torch.tensor([*source.size, *source.size])
    rows = zip(scores.tolist(), numbers.tolist(), boxes.tolist(), strict=True)
    return [
        Detection(score, phrases[number], box) for score, number, box in rows if score > threshold
    ]


def _spans(part: ModelPart, tokens: torch.Tensor, count: int) -> list[tuple[int, int]]:
    """Return the first and the last but one token of each phrase, between the dots of a text."""
    assert part.tokenizer is not None  # tokens_of has used it
    dot = part.tokenizer.convert_tokens_to_ids(".")
    dots = [number for number, token in enumerate(tokens.tolist()) if token == dot]
    if len(tokens) > part.model.config.max_text_len or len(dots) != count:
        raise NodeError(
            f"The text is {len(tokens)} tokens long, and the model reads"
            f" {part.model.config.max_text_len}.",
            "Look for fewer things at once.",
            code="invalid_value",
            where="text",
        )
    return list(zip([1, *(place + 1 for place in dots[:-1])], dots, strict=True))
