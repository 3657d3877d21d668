"""Edges, depths, segments and poses."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, MarigoldDepthPipeline, MarigoldNormalsPipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import (
    CLIPTextModel,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)

from nodes.huggingface.canny import _hysteresis, canny_edges
from nodes.huggingface.model_kinds import DepthModel, NormalsModel, PoseModel, SegmentationModel
from nodes.huggingface.openpose import Keypoint, draw_pose
from nodes.huggingface.preprocessing import (
    Canny,
    EstimateDepth,
    EstimateNormals,
    EstimatePose,
    SegmentImage,
)
from nodetool_core import ImageData, NodeError
from nodetool_core.errors import ModelError
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.tiny_parts import clip_config, clip_tokenizer, unet, vae
from tests.nodes.huggingface.tiny_segmenters import save, segformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes.huggingface.recorder import Recorder


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return the directory of a tiny network, by what it does."""
    made: dict[str, str] = {}

    def directory(name: str) -> str:
        if name not in made:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                made[name] = BUILDERS[name](tmp_path_factory.mktemp(name))
        return made[name]

    return directory


def depth(directory: Path) -> str:
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        out_features=["stage1", "stage2"],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        patch_size=14,
        reassemble_factors=[1, 1],
        neck_hidden_sizes=[8, 8],
        fusion_hidden_size=8,
        head_in_index=-1,
        head_hidden_size=8,
    )
    size = {
        "size": {"height": 56, "width": 56},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 14,
        "do_resize": True,
    }
    return save(
        DepthAnythingForDepthEstimation(config),
        directory,
        {"image_processor_type": "DPTImageProcessor", **size},
    )


def segments(directory: Path) -> str:
    return segformer(directory, "sky", "water", "tree")


def pose(directory: Path) -> str:
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48],
        patch_size=[16, 16],
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        out_features=["stage1"],
        out_indices=[1],
    )
    config = VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=True)
    return save(
        VitPoseForPoseEstimation(config),
        directory,
        {"image_processor_type": "VitPoseImageProcessor"},
    )


def marigold(cls: type[Any], directory: Path) -> str:
    """Save a pipeline that looks at latents of an image beside those of the estimate."""
    pipeline = cls(
        unet=unet(in_channels=8),
        vae=vae(),
        scheduler=DDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing"),
        text_encoder=CLIPTextModel(clip_config()).eval(),
        tokenizer=clip_tokenizer(),
        default_denoising_steps=2,
        default_processing_resolution=64,
    )
    pipeline.save_pretrained(directory)
    return str(directory)


BUILDERS: dict[str, Callable[[Path], str]] = {
    "depth": depth,
    "segments": segments,
    "pose": pose,
    "marigold depth": partial(marigold, MarigoldDepthPipeline),
    "marigold normals": partial(marigold, MarigoldNormalsPipeline),
}


def test_a_step_is_one_thin_line() -> None:
    tones = np.zeros((9, 12), np.uint8)
    tones[:, 6:] = 255
    for turned in (tones, tones.T, 255 - tones):
        found = canny_edges(turned, 100, 200)
        along = found if turned.shape == tones.shape else found.T
        assert (along.sum(axis=1) == 1).all() and set(np.nonzero(along)[1]) <= {5, 6}
    diagonal = np.triu(np.full((12, 12), 255, np.uint8))
    found = canny_edges(diagonal, 100, 200)
    assert 10 <= found.sum() <= 24 and abs(np.subtract(*np.nonzero(found))).max() <= 1


