"""The procedural scenes: deterministic, labelled rightly, and captions true of what they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.tiny_landscapes import captions, data, examples, geometry, judge, render, scenes

SEEDS = range(data.HELD_OUT, data.HELD_OUT + 20)


def test_a_seed_always_gives_the_same_image() -> None:
    scene = scenes.sample(data.HELD_OUT)
    assert scene == scenes.sample(data.HELD_OUT)
    assert np.array_equal(render.image(scene), render.image(scene))
    assert not np.array_equal(render.image(scene), render.image(scenes.sample(data.HELD_OUT + 1)))


def test_images_have_the_shape_the_model_expects() -> None:
    pixels, labels = render.paint(scenes.sample(data.HELD_OUT))
    assert pixels.shape == (geometry.SIZE, geometry.SIZE, 3) == (128, 128, 3)
    assert pixels.min() >= 0 and pixels.max() <= 1
    assert labels.shape == (128, 128) and labels.max() < len(render.LABELS)


@pytest.mark.parametrize("seed", SEEDS)
def test_elements_can_be_seen_together(seed: int) -> None:
    for scene in scenes.variants(scenes.sample(seed), 5):
        assert scene.seed == seed
        assert scene.elements <= set(scenes.ELEMENTS)
        assert not (scene.time == "night" and scene.has("sun"))
        assert scene.time == "night" or not (scene.has("moon") or scene.has("stars"))
        assert scene.season != "winter" or scene.has("snow")
        assert not (scene.has("desert") and (scene.has("lake") or scene.has("forest")))


@pytest.mark.parametrize("seed", SEEDS)
def test_hour_and_season_repaint_a_place_without_moving_it(seed: int) -> None:
    scene = scenes.sample(seed)
    place = geometry.build(seed)
    bare = scenes.Scene(seed, scene.time, scene.season, scene.elements - set(scenes.SKY))
    ridge = judge.ridge(render.paint(bare, place)[1].astype(np.int64))
    for time in scenes.TIMES:
        other = scenes.Scene(seed, time, scenes.SEASONS[seed % 4], bare.elements)
        assert np.array_equal(judge.ridge(render.paint(other, place)[1].astype(np.int64)), ridge)


@pytest.mark.parametrize("seed", SEEDS)
def test_captions_say_what_they_must_and_nothing_false(seed: int) -> None:
    before, after = scenes.variants(scenes.sample(seed), 2)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        words = captions.caption(after, rng, {"time", "season"})
        assert any(
            phrase in words
            for phrase in _phrases(
                after.time, captions.TIME_NOUN, captions.TIME_WHEN, captions.TIME_LOOK
            )
        )
        assert any(
            phrase in words
            for phrase in _phrases(
                after.season,
                captions.SEASON_NOUN,
                captions.SEASON_WHEN,
                captions.SEASON_IS,
                captions.SEASON_LOOK,
            )
        )
        edit = captions.caption(after, rng, after.differs(before))
        for name in ("desert", "sea", "stars", "moon"):
            if not after.has(name):
                claimed = [
                    phrase
                    for phrase in captions.THING[name]
                    if phrase != "water" and phrase in edit.split(", ")
                ]
                assert not claimed, f"{edit!r} claims {name}"


def test_a_free_caption_may_leave_hour_and_season_out() -> None:
    scene = scenes.sample(data.HELD_OUT)
    rng = np.random.default_rng(0)
    lines = [captions.caption(scene, rng) for _ in range(200)]
    assert all(lines)
    assert len(set(lines)) > 150
    silent = [
        line
        for line in lines
        if not any(
            p in line for p in _phrases(scene.season, captions.SEASON_NOUN, captions.SEASON_IS)
        )
    ]
    assert silent


@pytest.mark.parametrize("season", scenes.SEASONS)
@pytest.mark.parametrize("seed", SEEDS[:8])
def test_a_season_does_not_hang_on_noise_that_the_others_hide(season: str, seed: int) -> None:
    """A squared error paints the mean over what a source does not show: still the season."""
    place, scene = geometry.build(seed), scenes.sample(seed)
    scene = scenes.relit(scene, scenes.TIMES[seed % 4], season)
    drawn = np.stack(
        [render.paint(scene, replace(place, speckle=speckle))[0] for speckle in _speckles(3)]
    )
    mean = drawn.mean(axis=0)
    others = [
        render.paint(scenes.relit(scene, scene.time, other), place)[0]
        for other in scenes.SEASONS
        if other != season
    ]
    nearest = min(float(np.square(mean - other).mean()) for other in others)
    assert np.square(drawn - mean).mean() < 0.25**2 * nearest


def _speckles(count: int) -> list[geometry.Array]:
    return [geometry.field(np.random.default_rng(seed), 26, 22, 1) for seed in range(count)]


def test_the_example_is_a_noon_in_summer() -> None:
    scene = examples.LAKE_AT_NOON
    assert scene.seed >= data.HELD_OUT
    sky = render.image(scene)[:12].reshape(-1, 3).mean(axis=0)
    assert sky[2] > sky[0], "the sky over the lake is blue"


def _phrases(name: str, *tables: dict[str, tuple[str, ...]]) -> list[str]:
    return [phrase for table in tables for phrase in table[name]]
