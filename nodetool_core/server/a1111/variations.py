"""
Variations of an image: noise of two seeds, and noise of another size.

The web UI's names are `subseed` and `seed_resize_from`. The first image has the subseed, the second
the next one, and all have the same seed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core.server.parameters import open_properties
from nodetool_core.server.seeds import counted_up

if TYPE_CHECKING:
    from nodetool_core.json_types import JsonObject
    from nodetool_core.server.a1111.body import GenerationBody
    from nodetool_core.server.served_workflow import ServedWorkflow

_SEED, _STRENGTH, _WIDTH, _HEIGHT = (
    "variation_seed",
    "variation_strength",
    "seed_width",
    "seed_height",
)
"""Properties of generating nodes, and inputs of workflows."""
_SEEDS: Final = 2**64
_DRAWN: Final = 2**32
"""How many seeds are drawn from, as clients show them."""


@dataclass(frozen=True)
class Variation:
    """The noise that a request asks for besides that of its seed."""

    seed: int = -1
    """That of the first image."""
    strength: float = 0
    size: tuple[int, int] | None = None
    """Of the image whose noise is in the middle."""

    @classmethod
    def of(cls, body: GenerationBody) -> Variation:
        """Return that of a request, with a seed drawn where the client leaves it to us."""
        seed, size = body.subseed, (body.seed_resize_from_w, body.seed_resize_from_h)
        if seed < 0 and body.subseed_strength:
            seed = secrets.randbelow(_DRAWN - body.count)
        return cls(seed, body.subseed_strength, size if min(size) > 0 else None)

    def values(self, served: ServedWorkflow) -> tuple[dict[str, object], list[str]]:
        """Return it as values of a workflow, and notes on what that has no use for."""
        wanted: dict[str, object] = {}
        notes = []
        places = _places(served)
        if self.strength:
            wanted |= {_SEED: self.seed, _STRENGTH: self.strength}
        if self.size is not None:
            wanted |= dict(zip((_WIDTH, _HEIGHT), self.size, strict=True))
        for name, field in ((_STRENGTH, "subseed_strength"), (_WIDTH, "seed_resize_from_w")):
            if name in wanted and name not in places:
                notes.append(f"{field} is not used by {served.name}")
        return {places[name]: value for name, value in wanted.items() if name in places}, notes

    def counted(
        self, served: ServedWorkflow, values: Mapping[str, object], number: int
    ) -> dict[str, object]:
        """Return the values of image `number` of a request, from 0 on."""
        place = _places(served).get(_SEED)
        if not self.strength or place is None:
            return counted_up(served.graph, values, number)
        return {**values, place: self.seed_of(number)}

    def seed_of(self, number: int) -> int:
        """Return the variation seed of image `number` of a request; -1 without one."""
        return (self.seed + number) % _SEEDS if self.strength else self.seed

    def parameters(self, number: int) -> JsonObject:
        """Return what the text of image `number` says of it, by the web UI's names."""
        return {
            "Variation seed": self.seed_of(number) if self.strength else None,
            "Variation seed strength": self.strength or None,
            "Seed resize from": "{}x{}".format(*self.size) if self.size else None,
        }


def _places(served: ServedWorkflow) -> dict[str, str]:
    """Return what `inputs.apply` calls each property that the workflow leaves to clients."""
    names = (_SEED, _STRENGTH, _WIDTH, _HEIGHT)
    named = {name: served.inputs[name].given for name in names if name in served.inputs}
    return open_properties(served.graph, names) | named