def test_thresholds_say_what_an_edge_is() -> None:
    tones = np.zeros((20, 12), np.float32)
    tones[:, 6:] = np.linspace(10, 60, 20)[:, None]  # slopes of 40 to 240, growing downward
    strong, chained, weak = (
        canny_edges(tones, *limits).sum() for limits in ((200, 200), (100, 200), (0, 1000))
    )
    assert 0 < strong < chained < 20 and weak == 0
    assert canny_edges(np.full((5, 5), 90), 0, 1).sum() == 0


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=7))
def test_chains_are_followed_as_by_hand(rows: list[list[int]]) -> None:
    grid = np.array(rows)
    weak, strong = grid >= 1, grid == 3
    reached, pending = set(), [tuple(place) for place in np.argwhere(strong)]
    while pending:
        row, column = pending.pop()
        if (
            (row, column) in reached
            or not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1])
            or not weak[row, column]
        ):
            continue
        reached.add((row, column))
        pending += [(row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    assert {tuple(place) for place in np.argwhere(_hysteresis(weak, strong))} == reached


def test_canny_draws_what_is_there(recorder: Recorder) -> None:
    def run(**properties: Any) -> Image.Image:
        result = Canny(image=ImageData.of(scene(80, 60)), **properties).process(recorder.context)
        assert isinstance(result, ImageData)
        return result.image

    lines = run()
    assert (lines.size, lines.mode) == ((80, 60), "RGB")
    assert {colour for _, colour in lines.getcolors() or ()} == {(0, 0, 0), (255, 255, 255)}
    assert np.asarray(run(smoothing=8.0)).sum() < np.asarray(lines).sum()
    with pytest.raises(NodeError, match="above high_threshold"):
        run(low_threshold=300)


def test_depths_are_grey_and_use_the_whole_range(
    network: Callable[[str], str], recorder: Recorder
) -> None:
    result = EstimateDepth(
        model=DepthModel(repo_id=network("depth")), image=ImageData.of(scene(90, 60))
    ).process(recorder.context)
    assert isinstance(result, ImageData)
    assert (result.image.size, result.image.mode) == ((90, 60), "RGB")
    assert result.image.convert("L").getextrema() == (0, 255)
    red, green, blue = result.image.split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()


def called(cls: type[Any], directory: str, image: Image.Image, steps: int | None) -> Any:
    """Return what diffusers itself estimates."""
    pipeline = cls.from_pretrained(directory)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(0)
    return pipeline(image, num_inference_steps=steps, generator=generator).prediction[0]


def test_marigold_estimates_depths(network: Callable[[str], str], recorder: Recorder) -> None:
    directory, image = network("marigold depth"), scene(90, 60)

    def run(**properties: Any) -> Any:
        node = EstimateDepth(
            model=DepthModel(repo_id=directory), image=ImageData.of(image), **properties
        )
        return node.process(recorder.context)

    result = run()
    far = called(MarigoldDepthPipeline, directory, image, None)[..., 0]
    near = (far.max() - far) / (far.max() - far.min()) * 255
    assert np.abs(np.asarray(result.image.convert("L")) - near).max() <= 1
    assert run(num_inference_steps=4).image.tobytes() != result.image.tobytes()


def test_marigold_estimates_normals(network: Callable[[str], str], recorder: Recorder) -> None:
    directory, image = network("marigold normals"), scene(90, 60)
    result, turned = (
        EstimateNormals(
            model=NormalsModel(repo_id=directory), image=ImageData.of(image), green_down=green_down
        ).process(recorder.context)
        for green_down in (False, True)
    )
    assert isinstance(result, ImageData) and isinstance(turned, ImageData)
    expected = (called(MarigoldNormalsPipeline, directory, image, None) + 1) / 2 * 255
    shown = np.asarray(result.image, np.float32)
    assert shown.shape == (60, 90, 3) and np.abs(shown - expected).max() <= 1
    red, green, blue = np.moveaxis(np.asarray(turned.image, np.float32), -1, 0)
    assert np.array_equal(red, shown[..., 0]) and np.array_equal(blue, shown[..., 2])
    assert np.abs(green + shown[..., 1] - 255).max() <= 1


def test_a_model_that_estimates_something_else_is_refused(
    network: Callable[[str], str], recorder: Recorder
) -> None:
    image = ImageData.of(scene(90, 60))
    with pytest.raises(ModelError, match="does depth-estimation"):
        EstimateNormals(model=NormalsModel(repo_id=network("marigold depth")), image=image).process(
            recorder.context
        )
    with pytest.raises(ModelError, match="does normals-estimation"):
        EstimateDepth(model=DepthModel(repo_id=network("marigold normals")), image=image).process(
            recorder.context
        )
    with pytest.raises(ModelError, match=r"has no model_index\.json"):
        EstimateNormals(model=NormalsModel(repo_id=network("depth")), image=image).process(
            recorder.context
        )


def test_segments_have_names_colours_and_a_mask(
    network: Callable[[str], str], recorder: Recorder
) -> None:
    def run(**properties: Any) -> Any:
        return SegmentImage(
            model=SegmentationModel(repo_id=network("segments")),
            image=ImageData.of(scene(90, 60)),
            **properties,
        ).process(recorder.context)

    found = run()
    assert isinstance(found.output, ImageData) and found.output.image.size == (90, 60)
    assert found.labels and set(found.labels) <= {"sky", "water", "tree"}
    assert len(found.output.image.getcolors()) == len(found.labels)
    shares = [
        np.asarray(run(label=label).mask.image).mean() / 255 for label in ("sky", "Water", "tree")
    ]
    assert sum(shares) == pytest.approx(1)
    with pytest.raises(NodeError, match="knows no 'moon'"):
        run(label="moon")


def test_a_pose_is_a_figure_in_the_image(network: Callable[[str], str], recorder: Recorder) -> None:
    node = EstimatePose(
        model=PoseModel(repo_id=network("pose")), image=ImageData.of(scene(60, 80)), threshold=0.0
    )
    result = node.process(recorder.context)
    assert isinstance(result, ImageData)
    assert (result.image.size, result.image.mode) == ((60, 80), "RGB")
    assert len(result.image.getcolors() or ()) > 5
    nobody = EstimatePose(model=node.model, image=node.image, threshold=1.0).process(
        recorder.context
    )
    assert isinstance(nobody, ImageData) and nobody.image.getbbox() is None


def test_a_figure_has_its_joints_where_they_are() -> None:
    joints = [Keypoint(10 + 5 * index, 20 + 3 * index, 1.0) for index in range(17)]
    figure = draw_pose((128, 128), joints, 0.5)
    assert all(figure.getpixel((joint.x, joint.y)) != (0, 0, 0) for joint in joints)
    unsure = [
        joint._replace(score=0.4) if index == 16 else joint for index, joint in enumerate(joints)
    ]
    assert draw_pose((128, 128), unsure, 0.5).getpixel((joints[16].x, joints[16].y)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("node", "wrong"),
    [(EstimateDepth, "segments"), (SegmentImage, "depth"), (EstimatePose, "depth")],
)
def test_networks_for_something_else_are_refused(
    node: Any, wrong: str, network: Callable[[str], str], recorder: Recorder
) -> None:
    with pytest.raises(NodeError) as caught:
        node(model=network(wrong), image=ImageData.of(scene())).process(recorder.context)
    assert caught.value.problem.code == "model_unfit" and caught.value.problem.hint
