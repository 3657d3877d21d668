"""
What an image is made with, and the workflow that makes it.

Every dialect becomes a `Recipe`: the file's own words are read by one module each. A recipe is one
generating node, between the model and the output, and for a second pass two more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nodes.importers.known_files import known_file
from nodes.importers.metadata.fields import Fields
from nodetool_core.importing.draft import Draft, Handle

TEXT_TO_IMAGE: Final = "huggingface.text_to_image.TextToImage"
IMAGE_TO_IMAGE: Final = "huggingface.image_to_image.ImageToImage"
INPAINTING: Final = "huggingface.image_to_image.Inpainting"
CONTROLNET: Final = "huggingface.loaders.ApplyControlNet"
IP_ADAPTER: Final = "huggingface.loaders.ApplyIPAdapter"
UPSCALE: Final = "huggingface.image_to_image.Upscale"
FACE_MASK: Final = "huggingface.segmentation.MaskFromText"

MODEL: Final = "model"
IMAGE: Final = "image"
ENLARGED: Final = "enlarged"
REFINED: Final = "refined"
FACES: Final = "faces"
LARGER: Final = "larger"
_PLACES: Final = (
    MODEL,
    "source",
    "mask",
    "control",
    "edges",
    "controlnet",
    "style",
    "adapter",
    IMAGE,
    "upscaled",
    ENLARGED,
    REFINED,
    "face",
    FACES,
    LARGER,
    "output",
)
"""The nodes, from the left to the right."""
_WIDTH: Final = 320
_HEIGHT: Final = 240


@dataclass
class SecondPass:
    """An image made larger, and refined."""

    strength: float
    scale: float = 2.0
    size: tuple[int, int] | None = None
    network: dict[str, object] | None = None
    """What enlarges it; resampling where there is none."""
    properties: dict[str, object] = field(default_factory=dict)
    """Those of the node that refines, where they differ from the first one's."""


@dataclass
class Control:
    """A ControlNet."""

    network: dict[str, object]
    field: str
    """The field that names it."""
    scale: float = 1.0
    canny: tuple[int, int] | None = None
    """Thresholds, where its image is made of edges."""
    start: float = 0.0
    """The share of the steps after which it begins."""
    end: float = 1.0
    """The share of the steps after which it ends."""


@dataclass
class ImagePrompt:
    """An IP adapter, whose image serves as a prompt."""

    network: dict[str, object]
    field: str
    """The field that names it."""
    scale: float = 1.0


@dataclass
class Recipe:
    """What an image is made with; a property that is None keeps its default."""

    prompt: str = ""
    negative_prompt: str = ""
    model: dict[str, object] | None = None
    model_field: str = "Model"
    """The field that names it."""
    properties: dict[str, object] = field(default_factory=dict)
    """Of the generating node: steps, seed, scheduler, …"""
    size: tuple[int, int] | None = None
    loras: list[dict[str, object]] = field(default_factory=list)
    strength: float | None = None
    """How much of an image is changed, where it began with one."""
    start_field: str = ""
    """The field that says so."""
    is_masked: bool = False
    controls: list[Control] = field(default_factory=list)
    image_prompts: list[ImagePrompt] = field(default_factory=list)
    second: SecondPass | None = None
    faces: float = 0.0
    """How far faces are repainted at the end; 0 where they are left."""
    enlarged_to: tuple[int, int] | None = None
    """The size that the result is enlarged to by a network."""


