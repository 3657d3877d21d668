"""Training the weights that ship further: where it starts, what it draws, what it ends in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from training.tiny_landscapes import diffusion, scenes, text
from training.tiny_landscapes.export import export, unpack

WEIGHTS = Path(__file__).resolve().parents[2] / "nodes/huggingface/weights/tiny-landscapes"
PLACES, VARIANTS = 40, 5


def _sampler(share: float, *wished: str) -> diffusion.Sampler:
    """Return a sampler over latents that hold nothing but the index of their season."""
    seasons = [
        [
            scenes.SEASONS.index(scene.season)
            for scene in scenes.variants(scenes.sample(i), VARIANTS)
        ]
        for i in range(PLACES)
    ]
    latents = np.zeros((PLACES, VARIANTS, 4, 2, 2), np.float16)
    latents += np.array(seasons, np.float16)[:, :, None, None, None]
    stores = [diffusion.Places(latents, 0, latents[:10])]
    rng = np.random.default_rng(3)
    return diffusion.Sampler(
        stores, text.tokenizer(), rng, 1.0, seasons=wished, share=share, greys=0
    )


@pytest.mark.parametrize(("share", "least", "most"), [(0, 0.2, 0.6), (0.6, 0.65, 0.9), (1, 1, 1)])
def test_a_season_takes_part_in_as_many_edits_as_asked(
    share: float, least: float, most: float
) -> None:
    batch = _sampler(share, "spring").draw(400)
    edits = batch.edit[:, 0, 0, 0]
    spring = scenes.SEASONS.index("spring")
    after, before = batch.target[edits, 0, 0, 0], batch.source[edits, 0, 0, 0]
    painted, left = after == spring, before == spring
    assert least <= (painted | left).float().mean() <= most
    assert (painted & ~left).any() and (left & ~painted).any(), "both into spring and out of it"


def test_several_seasons_take_part_equally_often() -> None:
    batch = _sampler(0.8, "spring", "summer").draw(800)
    painted = batch.target[batch.edit[:, 0, 0, 0], 0, 0, 0].long()
    counts = torch.bincount(painted, minlength=len(scenes.SEASONS)) / len(painted)
    spring, summer, autumn, winter = counts.tolist()
    assert spring == pytest.approx(summer, abs=0.1)
    assert min(spring, summer) > max(autumn, winter) >= min(autumn, winter) > 0.05


def test_a_refined_checkpoint_keeps_a_part_of_the_weights_before(tmp_path: Path) -> None:
    before, after = tmp_path / "before.pt", tmp_path / "after.pt"
    torch.save({"average": {"weight": torch.zeros(2)}}, before)
    torch.save({"average": {"weight": torch.ones(2)}, "scale": 0.5}, after)
    diffusion.blend(before, after, 0.25)
    state = torch.load(after, weights_only=True)
    assert state["average"]["weight"].tolist() == [0.75, 0.75] and state["scale"] == 0.5


def test_the_weights_that_ship_come_back_as_they_were(tmp_path: Path) -> None:
    checkpoint, codec, out = tmp_path / "start.pt", tmp_path / "vae", tmp_path / "weights"
    assert unpack(WEIGHTS, checkpoint, codec) == pytest.approx(0.964)
    size = export(checkpoint, codec, out)
    assert size <= 12_000_000
    for path in WEIGHTS.rglob("*.safetensors"):
        before, after = load_file(path), load_file(out / path.relative_to(WEIGHTS))
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
    for path in WEIGHTS.rglob("*config.json"):
        assert path.read_text() == (out / path.relative_to(WEIGHTS)).read_text(), path.name
