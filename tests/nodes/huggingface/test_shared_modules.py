"""
What a call changes in shared modules is restored, for every family (M2).

Whether it succeeds, fails, is cancelled or runs out of memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import torch

from nodes.huggingface.image_to_image import ImageToImage
from nodes.huggingface.model_kinds import TextToImageModel
from nodetool_core import ImageData, ImageToImageModel, RunCancelled
from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface import text_families
from tests.nodes.huggingface.image_families import RUNS, SLOW
from tests.nodes.huggingface.module_digests import differences, digests
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_families import NODES, properties, rows
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_text_families import SLOW as SLOW_TEXTS
from tests.nodes.huggingface.test_text_families import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST = ("vae", "movq", "transformer", "unet", "decoder")
"""
What runs last in a call: the first of these that a model has.

Other autoencoders are not called as modules are.
"""


@pytest.fixture
def models() -> ModelManager:
    return ModelManager(device="cpu")


@contextmanager
def failing(
    models: ModelManager, times: int, kind: type[Exception] = torch.OutOfMemoryError
) -> Iterator[None]:
    """Has what runs last in a call fail the next so many times; checks that it did."""
    found = {one.name.rpartition(" ")[2]: one.module for one in models.runtime.store.components()}
    name = next(name for name in LAST if name in found)
    module: Any = found[name]
    left = [kind("CUDA out of memory. Tried to allocate 2.00 GiB") for _ in range(times)]

    def fail(*_: Any) -> None:
        if left:
            raise left.pop()

    hook = getattr(module, "decoder", module).register_forward_pre_hook(fail)
    try:
        yield
    finally:
        hook.remove()
    assert not left, f"{name} was called too rarely"


def check(
    models: ModelManager,
    run: Callable[[Recorder], Any],
    *,
    is_slow: bool,
) -> None:
    """Run two steps in each way in which they can end, and check all shared modules after it."""
    names = {one.name for one in models.runtime.store.components()}
    before = digests(models)

    def check_after(what: str) -> None:
        changed = differences(before, digests(models, names))
        assert not changed, (what, len(changed), [one[:600] for one in changed[:3]])

    with failing(models, 1):
        run(Recorder(models))
    check_after("a success after a want of memory")
    if is_slow:
        return
    with failing(models, 1, LookupError), pytest.raises(LookupError):
        run(Recorder(models))
    check_after("a failure")
    cancelled = Recorder(models)
    cancelled.cancel_at = (1, 2)
    with pytest.raises(RunCancelled):
        run(cancelled)
    check_after("a cancel")


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name"), rows(*RUNS))
def test_m2_image_families_give_back_what_they_borrowed(
    task: str, name: str, model: Callable[[str], str], models: ModelManager
) -> None:
    values = properties(task, name, model) | {"num_inference_steps": 2}
    if "strength" in values:
        values["strength"] = 1.0
    loaded = "text-to-image" if name == "FluxPipeline" else task
    with models.use(values["model"], loaded, context=Recorder(models).context):
        pass
    check(
        models,
        lambda recorder: NODES[task](**values).process(recorder.context),
        is_slow=RUNS[task][name] in SLOW,
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", marked(list(text_families.BUILDERS)))
def test_m2_text_families_give_back_what_they_borrowed(
    family: str, model: Callable[[str], str], models: ModelManager
) -> None:
    ref = TextToImageModel(repo_id=model(text_families.BUILDERS[family]))
    with models.use(ref, "text-to-image", context=Recorder(models).context):
        pass
    check(
        models,
        lambda recorder: text_families.draw(recorder, family, model),
        is_slow=family in SLOW_TEXTS,
    )


@pytest.mark.parametrize(
    ("family", "dtype", "quantization"),
    [
        ("stable_diffusion_xl", "float16", None),
        ("stable_diffusion", None, None),
        pytest.param("stable_diffusion", "bfloat16", "fp8", marks=pytest.mark.slow),
        pytest.param("stable_diffusion_xl_pag", "float16", None, marks=pytest.mark.slow),
        pytest.param("stable_diffusion_3", "bfloat16", "fp8", marks=pytest.mark.slow),
    ],
)
def test_m2_out_of_memory_leaves_number_formats_as_they_were(
    family: str, dtype: Any, quantization: Any, model: Callable[[str], str], models: ModelManager
) -> None:
    """SDXL decodes in float32 what it made in float16."""
    ref = ImageToImageModel(repo_id=model(family), dtype=dtype, quantization=quantization)
    node = ImageToImage(
        model=ref,
        image=ImageData.of(scene(64, 64)),
        prompt="a lake",
        num_inference_steps=2,
        strength=1.0,
        seed=1,
    )

    def run() -> bytes:
        made = node.process(Recorder(models).context).output
        assert isinstance(made, ImageData)
        return made.image.tobytes()

    with models.use(ref, "image-to-image", context=Recorder(models).context):
        pass
    before = digests(models)
    undisturbed = run()
    assert differences(before, digests(models)) == []
    for times in (1, 2, 3):
        with failing(models, times):
            if times == 3:
                with pytest.raises(ModelError, match="ran out of memory"):
                    run()
            elif times == 2:
                run()
            else:
                assert run() == undisturbed
        assert differences(before, digests(models)) == [], times
        assert run() == undisturbed