class Writer:
    """Writes the workflow of a recipe."""

    def __init__(self, recipe: Recipe, fields: Fields, draft: Draft) -> None:
        self._recipe = recipe
        self._fields = fields
        self._draft = draft

    def write(self) -> None:
        """Write the nodes. Raises Unsupported where a value fits no property."""
        recipe = self._recipe
        common: dict[str, object] = {
            "model": self._model(),
            "prompt": recipe.prompt,
            "negative_prompt": recipe.negative_prompt,
            **recipe.properties,
            "loras": recipe.loras or None,
        }
        common |= self._controls(recipe.controls)
        common |= self._image_prompts(recipe.image_prompts)
        if recipe.strength is None:
            width, height = recipe.size or (None, None)
            made = self._add(IMAGE, TEXT_TO_IMAGE, common | {"width": width, "height": height})
        else:
            made = self._from_image(common, recipe.strength)
        if recipe.second is not None:
            made = self._second(recipe.second, common, made)
        if recipe.faces:
            made = self._faces(recipe.faces, common, made)
        if recipe.enlarged_to is not None:
            side = max(recipe.enlarged_to)
            made = self._add(LARGER, UPSCALE, {"image": made, "longest_side": side})
        self._add("output", "nodetool.output.Output", {"name": "image", "value": made})

    def _add(self, name: str, node_type: str, properties: Mapping[str, object]) -> Handle:
        given = {key: value for key, value in properties.items() if value is not None}
        # Further nodes of a kind have a number, and are below the first.
        place, _, number = name.partition("_")
        below = _HEIGHT * (int(number) - 1) if number else 0
        ui = {"position": {"x": _WIDTH * _PLACES.index(place), "y": below}}
        return Handle(self._draft.add(name, node_type, given, where=name, ui=ui))

    def _model(self) -> Handle:
        """Write the input for the model, which is not in the file of an image."""
        ref, field_name = self._recipe.model, self._recipe.model_field
        hint = "Run with --set model=PATH, or --set model=OWNER/NAME for a model of the Hub."
        if ref is None:
            message = "the image names no model that can be had: the small one that ships is used."
            self._fields.about(field_name, message, hint)
        elif (known := known_file(str(_name(ref)))) and "denoiser" not in ref:
            ref = {**ref, "repo_id": known[0], "path": known[1]}
            place = f"{known[0]} --path {known[1]}"
            message = f"is the input 'model'; unless it is set, {place} is fetched from the Hub."
            fetch = f"Fetch it before: nodetool models pull {place}."
            self._fields.note(field_name, message, f"{fetch} {hint}")
        else:
            message = (
                f"is the input 'model'; unless it is set, the file {_name(ref)!r} is looked for in"
                " the folders of models (--models-dir)."
            )
            self._fields.note(field_name, message, hint)
        properties = {"name": "model", "value": ref}
        return self._add(MODEL, "nodetool.input.HuggingFaceModelInput", properties)

    def _image(self, node: str, name: str, field_name: str) -> Handle:
        """Write an input for an image that the file does not hold."""
        message = f"is not in the file: it is the input {name!r}, which has to be given."
        self._fields.note(field_name, f"its {name} {message}", f"Run with --set {name}=PATH.")
        return self._add(node, "nodetool.input.ImageInput", {"name": name})

    def _from_image(self, common: Mapping[str, object], strength: float) -> Handle:
        recipe = self._recipe
        given = {
            **common,
            "image": self._image("source", "source", recipe.start_field),
            "strength": strength,
        }
        if recipe.is_masked:
            mask = self._image("mask", "mask", recipe.start_field)
            return self._add(IMAGE, INPAINTING, given | {"mask_image": mask})
        return self._add(IMAGE, IMAGE_TO_IMAGE, given)

    def _controls(self, controls: Sequence[Control]) -> dict[str, object]:
        """Write one ControlNet for all steps as properties, and others as a list of nodes."""
        made: Handle | None = None
        for number, one in enumerate(controls, 1):
            more = f"_{number}" if number > 1 else ""
            image = self._control_image(one, more)
            if len(controls) == 1 and (one.start, one.end) == (0, 1):
                return {
                    "controlnet": one.network,
                    "control_image": image,
                    "controlnet_conditioning_scale": one.scale,
                }
            properties = {
                **{"controlnet": one.network, "image": image, "scale": one.scale},
                **{"start": one.start, "end": one.end, "controlnets": made},
            }
            made = self._add(f"controlnet{more}", CONTROLNET, properties)
        return {"controlnets": made}

    def _image_prompts(self, prompts: Sequence[ImagePrompt]) -> dict[str, object]:
        """Write one IP adapter as properties, and several as a list of nodes."""
        made: Handle | None = None
        for number, one in enumerate(prompts, 1):
            more = f"_{number}" if number > 1 else ""
            image = self._image(f"style{more}", f"image_prompt{more}", one.field)
            if len(prompts) == 1:
                return {
                    "ip_adapter_model": one.network,
                    "ip_adapter_image": image,
                    "ip_adapter_scale": one.scale,
                }
            unit = {"ip_adapter": one.network, "image": image, "scale": one.scale}
            made = self._add(f"adapter{more}", IP_ADAPTER, unit | {"ip_adapters": made})
        return {"ip_adapters": made}

    def _control_image(self, control: Control, more: str) -> Handle:
        image = self._image(f"control{more}", f"control_image{more}", control.field)
        if control.canny is None:
            return image
        low, high = control.canny
        thresholds = {"image": image, "low_threshold": low, "high_threshold": high}
        return self._add(f"edges{more}", "lib.pillow.filter.Canny", thresholds)

    def _second(self, second: SecondPass, common: Mapping[str, object], made: Handle) -> Handle:
        width, height = second.size or (None, None)
        if second.network is not None:
            made = self._add("upscaled", UPSCALE, {"image": made, "model": second.network})
        if second.size is None and self._recipe.size is not None:
            # A network enlarges by a factor of its own: the size is what counts.
            width, height = (round(side * second.scale) for side in self._recipe.size)
        if width is None:
            scaled = {"image": made, "scale": second.scale}
            made = self._add(ENLARGED, "nodetool.image.Scale", scaled)
        else:
            sized = {"image": made, "width": width, "height": height, "fit": "crop"}
            made = self._add(ENLARGED, "nodetool.image.Resize", sized)
        given = {**common, "image": made, "strength": second.strength, **second.properties}
        return self._add(REFINED, IMAGE_TO_IMAGE, given)

    def _faces(self, strength: float, common: Mapping[str, object], made: Handle) -> Handle:
        found = self._add("face", FACE_MASK, {"image": made, "text": "a face"})
        given = {**common, "image": made, "mask_image": Handle(found.node, "mask")}
        return self._add(FACES, INPAINTING, given | {"strength": strength, "crop_to_mask": True})


def _name(ref: Mapping[str, object]) -> object:
    """Return what a reference calls the file of a model, or of its denoiser."""
    part = ref.get("denoiser")
    return part.get("repo_id") if isinstance(part, dict) else ref.get("repo_id")
