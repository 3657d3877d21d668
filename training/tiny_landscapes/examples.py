"""The example images that ship: held-out scenes, which no training saw."""

from __future__ import annotations

from typing import Final

from training.tiny_landscapes.data import HELD_OUT
from training.tiny_landscapes.scenes import Scene

LAKE_AT_NOON: Final = Scene(
    HELD_OUT + 3,
    "noon",
    "summer",
    frozenset({"mountains", "lake", "forest", "sun", "clouds", "snow"}),
)
RIDGE_IN_WINTER: Final = Scene(
    HELD_OUT + 104, "noon", "winter", frozenset({"mountains", "forest", "sun", "snow"})
)
LAKE_BY_THE_FOREST: Final = Scene(
    HELD_OUT + 230, "noon", "summer", frozenset({"mountains", "lake", "forest", "sun", "snow"})
)
EXAMPLES: Final = {"lake_at_noon": LAKE_AT_NOON, "ridge_in_winter": RIDGE_IN_WINTER}
