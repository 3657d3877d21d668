"""
Captions as a user would type them: synonyms, free order, attributes left out, commands and lists.

What a caption leaves out may be anything. ``require`` names what it must say: for an edit these are
the attributes in which the picture before and the picture after differ, so that the rest is kept.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np

from training.tiny_landscapes.scenes import Scene

Phrases = tuple[str, ...]

TIME_NOUN: Final[dict[str, Phrases]] = {
    "dawn": ("dawn", "dawn", "daybreak", "sunrise", "sunrise", "early morning", "morning"),
    "noon": ("noon", "noon", "midday", "daytime", "day", "daylight"),
    "sunset": ("sunset", "sunset", "sunset", "dusk", "evening", "sundown", "golden hour"),
    "night": ("night", "night", "night", "midnight", "nighttime"),
}
TIME_WHEN: Final[dict[str, Phrases]] = {
    "dawn": (
        "at dawn",
        "at dawn",
        "at daybreak",
        "at sunrise",
        "at sunrise",
        "in the early morning",
        "in the morning",
        "at first light",
    ),
    "noon": (
        "at noon",
        "at noon",
        "at midday",
        "during the day",
        "by day",
        "in daylight",
        "in bright daylight",
        "on a sunny day",
        "in the afternoon",
    ),
    "sunset": (
        "at sunset",
        "at sunset",
        "at sunset",
        "at dusk",
        "in the evening",
        "at sundown",
        "during golden hour",
        "as the sun sets",
    ),
    "night": (
        "at night",
        "at night",
        "at night",
        "at midnight",
        "by night",
        "in the night",
        "after dark",
    ),
}
TIME_LOOK: Final[dict[str, Phrases]] = {
    "dawn": (
        "pink morning sky",
        "pale pink sky",
        "soft morning light",
        "lavender sky",
        "dawn sky",
        "sunrise sky",
        "morning light",
    ),
    "noon": (
        "blue sky",
        "bright sunshine",
        "bright blue sky",
        "sunny",
        "bright day",
        "midday light",
        "daylight",
    ),
    "sunset": (
        "orange sky",
        "red sky",
        "sunset sky",
        "fiery sky",
        "warm evening light",
        "glowing red sky",
        "evening sky",
        "sunset colors",
    ),
    "night": ("dark sky", "night sky", "dark night", "dark", "nighttime", "black sky"),
}
SEASON_NOUN: Final[dict[str, Phrases]] = {
    "spring": ("spring", "spring", "springtime"),
    "summer": ("summer", "summer", "summertime"),
    "autumn": ("autumn", "autumn", "fall"),
    "winter": ("winter", "winter", "wintertime"),
}
SEASON_WHEN: Final[dict[str, Phrases]] = {
    "spring": ("in spring", "in spring", "in springtime", "in april", "in may", "in the spring"),
    "summer": ("in summer", "in summer", "in july", "in august", "in the summer", "in june"),
    "autumn": ("in autumn", "in autumn", "in fall", "in october", "in the fall", "in november"),
    "winter": (
        "in winter",
        "in winter",
        "in january",
        "in december",
        "in the winter",
        "in the snow",
    ),
}
SEASON_IS: Final[dict[str, Phrases]] = {
    "spring": ("spring", "spring", "blooming", "blossoming", "springtime"),
    "summer": ("summer", "summer", "lush", "lush green", "summery"),
    "autumn": ("autumn", "autumn", "fall", "autumnal"),
    "winter": ("winter", "winter", "snowy", "snowy", "wintry", "frozen", "snow covered"),
}
SEASON_LOOK: Final[dict[str, Phrases]] = {
    "spring": (
        "blossoms",
        "spring flowers",
        "fresh green grass",
        "flowers in bloom",
        "cherry blossoms",
        "pink flowers",
    ),
    "summer": (
        "lush green grass",
        "deep green meadows",
        "lush greenery",
        "warm summer",
        "green summer grass",
    ),
    "autumn": (
        "orange leaves",
        "falling leaves",
        "red and orange foliage",
        "autumn colors",
        "autumn leaves",
        "fall colors",
    ),
    "winter": (
        "snow",
        "deep snow",
        "covered in snow",
        "snow everywhere",
        "fresh snow",
        "ice and snow",
        "snow on the ground",
    ),
}
THING: Final[dict[str, Phrases]] = {
    "mountains": ("mountains", "mountains", "mountain", "a mountain", "peaks", "a mountain range"),
    "lake": ("a lake", "a lake", "lake", "a still lake", "a quiet lake", "water"),
    "sea": ("the sea", "the sea", "sea", "the ocean", "ocean", "a beach", "the coast", "water"),
    "forest": ("a forest", "a forest", "forest", "trees", "woods", "pine trees"),
    "desert": ("a desert", "desert", "sand dunes", "dunes", "sand"),
    "sun": ("the sun", "the sun", "sun", "a shining sun"),
    "moon": ("the moon", "moon", "a full moon", "moonlight"),
    "stars": ("stars", "stars", "a starry sky", "many stars", "starry night"),
    "clouds": ("clouds", "clouds", "a cloudy sky", "some clouds", "cloudy"),
    "snow": ("snow-capped mountains", "snowy peaks", "snow on the peaks", "snow-capped peaks"),
}
ABSENT: Final[dict[str, Phrases]] = {
    "mountains": ("no mountains", "without mountains", "flat land", "hills"),
    "lake": ("no lake", "without a lake", "no water"),
    "sea": ("no sea", "no water"),
    "forest": ("no trees", "without trees", "no forest", "open land"),
    "desert": ("no sand",),
    "sun": ("no sun", "without the sun"),
    "moon": ("no moon", "moonless"),
    "stars": ("no stars", "starless"),
    "clouds": ("clear sky", "no clouds", "cloudless sky", "a clear sky"),
    "snow": ("no snow", "without snow", "bare peaks"),
}
MOOD: Final[Phrases] = (
    "beautiful",
    "beautiful",
    "peaceful",
    "quiet",
    "calm",
    "lovely",
    "stunning",
    "dramatic",
    "serene",
    "wide",
    "scenic",
    "idyllic",
    "pretty",
)
PLACE: Final[Phrases] = (
    "landscape",
    "landscape",
    "landscape",
    "scene",
    "view",
    "scenery",
    "nature",
    "picture",
    "place",
    "world",
)
OPENING: Final[Phrases] = (
    "a painting of",
    "a photo of",
    "a picture of",
    "a view of",
    "an image of",
    "photo of",
    "painting of",
)
ORDER: Final[Phrases] = (
    "make it",
    "turn it into",
    "change it to",
    "make this",
    "turn this into",
    "now",
    "show it as",
    "transform it into",
)
TAIL: Final[Phrases] = (
    "high quality",
    "detailed",
    "digital art",
    "4k",
    "masterpiece",
    "highly detailed",
    "realistic",
    "soft light",
    "illustration",
)


def _pick(rng: np.random.Generator, phrases: Phrases) -> str:
    return phrases[int(rng.integers(len(phrases)))]


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _things(scene: Scene, rng: np.random.Generator, require: Collection[str]) -> list[str]:
    """
    Phrases for the elements to name, in free order; absent ones are named only where required.
    """
    words: list[str] = []
    keep = 0.15 + 0.6 * float(rng.random())
    for name in sorted(scene.elements | set(require)):
        if name in ("time", "season") or (name == "snow" and scene.season == "winter"):
            continue
        if not scene.has(name):
            words.append(_pick(rng, ABSENT[name]))
        elif name in require or rng.random() < keep:
            words.append(_pick(rng, THING[name]))
    if "clouds" not in require and not scene.has("clouds") and rng.random() < 0.08:
        words.append(_pick(rng, ABSENT["clouds"]))
    return [words[i] for i in rng.permutation(len(words))]


def _sentence(
    rng: np.random.Generator, time: str | None, season: str | None, things: list[str]
) -> str:
    """
    Return a beautiful autumn landscape with mountains and a lake at sunset, in one of its orders.
    """
    before: list[str] = [_pick(rng, MOOD)] if rng.random() < 0.45 else []
    after: list[str] = []
    if season:
        if rng.random() < 0.5:
            before.append(_pick(rng, SEASON_IS[season]))
        else:
            after.append(_pick(rng, SEASON_WHEN[season]))
    if time:
        if rng.random() < 0.25:
            before.append(_pick(rng, TIME_NOUN[time]))
        else:
            after.append(_pick(rng, TIME_WHEN[time]))
    after = [after[i] for i in rng.permutation(len(after))]
    if things and rng.random() < 0.4:
        subject = " ".join(
            [
                *before,
                *([] if before and rng.random() < 0.5 else [_pick(rng, PLACE), "with"]),
                _join(things),
            ]
        )
    else:
        subject = " ".join([*before, _pick(rng, PLACE)]) + (
            " with " + _join(things) if things else ""
        )
    if rng.random() < 0.6:
        subject = _article(subject)
    if rng.random() < 0.25:
        subject = _pick(rng, OPENING) + " " + subject
    return " ".join([subject, *after])


def _command(
    rng: np.random.Generator, time: str | None, season: str | None, things: list[str]
) -> str:
    """Make it snowy, night sky with stars."""
    wishes: list[str] = []
    if time and season and rng.random() < 0.4:
        wishes.append(_article(f"{_pick(rng, SEASON_IS[season])} {_pick(rng, TIME_NOUN[time])}"))
    else:
        if season:
            wishes.append(_pick(rng, SEASON_IS[season] + SEASON_NOUN[season] + SEASON_LOOK[season]))
        if time:
            wishes.append(_pick(rng, TIME_NOUN[time] + TIME_WHEN[time] + TIME_LOOK[time]))
    wishes += things[:2] if len(things) < 5 else things
    order = _pick(rng, ORDER) + " " if rng.random() < 0.7 else ""
    return order + (
        ", ".join(wishes)
        if rng.random() < 0.6
        else " with ".join([wishes[0], _join(wishes[1:])] if wishes[1:] else wishes)
    )


def _listing(
    rng: np.random.Generator, time: str | None, season: str | None, things: list[str]
) -> str:
    """Mountains, lake, autumn, night."""
    words = [thing.removeprefix("a ").removeprefix("the ") for thing in things]
    if time:
        words.append(_pick(rng, TIME_NOUN[time] + TIME_WHEN[time] + TIME_LOOK[time]))
    if season:
        words.append(_pick(rng, SEASON_NOUN[season] + SEASON_IS[season] + SEASON_LOOK[season]))
    if rng.random() < 0.25:
        words.append(f"{_pick(rng, MOOD)} {_pick(rng, PLACE)}")
    words = [words[i] for i in rng.permutation(len(words))]
    return (" " if rng.random() < 0.15 and len(words) < 4 else ", ").join(words)


def _unimplied(scene: Scene, require: set[str]) -> set[str]:
    """
    Less what the new hour and season bring by themselves.

    No sun at night, no stars by day, a thaw in spring.
    """
    if "time" in require:
        require = {
            name
            for name in require
            if name not in ("sun", "moon", "stars") or (name != "sun" and scene.has(name))
        }
    if "season" in require and not scene.has("snow"):
        require = require - {"snow"}
    return require


def caption(scene: Scene, rng: np.random.Generator, require: Collection[str] = ()) -> str:
    """Return one caption that is true of the scene and says everything in ``require``."""
    must = _unimplied(scene, set(require))
    time = scene.time if "time" in must or rng.random() < 0.8 else None
    season = scene.season if "season" in must or rng.random() < 0.7 else None
    things = _things(scene, rng, must)
    if "snow" in must and scene.season == "winter":
        season = scene.season
    if rng.random() < 0.15:  # a short one
        things = [] if must <= {"time", "season"} else things
    if not (time or season or things):
        time = scene.time
    roll = rng.random()
    style = _sentence if roll < 0.5 else _command if roll < 0.72 else _listing
    words = style(rng, time, season, things)
    if rng.random() < 0.1:
        words += ", " + _pick(rng, TAIL)
    return words
