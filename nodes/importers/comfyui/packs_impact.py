"""
The rules for Impact's pipes and detailers.

A detailer repaints parts of an image, each enlarged to the size that the model knows: that is
Inpainting with `crop_to_mask`. Parts are a mask here, so that several of them are repainted as one.
What its detectors find by networks of their own, a text names here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from nodes.importers.comfyui.reading import Reading, known
from nodes.importers.comfyui.sampling import Sampling, sampled
from nodes.importers.comfyui.values import (
    Guider,
    ImageLatents,
    Network,
    Part,
    Pixels,
    Prompt,
    Steps,
    Weights,
)
from nodetool_core.importing.draft import Handle, Unsupported

_WORDS: Final = {"face": "face", "hand": "hand", "person": "person", "eye": "eye"}
"""What a detector finds, by a word in the name of its file."""
_SIDE: Final = 512
"""About the size of a part, of which its surroundings are counted."""


@dataclass(frozen=True)
class Pipe:
    """A model with all that leads it."""

    model: Weights
    clip: object
    vae: object
    positive: Prompt
    negative: Prompt
    words: str = ""
    """What its detector finds."""

    def parts(self) -> tuple[object, ...]:
        return self.model, self.clip, self.vae, self.positive, self.negative


@dataclass(frozen=True)
class Detector:
    """What is found in an image, in words."""

    words: str
    file: str


@dataclass(frozen=True)
class Segments:
    """Parts of an image, as a mask."""

    mask: Handle


def to_pipe(reading: Reading) -> tuple[object, ...]:
    return (_pipe(reading),)


def _pipe(reading: Reading) -> Pipe:
    return Pipe(
        reading.take_as("model", Weights),
        reading.take("clip", Part()),
        reading.take("vae", Part()),
        reading.take_as("positive", Prompt),
        reading.take_as("negative", Prompt),
    )


def from_pipe(*, with_itself: bool) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that takes a pipe apart, and may give it on."""

    def take(reading: Reading) -> tuple[object, ...]:
        pipe = reading.take_as("basic_pipe", Pipe)
        return (pipe, *pipe.parts()) if with_itself else pipe.parts()

    return take


def edit_pipe(reading: Reading) -> tuple[object, ...]:
    pipe = reading.take_as("basic_pipe", Pipe)
    given = {
        name: reading.take(name)
        for name in ("model", "clip", "vae", "positive", "negative")
        if reading.has(name)
    }
    return (replace(pipe, **given),)


def detailer_pipe(reading: Reading) -> tuple[object, ...]:
    detector = reading.take_as("bbox_detector", Detector)
    reading.skip("sam_model_opt", "segm_detector_opt", "detailer_hook", "wildcard")
    reading.skip("Select to add LoRA", "Select to add Wildcard")
    return (replace(_pipe(reading), words=detector.words),)


def load_detector(reading: Reading) -> tuple[object, ...]:
    file = reading.file_name("model_name")
    stem = PurePosixPath(file).stem.lower()
    words = next((word for part, word in _WORDS.items() if part in stem), "")
    if not words:
        raise Unsupported(f"it is not known what {file!r} finds")
    found = Detector(words, file)
    return found, found


def load_sam(reading: Reading) -> tuple[object, ...]:
    reading.skip("device_mode")
    return (Network({"repo_id": reading.file_name("model_name")}),)


def _found(reading: Reading, image: Handle, words: str, threshold: object) -> Handle:
    """Return the mask of what a text names."""
    properties = {"image": image, "text": words, "threshold": threshold}
    made = reading.add("huggingface.segmentation.MaskFromText", properties, "found")
    message = f"finds {words!r} by another network, as an outline and not as a box."
    reading.note(message, level="warning")
    return Handle(made, "mask")


def detect(name: str) -> Callable[[Reading], tuple[object, ...]]:
    """Return the rule of a node that finds parts by the detector of its input `name`."""

    def find(reading: Reading) -> tuple[object, ...]:
        detector = reading.take_as(name, Detector)
        image = reading.first(reading.take_as("image", Pixels))
        mask = _found(reading, image, detector.words, reading.take("threshold", 0.5))
        _say_settings(reading)
        return (Segments(mask),)

    return find


def mask_to_segments(reading: Reading) -> tuple[object, ...]:
    mask = reading.take_as("mask", Pixels).handle
    reading.usual("combined", True)
    _say_settings(reading)
    return (Segments(mask),)


def segments_to_mask(reading: Reading) -> tuple[object, ...]:
    return (Pixels(reading.take_as("segs", Segments).mask),)


def _say_settings(reading: Reading) -> None:
    """Say the settings that go with parts, of which there is one mask here."""
    settings = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
    reading.skip(*(name for name, _ in reading.unread()))
    if settings:
        reading.note(f"its parts are one mask here, not by {settings}.", level="warning")


