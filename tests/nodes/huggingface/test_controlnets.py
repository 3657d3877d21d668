"""ControlNets: which pipeline takes one, which network fits; shared modules stay intact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diffusers
import pytest
from PIL import Image

from nodes.huggingface.image_to_image import ImageToImage, Inpainting
from nodes.huggingface.model_kinds import ControlNetModel
from nodes.huggingface.text_to_image import TextToImage
from nodetool_core import ImageData, ModelRef, NodeError
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.controls import controlnet_pipeline_class
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.test_inpainting import spot

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.models.manager import ModelManager
    from tests.nodes.huggingface.recorder import Recorder

SIZE = (64, 48)
RINGS = ImageData.of(Image.radial_gradient("L").convert("RGB").resize(SIZE))
QUICK: dict[str, Any] = {"prompt": "a lake", "num_inference_steps": 2, "seed": 1}


def transform(recorder: Recorder, repo_id: str, **properties: Any) -> bytes:
    node = ImageToImage(
        model=repo_id, image=ImageData.of(scene(*SIZE)), strength=1.0, **QUICK | properties
    )
    return _pixels(node.process(recorder.context).output)


def fill(recorder: Recorder, repo_id: str, **properties: Any) -> bytes:
    node = Inpainting(
        model=repo_id,
        image=ImageData.of(scene(*SIZE)),
        mask_image=ImageData.of(spot(SIZE)),
        **QUICK | properties,
    )
    return _pixels(node.process(recorder.context).output)


def draw(recorder: Recorder, repo_id: str, **properties: Any) -> bytes:
    node = TextToImage(model=repo_id, width=SIZE[0], height=SIZE[1], **QUICK | properties)
    return _pixels(node.process(recorder.context).output)


def _pixels(image: Any) -> bytes:
    assert isinstance(image, ImageData)
    return image.image.tobytes()


@pytest.mark.parametrize(
    ("pipeline", "task", "net", "found"),
    [
        (
            "StableDiffusionImg2Img",
            "image-to-image",
            "ControlNet",
            "StableDiffusionControlNetImg2Img",
        ),
        (
            "StableDiffusionXLPAGImg2Img",
            "image-to-image",
            "ControlNet",
            "StableDiffusionXLControlNetPAGImg2Img",
        ),
        (
            "StableDiffusionXLInpaint",
            "inpainting",
            "ControlNetUnion",
            "StableDiffusionXLControlNetUnionInpaint",
        ),
        (
            "StableDiffusionXLControlNet",
            "text-to-image",
            "ControlNetUnion",
            "StableDiffusionXLControlNetUnion",
        ),
        (
            "StableDiffusionXLControlNetUnionImg2Img",
            "image-to-image",
            "ControlNet",
            "StableDiffusionXLControlNetImg2Img",
        ),
        (
            "StableDiffusion3Inpaint",
            "inpainting",
            "ControlNet",
            "StableDiffusion3ControlNetInpainting",
        ),
        ("QwenImageInpaint", "inpainting", "ControlNet", "QwenImageControlNetInpaint"),
        ("StableDiffusion3Img2Img", "image-to-image", "ControlNet", None),
        ("StableDiffusionInpaint", "inpainting", "ControlNetUnion", None),
        ("StableDiffusionXLPAGInpaint", "inpainting", "ControlNet", None),
        ("FluxKontext", "image-to-image", "ControlNet", None),
    ],
)
def test_the_pipeline_that_goes_with_a_network(
    pipeline: str, task: str, net: str, found: str | None
) -> None:
    expected = getattr(diffusers, f"{found}Pipeline") if found else None
    assert (
        controlnet_pipeline_class(getattr(diffusers, f"{pipeline}Pipeline"), task, net) is expected
    )


@pytest.mark.parametrize("call", [transform, fill, draw])
def test_a_union_is_told_the_kind_of_its_image(
    call: Callable[..., bytes],
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    given = {
        "controlnet": ControlNetModel(repo_id=adapter("controlnet_union", "stable_diffusion_xl")),
        "control_image": RINGS,
    }
    plain = call(recorder, model("stable_diffusion_xl"))
    results = [
        call(recorder, model("stable_diffusion_xl"), control_mode=mode, **given) for mode in (0, 3)
    ]
    assert len({plain, *results}) == 3
    for wrong in (-1, 6):
        with pytest.raises(NodeError, match="knows 6 kinds of control images") as caught:
            call(recorder, model("stable_diffusion_xl"), control_mode=wrong, **given)
        assert caught.value.problem.where == "control_mode"
    assert recorder.warnings == []


def test_a_network_of_one_kind_is_told_none(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    given = {
        "controlnet": ControlNetModel(repo_id=adapter("controlnet", "stable_diffusion")),
        "control_image": RINGS,
    }
    plain = transform(recorder, model("stable_diffusion"), **given)
    assert transform(recorder, model("stable_diffusion"), control_mode=3, **given) == plain
    assert recorder.warnings == [
        "control_mode is not used: StableDiffusionControlNetImg2ImgPipeline has no such setting."
    ]


@pytest.mark.parametrize(
    ("call", "family", "kind", "of", "message"),
    [
        (fill, "stable_diffusion_3", "controlnet", "stable_diffusion_3", "looks at no mask"),
        (
            draw,
            "stable_diffusion_3",
            "controlnet_for_inpainting",
            "stable_diffusion_3",
            "looks at a mask besides",
        ),
        (draw, "qwen_image", "controlnet_for_inpainting", "qwen_image", "looks at a mask besides"),
        (
            draw,
            "stable_diffusion",
            "controlnet_union",
            "stable_diffusion_xl",
            "is no ControlNet for StableDiffusionPipeline",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_refused(
    call: Callable[..., bytes],
    family: str,
    kind: str,
    of: str,
    message: str,
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    recorder: Recorder,
) -> None:
    with pytest.raises(NodeError, match=message) as caught:
        call(
            recorder,
            model(family),
            controlnet=ControlNetModel(repo_id=adapter(kind, of)),
            control_image=RINGS,
        )
    assert (caught.value.problem.code, caught.value.problem.where) == ("model_unfit", "controlnet")
    assert caught.value.problem.hint


def test_a_model_saved_with_a_network_for_masks_draws_nothing_from_texts(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(NodeError, match="looks at a mask besides"):
        draw(recorder, model("controlnet_sd3_inpainting"), control_image=RINGS)


def test_what_sees_the_mask_needs_no_control_image(
    model: Callable[[str], str], adapter: Callable[[str, str], str], recorder: Recorder
) -> None:
    net = ControlNetModel(repo_id=adapter("controlnet_for_inpainting", "stable_diffusion_3"))
    result = fill(recorder, model("stable_diffusion_3"), controlnet=net)
    assert recorder.warnings == []
    assert (
        fill(recorder, model("stable_diffusion_3"), controlnet=net, control_image=RINGS) == result
    )
    assert recorder.warnings == [
        "control_image is not used: StableDiffusion3ControlNetInpaintingPipeline has no such"
        " setting."
    ]


def test_a_pipeline_that_only_follows_images_changes_none(
    model: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(ModelError, match="can't be used for image-to-image"):
        transform(recorder, model("controlnet_sd_pag"), control_image=RINGS)


def test_nothing_is_hung_on_a_network_that_is_shared(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    manager: ModelManager,
    recorder: Recorder,
) -> None:
    ref = ControlNetModel(repo_id=adapter("controlnet", "z_image"))
    draw(recorder, model("z_image"), controlnet=ref, control_image=RINGS)
    with manager.use(ref, "network", context=recorder.context) as lease:
        # Z-Image's pipeline hangs modules of its transformer on the network that it gets.
        part = lease.part
        assert part.model.t_embedder is None and part.model.all_x_embedder is None


def test_nothing_is_hung_on_the_network_of_a_saved_pipeline(
    model: Callable[[str], str], manager: ModelManager, recorder: Recorder
) -> None:
    saved = model("controlnet_z_image_inpainting")
    with manager.use(ModelRef(repo_id=saved), "inpainting", context=recorder.context) as lease:
        pipeline = lease.pipeline
        assert pipeline.controlnet.t_embedder is pipeline.transformer.t_embedder
    with manager.use(
        ModelRef(repo_id=saved), "network:controlnet", context=recorder.context
    ) as lease:
        part = lease.part
        assert part.model.t_embedder is None
