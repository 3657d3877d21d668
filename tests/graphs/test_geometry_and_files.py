"""What the examples of frames, pages, tiles and perspective make is what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nodetool_core import FolderRef, ImageData, Workflow
from tests.assets.images import scene

GRAPHS = Path(__file__).parents[2] / "graphs"


def run(name: str, base: Path, **given: Any) -> Any:
    return Workflow.load(GRAPHS / name, base=base).run(given)


def test_an_animation_comes_nearer_while_it_grows_dark(tmp_path: Path) -> None:
    photo = Image.new("RGB", (60, 40), (150, 160, 170))
    photo.paste((250, 250, 250), (25, 15, 35, 25))
    made = run("animation.json", tmp_path, image=ImageData.of(photo), frames=3, zoom=2.0)
    with Image.open(made["file"]) as film:
        assert film.n_frames == 3 and film.size == (640, 427)
        frames = []
        for number in range(3):
            film.seek(number)
            frames.append(np.asarray(film.convert("L"), float))
    assert frames[0][5, 5] > frames[1][5, 5] > frames[2][5, 5]
    bright = [(frame > (frame.min() + frame.max()) / 2).mean() for frame in frames]
    assert bright[2] / bright[0] == pytest.approx(4, rel=0.1), "twice as wide and as high"


def test_a_book_has_a_page_for_each_image_and_a_title(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(2):
        scene(80, 60).save(tmp_path / "photos" / f"{number}.jpg")
    made = run("photo_book.json", tmp_path, folder=FolderRef(uri=str(tmp_path / "photos")))
    data = Path(made["file"]).read_bytes()
    assert data.startswith(b"%PDF") and data.count(b"/Type /Page\n") == 3


def test_tiles_have_few_colours_and_their_seams_do_not_show(tmp_path: Path) -> None:
    ramp = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    made = run("gouache.json", tmp_path, image=ImageData.of(ramp), size=128, colors=40)
    image = np.asarray(made["image"].image, float)
    assert image.shape == (200, 300, 3) and np.abs(image - np.asarray(ramp)).mean() < 4
    assert np.abs(np.diff(image, axis=1)).max() <= 4, "it is even from left to right"


def test_what_hangs_in_perspective_is_straightened_again(tmp_path: Path) -> None:
    photo = scene(120, 80).resize((1240, 840), Image.Resampling.BICUBIC)
    made = run("photo_on_a_wall.json", tmp_path, image=ImageData.of(photo))
    straight = made["straightened"].image.crop((80, 80, 1320, 920)).convert("RGB")
    away = np.abs(np.asarray(straight, float) - np.asarray(photo))
    assert straight.size == photo.size and away.mean() < 4
