"""
The layers that a LoRA changes, by the names of its tensors, with the scale of each.

A name is the layer's, as the file spells it, and a suffix that says what the tensor is for. The
scale is alpha by rank. Alpha is a tensor, or stated in the header under `lora_adapter_metadata`, or
in `adapter_config.json` beside the file; 1 is the scale where it is nowhere.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.loras.methods import METHODS, Factors, Method

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from nodetool_core.models.components.networks import ModelPart

_HEADER: Final = "lora_adapter_metadata"

_ALPHA: Final = "alpha"

_SUFFIXES: Final = (
    (
        "down",
        r"(lora_A|lora_down|lora\.down|lora_linear_layer\.down|(?<=_lora)\.down)(\.\w+)?\.weight",
    ),
    ("up", r"(lora_B|lora_up|lora\.up|lora_linear_layer\.up|(?<=_lora)\.up)(\.\w+)?\.weight"),
    ("down", r"(?<=_lora\d)\.down\.weight"),
    ("up", r"(?<=_lora\d)\.up\.weight"),
    ("down", r"lora_[Aa]"),
    ("up", r"lora_[Bb]"),
    ("up_bias", r"(lora_B|lora_up)(\.\w+)?\.bias"),
    ("mid", r"lora_mid\.weight"),
    ("embedding_down", r"lora_embedding_A(\.\w+)?"),
    ("embedding_up", r"lora_embedding_B(\.\w+)?"),
    ("magnitude", r"dora_scale|lora_magnitude_vector(\.\w+)?(\.weight)?"),
    (_ALPHA, r"(lora_)?alpha"),
    ("", r"hada_(?:w[12]_[ab]|t[12])"),
    ("", r"lokr_(?:w[12](?:_[ab])?|t[12])"),
    *((role, rf"(?<=\.){role}\.weight") for role in ("a1", "a2", "b1", "b2")),
    ("oft_blocks", r"oft_(blocks|diag)"),
    ("boft_r", r"boft_R(\.\w+)?"),
    ("boft_s", r"boft_s(\.\w+)?"),
    ("oft_r", r"oft_R(\.\w+)?\.weight"),
    ("", r"rescale|diff|diff_b|w_norm|b_norm|on_input"),
    ("ia3_l", r"ia3_l(\.\w+)?"),
)
"""Role to the suffix of a tensor of it; where the role is empty, the suffix is the role."""

_PATTERNS: Final = tuple(
    (role, re.compile(rf"^(?P<layer>.+?)\.?(?P<suffix>{suffix})$")) for role, suffix in _SUFFIXES
)
_WEIGHT: Final = ".weight"
_BUTTERFLY_SIDES: Final = 4


@dataclass(slots=True)
class FileLayer:
    """What a file holds for one layer."""

    name: str
    """As the file spells it, without the suffix."""
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    """By role."""
    names: dict[str, str] = field(default_factory=dict)
    """Role to the whole name of its tensor."""

    @property
    def roles(self) -> frozenset[str]:
        """The roles of its tensors, except alpha."""
        return frozenset(self.tensors) - {_ALPHA}

    @property
    def methods(self) -> list[Method]:
        """The methods by which it is changed, each whole."""
        return [method for method in METHODS if not method.missing(self.roles)]

    def missing(self) -> list[str]:
        """Return what is there by half: a tensor's name and the role that goes with it."""
        whole = frozenset().union(*(method.roles for method in self.methods))
        for method in METHODS:
            shown = sorted(method.marks & self.roles - whole)
            if shown and (lacks := method.missing(self.roles)):
                return [f"{self.names[shown[0]]}, without {' and '.join(lacks)}"]
        return []

    def unread(self) -> list[str]:
        """Return the names of tensors of no method that the layer is changed by."""
        known = frozenset().union(*(method.roles for method in self.methods))
        return [self.names[role] for role in sorted(self.roles - known)]

    def factors(self, method: Method, settings: Mapping[str, object]) -> Factors:
        """Return the tensors for a method, and their scale."""
        own = self.tensors.get(_ALPHA)
        rank: float = next(
            (self.tensors[role].shape[0] for role in method.ranks if role in self.tensors), 0
        )
        if own is None:
            alpha = self._stated(settings, "alpha_pattern", "lora_alpha", _ALPHA)
            rank = rank or self._stated(settings, "rank_pattern", "r") or 0
        else:
            alpha = float(own.reshape(-1)[0]) if own.numel() else None
        by = math.sqrt(rank) if settings.get("use_rslora") else rank
        return Factors(
            {role: self.tensors[role] for role in self.roles & method.roles},
            alpha / by if alpha and by else 1.0,
            alpha,
            settings,
        )

    def _stated(
        self, settings: Mapping[str, object], pattern_name: str, *names: str
    ) -> float | None:
        """Return a number of the settings: of the pattern that fits the layer, or the usual one."""
        value = next((settings[name] for name in names if name in settings), None)
        pattern = settings.get(pattern_name)
        for expression, special in pattern.items() if isinstance(pattern, dict) else ():
            # The first that its name ends with, as PEFT does.
            if _ends_with(self.name, str(expression)):
                value = special
                break
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if is_number else None  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a LoRA holds, layer by layer."""

    layers: tuple[FileLayer, ...]
    unread: tuple[str, ...]
    """Names of tensors that are of no method."""
    settings: Mapping[str, object]
    """Of the file; keys begin with a component where it has several."""

    def settings_of(self, component: str) -> Mapping[str, object]:
        """Return the settings for the layers of a component."""
        prefix = f"{component}."
        own = {
            key.removeprefix(prefix): value
            for key, value in self.settings.items()
            if key.startswith(prefix)
        }
        return own or self.settings


def read_layers(loaded: ModelPart) -> FileContent:
    """
    Return the layers of a LoRA.

    Args:
        loaded: What `context.models.use` lends for the task `tensors`.
    """
    layers: dict[str, FileLayer] = {}
    unread: list[str] = []
    for name, tensor in loaded.tensors.items():
        role, layer = _role_of(name, loaded.tensors)
        if not role:
            unread.append(name)
            continue
        if role == "oft_blocks" and tensor.ndim == _BUTTERFLY_SIDES:
            role = "boft_blocks"
        if "lora_magnitude_vector" in name:
            # PEFT gives it the place of the outputs in a convolution's result.
            tensor = tensor.flatten()
        one = layers.setdefault(layer, FileLayer(layer))
        one.tensors[role], one.names[role] = tensor, name
    return FileContent(tuple(layers.values()), tuple(unread), _settings(loaded))


def _role_of(name: str, names: Mapping[str, object]) -> tuple[str, str]:
    """Return what a tensor is for, and its layer; an empty role where nobody knows."""
    for role, pattern in _PATTERNS:
        if found := pattern.match(name):
            return role or found["suffix"], found["layer"]
    layer = name.removesuffix(_WEIGHT)
    return ("ia3_weight", layer) if f"{layer}.on_input" in names else ("", "")


def _ends_with(name: str, expression: str) -> bool:
    try:
        return re.match(rf"(.*\.)?({expression})$", name) is not None
    except re.error:
        return name.endswith(expression)


def _settings(loaded: ModelPart) -> Mapping[str, object]:
    try:
        found = (
            json.loads(loaded.metadata[_HEADER]) if _HEADER in loaded.metadata else loaded.config
        )
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
