"""
What several ControlNets, IP adapters or prompts are given to a node as: each with its scale.

Nodes make lists of them (`ApplyControlNet`, `ApplyIPAdapter`, `AddPrompt`), as they do of LoRAs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nodes.huggingface.model_kinds import ControlNetModel, IPAdapterModel
from nodetool_core import ImageRef, ModelRef


@dataclass(frozen=True)
class ControlNetUnit:
    """A ControlNet or a T2I-Adapter, what it follows, how closely, and in which of the steps."""

    model: ModelRef = field(default_factory=ControlNetModel)
    image: ImageRef | None = None
    scale: float = 1.0
    """How closely the image is followed, 0 to 2."""
    start: float = 0.0
    """The share of the steps after which it begins, 0 to 1."""
    end: float = 1.0
    """The share of the steps after which it ends, 0 to 1."""
    mode: int = -1
    """The number of the kind of image, for networks that take several kinds; -1 for others."""


@dataclass(frozen=True)
class IPAdapterUnit:
    """An IP adapter, the image that serves as its prompt, how closely it is followed, and where."""

    model: ModelRef = field(default_factory=IPAdapterModel)
    image: ImageRef | None = None
    scale: float = 0.5
    """How closely the image is followed, 0 to 1."""
    mask: ImageRef | None = None
    """White where the image counts; everywhere where there is none."""


@dataclass(frozen=True)
class PromptUnit:
    """A prompt beside that of the node: how much it counts, where, and in which of the steps."""

    prompt: str = ""
    strength: float = 1.0
    """How much it counts, where the node's own prompt counts 1."""
    left: float = 0.0
    """The edges of its part of the image, as shares of the image's sides, 0 to 1."""
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0
    mask: ImageRef | None = None
    """White where it counts; everywhere in its part where there is none."""
    start: float = 0.0
    """The share of the noise after which it begins to count, 0 to 1."""
    end: float = 1.0
    """The share of the noise after which it counts no more, 0 to 1."""
