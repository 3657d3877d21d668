"""Which noise a pipeline is given: by a seed, or by two of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nodes.huggingface.properties import of_properties
from nodetool_core import NodeError
from nodetool_core.models.diffusers.sizes import latents_of

if TYPE_CHECKING:
    import torch

    from nodetool_core import Context, Node
    from nodetool_core.context import Pipeline

_SEEDS: Final = 2**64
"""Number of seeds of a `torch.Generator`."""
_DRAWN: Final = 2**32
"""Number of seeds among which one is drawn."""


@dataclass(frozen=True)
class Noise:
    """The noise of an image, by the properties of nodes."""

    seed: int
    variation_seed: int = 0
    variation_strength: float = 0.0
    seed_width: int = 0
    seed_height: int = 0

    @classmethod
    def of(cls, node: Node) -> Noise:
        """Return the noise that a node's properties of the same names set."""
        return of_properties(cls, node)

    def of_image(self, index: int) -> Noise:
        """
        Return the noise of the image that is `index` places after the first.

        Variations are of one seed: with them, the variation seed counts up in its place.
        """
        if self.variation_strength:
            return replace(self, variation_seed=seed_at(self.variation_seed, index))
        return replace(self, seed=seed_at(self.seed, index))

    def of_tile(self, index: int) -> Noise:
        """Return the noise of another tile of the same image."""
        further = seed_at(self.variation_seed, index)
        return replace(self, seed=seed_at(self.seed, index), variation_seed=further)

    def generator(self, pipeline: Pipeline, context: Context) -> torch.Generator:
        """Return a new generator on the CPU, whose numbers are the same for every device."""
        size = (self.seed_height or self.seed_width, self.seed_width or self.seed_height)
        share = self.variation_strength
        if not any(size) and share in (0, 1):
            return seeded_generator(self.variation_seed if share else self.seed, context)
        from nodetool_core.models.diffusers.mixed_noise import MixedGenerator

        seed, other = (_known(one, context) for one in (self.seed, self.variation_seed))
        middle = latents_of(pipeline, size) if any(size) else None
        return MixedGenerator.of(seed, other, share, middle)


def seed_at(seed: int, index: int) -> int:
    """
    Return the seed of the image that is `index` places after the first.

    It wraps to 0 after the greatest; a negative seed stays, so that each image draws its own.
    """
    return seed if seed < 0 or index == 0 else (seed + index) % _SEEDS


def seeded_generator(seed: int, context: Context) -> torch.Generator:
    """Return a new generator on the CPU, whose numbers are the same for every device."""
    import torch

    return torch.Generator("cpu").manual_seed(_known(seed, context))


def _known(seed: int, context: Context) -> int:
    """Return a seed, drawn where it is negative. Raises NodeError where it is too great."""
    if seed < 0:
        seed = secrets.randbelow(_DRAWN)
        context.warn(f"seed was drawn: {seed}.", seed=seed)
    if seed >= _SEEDS:
        raise NodeError(
            f"{seed} is above {_SEEDS - 1}.",
            "Choose a smaller seed.",
            code="invalid_value",
            where="seed",
        )
    return seed
