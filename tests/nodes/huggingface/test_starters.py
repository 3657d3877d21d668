"""Each example that downloads a model makes an image, with a tiny model of the same family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nodetool_core import ImageData, Workflow
from nodetool_core.engine.engine import Engine
from nodetool_core.workflow import WorkflowDocument
from tests.nodes.huggingface import test_aura_sr, tiny_segmenters
from tests.nodes.huggingface.test_image_to_image import scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nodetool_core.models.manager import ModelManager

GRAPHS = Path(__file__).resolve().parents[3] / "graphs"

STARTERS = {
    "aura_sr": {"fal/AuraSR-v2": "aura_sr"},
    "controlnet_canny": {
        "stable-diffusion-v1-5/stable-diffusion-v1-5": "stable_diffusion",
        "lllyasviel/control_v11p_sd15_canny": "controlnet",
    },
    "cut_out": {"briaai/RMBG-1.4": "isnet"},
    "flux": {"black-forest-labs/FLUX.1-schnell": "flux"},
    "flux_kontext": {"black-forest-labs/FLUX.1-Kontext-dev": "flux_kontext"},
    "instruct_pix2pix": {"timbrooks/instruct-pix2pix": "instruct_pix2pix"},
    "kandinsky": {"kandinsky-community/kandinsky-2-2-decoder": "kandinsky22"},
    "keep_detail_sdxl": {"stabilityai/stable-diffusion-xl-base-1.0": "stable_diffusion_xl"},
    "qwen_image_edit": {"Qwen/Qwen-Image-Edit-2509": "qwen_edit_plus"},
    "sd_upscaler": {"stabilityai/stable-diffusion-x4-upscaler": "upscale"},
    "sdxl": {"stabilityai/stable-diffusion-xl-base-1.0": "stable_diffusion_xl"},
    "sdxl_turbo": {"stabilityai/sdxl-turbo": "stable_diffusion_xl"},
    "stable_diffusion": {"stable-diffusion-v1-5/stable-diffusion-v1-5": "stable_diffusion"},
    "stable_diffusion_3": {"stabilityai/stable-diffusion-3.5-medium": "stable_diffusion_3"},
}
"""The examples, with the model that stands for each that they name."""

SLOW = {"flux", "flux_kontext", "qwen_image_edit"}
"""Their families look at thousands of tokens, however small the model is."""

QUICK = {"num_inference_steps": 2, "strength": 1.0}
SIDE = 64


@pytest.fixture
def engine(manager: ModelManager) -> Iterator[Engine]:
    with Engine(models=manager) as made:
        yield made


@pytest.fixture
def stand_in(
    model: Callable[[str], str], adapter: Callable[[str, str], str], tmp_path: Path
) -> Callable[[str], str]:
    """Return the path of a tiny model, by its name in STARTERS."""
    others: dict[str, Callable[[], str]] = {
        "aura_sr": lambda: test_aura_sr.saved(tmp_path / "aura_sr"),
        "controlnet": lambda: adapter("controlnet", "stable_diffusion"),
        "isnet": lambda: str(tiny_segmenters.isnet(tmp_path)),
    }
    return lambda name: others[name]() if name in others else model(name)


def test_every_example_that_downloads_is_a_starter() -> None:
    named = {path.stem for path in GRAPHS.glob("*.json") if "Downloads" in path.read_text()}
    assert named == set(STARTERS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in STARTERS]
)
def test_a_starter_makes_an_image(
    name: str, stand_in: Callable[[str], str], engine: Engine
) -> None:
    text = (GRAPHS / f"{name}.json").read_text()
    for wanted, small in STARTERS[name].items():
        assert json.dumps(wanted) in text or name == "cut_out", "its Hub id is filled in"
        text = text.replace(json.dumps(wanted), json.dumps(stand_in(small)))
    document = WorkflowDocument.from_text(text)
    workflow = Workflow.from_document(document, base=GRAPHS, engine=engine)
    given: dict[str, Any] = {
        name: value for name, value in QUICK.items() if name in workflow.graph.inputs()
    }
    given |= {
        f"{node.id}.{side}": SIDE
        for node in workflow.graph.nodes
        for side in ("width", "height")
        if node.spec.node_type == "nodetool.image.Fit"
    }
    if name == "cut_out":
        given["subject.model"] = stand_in("isnet")
    given["image"] = ImageData.of(scene(SIDE, SIDE))
    result = workflow.run(given)
    made = result["image"]
    assert isinstance(made, ImageData) and min(made.image.size) >= SIDE
