"""
What travels along the edges of a ComfyUI workflow, in our terms.

The importer follows a workflow without running it: each node takes and gives these. Latents are
read as the images that they stand for, because one node of ours goes from image to image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nodetool_core.importing.draft import Handle


@dataclass(frozen=True)
class Known(Handle):
    """An output whose value stands in the file, so that it can be calculated with."""

    value: object = None


@dataclass(frozen=True)
class Pixels:
    """An image or a mask."""

    handle: Handle
    batch: Handle | None = None
    """The list of all images, where there are several."""


@dataclass(frozen=True)
class Network:
    """A model of another kind, as the JSON of a reference."""

    ref: dict[str, Any]
    mode: int | None = None
    """Which kind of image a ControlNet for several is given."""


@dataclass(frozen=True)
class Control:
    """A ControlNet with the image that it follows, how closely, and in which of the steps."""

    network: Network
    image: Handle
    scale: object = 1.0
    start: object = 0.0
    end: object = 1.0


@dataclass(frozen=True)
class Adapter:
    """An IP adapter with the image that serves as a prompt, and where it counts."""

    ref: Mapping[str, object]
    image: Handle
    scale: object = 1.0
    mask: Handle | None = None


@dataclass(frozen=True)
class Weights:
    """A diffusion model, and what was put onto it."""

    model: Handle
    loras: tuple[dict[str, Any], ...] = ()
    is_flow: bool = False
    """Whether it is known to be a flow-matching model, whose usual sampler is Euler's."""
    controls: tuple[Control, ...] = ()
    """ControlNets that were put onto it."""
    adapters: tuple[Adapter, ...] = ()
    """Images that lead it as prompts do."""
    shift: object = None
    """By how much its noise schedule is shifted."""
    free_u: tuple[float, ...] = ()
    """FreeU's numbers b1, b2, s1, s2."""
    is_differential: bool = False
    """Whether the tones of a mask say in how many steps a part is changed."""


@dataclass(frozen=True)
class Part:
    """A text encoder or an autoencoder: of the model, where there are no files of its own."""

    files: tuple[dict[str, object], ...] = ()
    """References to them."""
    layer: int | None = None
    """Which layer of a text encoder counts, from the last one, which is 1; None for the usual."""


@dataclass(frozen=True)
class Place:
    """Where a prompt counts, how much, and in which share of the noise."""

    area: tuple[object, object, object, object] | None = None
    """Left and upper edge, width and height; the whole image where it is None."""
    is_share: bool = False
    """Whether the area is in shares of the image, not in pixels."""
    mask: Pixels | None = None
    strength: object = 1.0
    start: object = 0.0
    end: object = 1.0


@dataclass(frozen=True)
class Prompt:
    """A text that conditions a model, with what else does."""

    text: str | Handle
    guidance: float | Handle | None = None
    controls: tuple[Control, ...] = ()
    """ControlNets that lead the model."""
    references: tuple[Pixels, ...] = ()
    """Images that the text speaks of."""
    encoders: Part = Part()
    """What reads the text."""
    other: str | Handle | None = None
    """What the first of two encoders, CLIP-L, reads in its place."""
    place: Place = Place()
    beside: tuple[Prompt, ...] = ()
    """Prompts that count beside it, each in its place."""


@dataclass(frozen=True)
class Guider:
    """A model, and what leads it."""

    weights: Weights
    positive: Prompt
    negative: Prompt
    scale: Any
    """How closely the positive prompt is followed."""
    image_scale: Any = None
    """How closely its images are."""


@dataclass(frozen=True)
class Steps:
    """The steps of a sampler."""

    schedule: object
    """How the noise falls from step to step."""
    count: Any
    """How many steps are run."""
    denoise: Any = 1.0
    """The share of the noise that is added and taken away again."""
    shift: object = None
    """By how much the schedule is shifted, where the model that it was made of says so."""
    is_total: bool = False
    """Whether `count` is of all steps, of which `denoise` is the share that is run."""


@dataclass(frozen=True)
class EmptyLatents:
    """Nothing yet: an image of a size is to be made."""

    width: Any
    height: Any
    count: Any = 1
    is_flow: bool = False
    """Whether only flow-matching models have latents of this kind."""
    layers: Any = 0
    """Layers that an image is taken apart into; 0 for an image of one."""


@dataclass(frozen=True)
class ImageLatents:
    """The latents of an image, and where it may be changed."""

    image: Pixels
    mask: Pixels | None = None
    grow: Any = 0
    """By how many pixels the mask grows."""
    count: Any = 1
    model: Handle | None = None
    """The model that made them."""
    layers: bool = False
    """Whether they are the layers of one image, below which the image itself lies."""
    left: float = 0.0
    """The share of the noise that the sampler left in them for another one."""
    mask_is: Literal["noise", "fill", "fill alone"] = "noise"
    """What the mask is for: the sampler, a model made for inpainting as well, or that alone."""


@dataclass(frozen=True)
class Missing:
    """An output of a node that could not be imported."""

    node: str
    """The node, as messages name it."""
    inactive: bool = False
    """Whether ComfyUI would not run it either."""