def detail(reading: Reading) -> tuple[object, ...]:
    return (_repainted(reading, _pipe(reading), reading.take_as("segs", Segments).mask),)


def detail_by_pipe(reading: Reading) -> tuple[object, ...]:
    pipe, segments = reading.take_as("basic_pipe", Pipe), reading.take_as("segs", Segments)
    image = _repainted(reading, pipe, segments.mask)
    return image, segments, pipe


def detail_and_show(reading: Reading) -> tuple[object, ...]:
    """Repaint parts, and give them by themselves; here, the whole image stands for them."""
    image, segments, pipe = detail_by_pipe(reading)
    _say_parts(reading, 3, 4, 5)
    return image, segments, pipe, image, image, image


def detail_faces(reading: Reading) -> tuple[object, ...]:
    detector = reading.take_as("bbox_detector", Detector)
    reading.skip("sam_model_opt", "segm_detector_opt", "detailer_hook")
    return _faces(reading, replace(_pipe(reading), words=detector.words))


def detail_faces_by_pipe(reading: Reading) -> tuple[object, ...]:
    return _faces(reading, reading.take_as("detailer_pipe", Pipe))


def _faces(reading: Reading, pipe: Pipe) -> tuple[object, ...]:
    source = reading.first(reading.take_as("image", Pixels))
    mask = _found(reading, source, pipe.words, reading.take("bbox_threshold", 0.5))
    image = _repainted(reading, pipe, mask)
    _say_parts(reading, 1, 2)
    return image, image, image, Pixels(mask), pipe


def _say_parts(reading: Reading, *outputs: int) -> None:
    """Say that outputs for the parts by themselves have the whole image."""
    if reading.given & set(outputs):
        reading.note("gives its parts by themselves; here, the whole image.", level="warning")


def _repainted(reading: Reading, pipe: Pipe, mask: Handle) -> Pixels:
    source = reading.take_as("image", Pixels)
    if words := str(known(reading.take("wildcard", ""))):
        reading.lost(f"wildcard {words!r} has no counterpart: the prompt of the pipe counts.")
    reading.usual("cycle", 1)
    feather = reading.take("feather", 5)
    steps = Steps(
        reading.take("scheduler", "normal"), reading.take("steps"), reading.take("denoise", 0.5)
    )
    sampling = Sampling(
        Guider(pipe.model, pipe.positive, pipe.negative, reading.take("cfg")),
        reading.take("seed"),
        str(known(reading.take("sampler_name", "euler"))),
        steps,
        ImageLatents(source, Pixels(mask)),
    )
    settings = ", ".join(f"{name} {value!r}" for name, value in reading.unread())
    reading.skip(*(name for name, _ in reading.unread()))
    message = f"the part and {_SIDE // 4} pixels around it are enlarged to the model's size"
    reading.note(f"{message}{f', not by {settings}' if settings else ''}.", level="warning")
    (made,) = sampled(reading, sampling)
    node = reading.draft.nodes[made.image.handle.node]
    node.data |= {"crop_to_mask": True, "crop_padding": _SIDE // 4}
    if isinstance(known(feather), int):
        node.data["mask_blur"] = known(feather)
    return made.image


def preview(reading: Reading) -> tuple[object, ...]:
    """Show an image and give it on, with what was painted over it in the editor."""
    pixels = reading.take_as("images", Pixels)
    reading.skip(*(name for name, _ in reading.unread()))
    name = reading.name("preview")
    reading.add("nodetool.output.Output", {"name": name, "value": pixels.batch or pixels.handle})
    return (pixels,)


RULES: Final[Mapping[str, Callable[[Reading], tuple[object, ...]]]] = {
    "BboxDetectorSEGS": detect("bbox_detector"),
    "DetailerForEach": detail,
    "DetailerForEachDebugPipe": detail_and_show,
    "DetailerForEachPipe": detail_by_pipe,
    "EditBasicPipe": edit_pipe,
    "FaceDetailer": detail_faces,
    "FaceDetailerPipe": detail_faces_by_pipe,
    "FromBasicPipe": from_pipe(with_itself=False),
    "FromBasicPipe_v2": from_pipe(with_itself=True),
    "MaskToSEGS": mask_to_segments,
    "PreviewBridge": preview,
    "SAMLoader": load_sam,
    "SegmDetectorSEGS": detect("segm_detector"),
    "SegsToCombinedMask": segments_to_mask,
    "ToBasicPipe": to_pipe,
    "ToDetailerPipe": detailer_pipe,
    "UltralyticsDetectorProvider": load_detector,
}
"""The classes that these rules are for."""
