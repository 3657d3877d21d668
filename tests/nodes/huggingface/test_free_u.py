"""FreeU: its numbers change the image, and nothing of it is left in the shared weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import NodeError
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_prompt_regions import draw, far

if TYPE_CHECKING:
    from collections.abc import Callable


def test_each_number_counts_and_none_stays(model: Callable[[str], str], recorder: Recorder) -> None:
    repo = model("stable_diffusion")
    plain = draw(recorder, repo)
    made = draw(recorder, repo, free_u=[1.6, 1.4, 0.3, 0.2])
    assert far(made, plain) > 1
    assert far(draw(recorder, repo, free_u=[1.0, 1.0, 1.0, 1.0]), plain) <= 1
    assert far(draw(recorder, repo), plain) == 0, "the weights are shared"
    assert recorder.warnings == []


def test_other_families_say_that_they_have_none(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    draw(recorder, model("stable_diffusion_3"), free_u=[1.6, 1.4, 0.3, 0.2])
    assert "free_u is not used: StableDiffusion3Pipeline" in recorder.warnings[-1]


def test_three_numbers_are_refused(recorder: Recorder) -> None:
    with pytest.raises(NodeError, match="free_u has 3 numbers"):
        TextToImage(free_u=[1.0, 1.0, 1.0]).process(recorder.context)
