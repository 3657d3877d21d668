"""docs/models.md says of each family what running it shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.model_kinds import LoraModel
from nodes.huggingface.models_page import families, honours, page
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageToImageModel, Picture, Registry
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import SLOW, scene
from tests.nodes.huggingface.tiny_pipelines import FAMILIES
from tests.nodes.huggingface.tiny_text_models import TEXT_FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.models.manager import ModelManager

BASE: dict[str, Any] = {"prompt": "a lake", "strength": 0.5, "num_inference_steps": 4, "seed": 1, "guidance_scale": 5.0}
CHANGES: dict[str, Any] = {
    "negative_prompt": "fog",
    "strength": 0.75,
    "guidance_scale": 2.0,
    "scheduler": "EulerAncestralDiscreteScheduler",
}


def marked(names: list[str]) -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in names]


@pytest.mark.parametrize("family", marked([name for name in FAMILIES if name != "instruct_pix2pix"]))
def test_what_it_says_of_image_to_image_is_so(
    family: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    manager: ModelManager,
) -> None:
    ref = ImageToImageModel(repo_id=model(family))

    def run(recorder: Recorder, **properties: Any) -> Any:
        return ImageToImage(model=ref, image=Picture.of(scene()), **BASE | properties).process(recorder.context)

    recorder = Recorder(manager)
    base = run(recorder)
    with manager.use(ref, "image-to-image", context=recorder.context) as pipeline:
        pipeline_class = type(pipeline)
    assert pipeline_class.__name__ in families("image-to-image")
    assert (base.latents is not None) == honours(pipeline_class, "latents", "image-to-image")
    loras = [LoraModel(repo_id=adapter("lora", "stable_diffusion"))]
    for prop, value in (CHANGES | {"loras": loras}).items():
        honoured = honours(pipeline_class, prop, "image-to-image")
        if prop == "loras" and honoured:
            continue  # a LoRA has to be made for its family: test_steering.py has them
        changed = Recorder(manager)
        result = run(changed, **{prop: value})
        told = any(warning.startswith(f"{prop} is not used") for warning in changed.warnings)
        assert told != honoured, (prop, changed.warnings)
        assert (result.output.image.tobytes() != base.output.image.tobytes()) == honoured, prop


@pytest.mark.parametrize("family", marked(list(TEXT_FAMILIES)))
def test_what_it_says_of_text_to_image_is_so(family: str, model: Callable[[str], str], manager: ModelManager) -> None:
    def run(recorder: Recorder, **properties: Any) -> Any:
        values = {name: value for name, value in BASE.items() if name != "strength"} | {"width": 32, "height": 32} | properties
        return TextToImage(model=model(family), **values).process(recorder.context)

    recorder = Recorder(manager)
    base = run(recorder)
    with manager.use(ImageToImageModel(repo_id=model(family)), "text-to-image", context=recorder.context) as pipeline:
        pipeline_class = type(pipeline)
    assert pipeline_class.__name__ in families("text-to-image")
    assert (base.latents is not None) == honours(pipeline_class, "latents", "text-to-image")
    for prop, value in {name: value for name, value in CHANGES.items() if name != "strength"}.items():
        honoured = honours(pipeline_class, prop, "text-to-image")
        changed = Recorder(manager)
        result = run(changed, **{prop: value})
        assert any(warning.startswith(f"{prop} is not used") for warning in changed.warnings) != honoured, prop
        assert (result.output.image.tobytes() != base.output.image.tobytes()) == honoured, prop


def test_the_page_has_a_row_per_family_and_task() -> None:
    text = page()
    assert Registry.installed().pages()["models.md"] == text
    for task, title in (("text-to-image", "Text to image"), ("image-to-image", "Image to image"), ("inpainting", "Inpainting")):
        section = text.split(f"## {title}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (\w+) \|", section, re.MULTILINE)
        assert sorted(rows[1:]) == sorted(name.removesuffix("Pipeline") for name in families(task))
    assert re.search(r"^\| StableDiffusionImg2Img \| yes \| yes \| yes \|", text, re.MULTILINE)
    assert re.search(r"^\| FluxKontext \| yes \| – \| yes \|", text, re.MULTILINE)  # noqa: RUF001 - the page's dash
