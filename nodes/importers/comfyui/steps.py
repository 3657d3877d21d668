"""Rules that are data alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nodes.importers.comfyui.reading import Reading
from nodes.importers.comfyui.values import Pixels
from nodetool_core.importing.draft import Handle


@dataclass(frozen=True)
class Step:
    """A node that has one counterpart, which takes an image or none and gives an image."""

    type: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Its inputs, and the properties that they become."""
    convert: Mapping[str, Callable[[float], Any]] = field(default_factory=dict)
    """How numbers are rewritten; they can't come over a link then."""
    usual: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Inputs without counterpart, and the values at which they make no difference."""
    added: Callable[[Reading], dict[str, object]] = lambda _: {}
    """Further properties, made of other inputs."""

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        properties: dict[str, object] = {}
        for name, prop in self.inputs.items():
            value = reading.take(name)
            if isinstance(value, Pixels):
                value = reading.first(value)
            elif name in self.convert:
                value = self.convert[name](reading.number(name))
            properties[prop] = value
        for name, values in self.usual.items():
            reading.usual(name, *values)
        properties |= self.added(reading)
        return (Pixels(Handle(reading.add(self.type, properties))),)


@dataclass(frozen=True)
class Through:
    """A node that gives an input on."""

    name: str

    def __call__(self, reading: Reading) -> tuple[object, ...]:
        return (reading.take(self.name),)
