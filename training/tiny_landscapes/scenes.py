"""
What is in a scene: attributes, sampling, and variants of one geometry.

A scene is a geometry (everything that follows from ``seed``: where the ridge runs, where the lake
lies) seen under attributes (time of day, season, elements). Two scenes with one seed show the same
place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

TIMES: Final = ("dawn", "noon", "sunset", "night")
SEASONS: Final = ("spring", "summer", "autumn", "winter")
LAND: Final = ("mountains", "lake", "sea", "forest", "desert")
SKY: Final = ("sun", "moon", "stars", "clouds")
ELEMENTS: Final = (*LAND, *SKY, "snow")


@dataclass(frozen=True, slots=True)
class Scene:
    """
    A place and the hour one sees it.

    ``snow`` among the elements means snow-capped peaks or a winter cover.
    """

    seed: int
    time: str
    season: str
    elements: frozenset[str]

    def has(self, element: str) -> bool:
        """Return whether the element is in the image."""
        return element in self.elements

    def differs(self, other: Scene) -> frozenset[str]:
        """Return the names of the attributes and elements in which two scenes differ."""
        names = set(self.elements ^ other.elements)
        if self.time != other.time:
            names.add("time")
        if self.season != other.season:
            names.add("season")
        return frozenset(names)


def consistent(elements: set[str], time: str, season: str) -> frozenset[str]:
    """
    Return the elements that can be seen together.

    No sun at night, no lake in the desert, snow in every winter.
    """
    kept = set(elements)
    if time == "night":
        kept.discard("sun")
    else:
        kept -= {"moon", "stars"}
    if "desert" in kept:
        kept -= {"lake", "sea", "forest"}
    if "sea" in kept:
        kept.discard("lake")
    if season == "winter":
        kept.add("snow")
    elif "mountains" not in kept:
        kept.discard("snow")
    return frozenset(kept)


def _sky(rng: np.random.Generator, time: str) -> set[str]:
    chances = {"clouds": 0.5, "sun": 0.75, "moon": 0.8, "stars": 0.85}
    sky = {name for name, chance in chances.items() if rng.random() < chance}
    if time == "night" and not sky & {"moon", "stars"}:
        sky.add("stars")
    return sky


def _land(rng: np.random.Generator) -> set[str]:
    if rng.random() < 0.13:
        land = {"desert"}
    else:
        water = rng.choice(["lake", "sea", "none"], p=[0.45, 0.2, 0.35])
        land = {str(water)} - {"none"}
        if rng.random() < 0.5:
            land.add("forest")
    if rng.random() < 0.65:
        land.add("mountains")
    return land


def sample(seed: int) -> Scene:
    """Return the scene of a seed: the same seed gives the same scene."""
    rng = np.random.default_rng([seed, 1])
    time = TIMES[rng.integers(len(TIMES))]
    season = SEASONS[rng.integers(len(SEASONS))]
    elements = _land(rng) | _sky(rng, time)
    if rng.random() < 0.4:
        elements.add("snow")
    return Scene(seed, time, season, consistent(elements, time, season))


def relit(scene: Scene, time: str, season: str) -> Scene:
    """Return the same place at another time and season; what stands in the sky follows the hour."""
    elements = set(scene.elements)
    if time == "night" and scene.time != "night":
        elements |= {"moon", "stars"}
    if time != "night" and scene.time == "night":
        elements.add("sun")
    if season != "winter" and scene.season == "winter":
        elements.discard("snow")
    return replace(scene, time=time, season=season, elements=consistent(elements, time, season))


def variants(scene: Scene, count: int) -> list[Scene]:
    """
    Return the scene and ``count - 1`` others of its place.

    Two seasons, several times, some elements toggled.
    """
    rng = np.random.default_rng([scene.seed, 2])
    seasons = [scene.season, str(rng.choice([s for s in SEASONS if s != scene.season]))]
    times = [str(t) for t in rng.permutation(TIMES)]
    result = [scene]
    for index in range(1, count):
        time, season = times[index % len(times)], seasons[index % 2]
        base = relit(scene, time, season)
        elements = set(base.elements)
        if rng.random() < 0.5:
            elements = (elements - set(SKY)) | _sky(rng, time)
        if rng.random() < 0.15:
            elements ^= {"snow"}
        if rng.random() < 0.12:
            elements ^= {str(rng.choice(["forest", "mountains", "lake"]))}
        result.append(replace(base, elements=consistent(elements, time, season)))
    return result
