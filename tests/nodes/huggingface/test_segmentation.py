"""Subjects, objects at places, what texts name, and mattes, by tiny networks made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional
from transformers import (
    AutoTokenizer,
    CLIPSegForImageSegmentation,
    GroundingDinoForObjectDetection,
    Sam2Model,
    SamModel,
    SegformerForSemanticSegmentation,
)

from nodes.huggingface.isnet import load_isnet
from nodes.huggingface.preprocessing import NormalMap
from nodes.huggingface.segmentation import (
    FindObjects,
    MaskFromText,
    RefineMatte,
    RemoveBackground,
    SelectObject,
)
from nodetool_core import ImageData, NodeError
from tests.nodes.huggingface.test_image_to_image import scene
from tests.nodes.huggingface.tiny_parts import clip_tokenizer
from tests.nodes.huggingface.tiny_segmenters import BUILDERS, isnet

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
                torch.manual_seed(3)
                made[name] = BUILDERS[name](tmp_path_factory.mktemp(name))
        return made[name]

    return directory


def image(width: int = 90, height: int = 60) -> ImageData:
    return ImageData.of(scene(width, height))


def loaded(directory: str, kind: Any) -> Any:
    """Return a network as transformers alone loads it."""
    return kind.from_pretrained(directory).eval()


def normalized(source: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """Return an image as the processors of the tiny networks make it ready."""
    small = source.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = torch.from_numpy(np.asarray(small, np.float32) / 255)
    return ((pixels - mean) / deviation).movedim(-1, 0)[None]


def check_cutout(found: Any, source: ImageData) -> None:
    """Check that a cut-out is the image with the mask as its alpha, and the box around it."""
    mask, cutout = found.mask.image, found.cutout.image
    assert (mask.mode, cutout.mode, mask.size) == ("L", "RGBA", source.image.size)
    assert cutout.getchannel("A").tobytes() == mask.tobytes()
    assert cutout.convert("RGB").tobytes() == source.image.convert("RGB").tobytes()
    box = mask.point(lambda tone: 255 * (tone > 127)).getbbox()
    assert found.boxes == ([list(map(float, box))] if box else [])


@pytest.mark.parametrize("name", ["subject", "one_class"])
def test_the_subject_is_what_is_not_background(
    name: str, network: Callable[[str], str], recorder: Recorder
) -> None:
    source = image(64, 64)
    found = RemoveBackground(model=network(name), image=source).process(recorder.context)
    check_cutout(found, source)
    model = loaded(network(name), SegformerForSemanticSegmentation)
    with torch.no_grad():
        odds = model(normalized(source.image, (64, 64))).logits
    shares = torch.sigmoid(odds)[:, 0] if name == "one_class" else 1 - odds.softmax(1)[:, 0]
    expected = functional.interpolate(shares[None], (64, 64), mode="bilinear")[0, 0] * 255
    assert abs(np.asarray(found.mask.image, float) - expected.numpy()).max() < 1.5


def test_an_isnet_file_finds_the_subject(tmp_path: Path, recorder: Recorder) -> None:
    source = image(512, 512)
    node = RemoveBackground(model=str(isnet(tmp_path)), image=source)
    found = node.process(recorder.context)
    check_cutout(found, source)
    assert found.mask.image.getextrema() == (0, 255), "what is surest is white"


def test_a_stage_of_isnet_is_a_u_net_of_its_own(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(isnet(tmp_path))
    module = load_isnet(tensors, "isnet")
    pixels = torch.randn(1, 4, 20, 24, generator=torch.Generator().manual_seed(1))

    def layer(name: str, output: torch.Tensor, dilation: int = 1) -> torch.Tensor:
        kernel, bias = tensors[f"{name}.conv_s1.weight"], tensors[f"{name}.conv_s1.bias"]
        output = functional.conv2d(output, kernel, bias, padding=dilation, dilation=dilation)
        scale, shift = tensors[f"{name}.bn_s1.weight"], tensors[f"{name}.bn_s1.bias"]
        return (output / (1 + 1e-5) ** 0.5 * scale[:, None, None] + shift[:, None, None]).relu()

    def up(output: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(output, like.shape[2:], mode="bilinear")

    def down(output: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(output, 2, 2, ceil_mode=True)

    s = "stage4.rebnconv"
    start = layer(f"{s}in", pixels)
    one = layer(f"{s}1", start)
    two = layer(f"{s}2", down(one))
    three = layer(f"{s}3", down(two))
    four = layer(f"{s}4", three, 2)
    back = layer(f"{s}3d", torch.cat((four, three), 1))
    back = layer(f"{s}2d", torch.cat((up(back, two), two), 1))
    back = layer(f"{s}1d", torch.cat((up(back, one), one), 1))
    assert torch.allclose(module.stage4(pixels), start + back, atol=1e-5)
    s = "stage5.rebnconv"
    start = layer(f"{s}in", pixels)
    one, levels = start, []
    for level, dilation in enumerate((1, 2, 4, 8), start=1):
        one = layer(f"{s}{level}", one, dilation)
        levels.append(one)
    back = layer(f"{s}3d", torch.cat((levels[3], levels[2]), 1), 4)
    back = layer(f"{s}2d", torch.cat((back, levels[1]), 1), 2)
    back = layer(f"{s}1d", torch.cat((back, levels[0]), 1))
    assert torch.allclose(module.stage5(pixels), start + back, atol=1e-5)
    assert module(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 32, 32)


def test_a_file_of_something_else_is_no_isnet(tmp_path: Path, recorder: Recorder) -> None:
    save_file({"conv.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")
    node = RemoveBackground(model=str(tmp_path / "other.safetensors"), image=image())
    with pytest.raises(NodeError, match="not those of IS-Net") as caught:
        node.process(recorder.context)
    assert caught.value.problem.code == "model_unfit"


def test_objects_at_points_and_in_boxes(network: Callable[[str], str], recorder: Recorder) -> None:
    source = image(80, 40)

    def run(**properties: Any) -> Any:
        return SelectObject(model=network("sam"), image=source, **properties).process(
            recorder.context
        )

    found = run(points=[[20.0, 10.0], [30.0, 20.0]], excluded_points=[[70.0, 30.0]])
    assert len(found.masks) == len(found.scores) == len(found.bounds) == 1
    assert found.mask.image.tobytes() == found.masks[0].image.tobytes()
    assert found.cutout.image.getchannel("A").tobytes() == found.mask.image.tobytes()
    assert set(found.mask.image.tobytes()) <= {0, 255}
    model = loaded(network("sam"), SamModel)
    pixels = functional.pad(normalized(source.image, (64, 32)), (0, 0, 0, 32))
    with torch.no_grad():
        output = model(
            pixels,
            input_points=torch.tensor([[[[16.0, 8.0], [24.0, 16.0], [56.0, 24.0]]]]),
            input_labels=torch.tensor([[[1, 1, 0]]]),
        )
    best = int(output.iou_scores[0, 0].argmax())
    assert found.scores[0] == pytest.approx(float(output.iou_scores[0, 0, best]), abs=1e-3)
    square = functional.interpolate(output.pred_masks[0, :, best][None], (64, 64), mode="bilinear")
    large = functional.interpolate(square[..., :32, :], (40, 80), mode="bilinear")[0, 0]
    expected = np.asarray(found.mask.image) > 0
    assert (expected != (large > 0).numpy()).mean() < 0.01
    two = run(boxes=[[5.0, 5.0, 30.0, 30.0], [40.0, 5.0, 75.0, 35.0]])
    assert len(two.masks) == len(two.bounds) == 2
    both = np.maximum(*(np.asarray(mask.image) for mask in two.masks))
    assert (np.asarray(two.mask.image) == both).all()
    together = run(points=[[20.0, 10.0]], boxes=[[5.0, 5.0, 30.0, 30.0]])
    assert len(together.masks) == 1


def test_sam_2_sees_the_image_stretched(network: Callable[[str], str], recorder: Recorder) -> None:
    source = image(80, 40)
    found = SelectObject(model=network("sam2"), image=source, points=[[20.0, 10.0]]).process(
        recorder.context
    )
    model = loaded(network("sam2"), Sam2Model)
    with torch.no_grad():
        output = model(
            normalized(source.image, (64, 64)),
            input_points=torch.tensor([[[[16.0, 16.0]]]]),
            input_labels=torch.tensor([[[1]]]),
        )
    best = int(output.iou_scores[0, 0].argmax())
    assert found.scores[0] == pytest.approx(float(output.iou_scores[0, 0, best]), abs=1e-3)
    square = functional.interpolate(output.pred_masks[0, :, best][None], (64, 64), mode="bilinear")
    large = functional.interpolate(square, (40, 80), mode="bilinear")[0, 0]
    assert ((np.asarray(found.mask.image) > 0) != (large > 0).numpy()).mean() < 0.01


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "not known which object"),
        ({"excluded_points": [[1.0, 2.0]]}, "not known which object"),
        ({"points": [[1.0]]}, "One of points has not x and y"),
        ({"boxes": [[1.0, 2.0]]}, "One of boxes has not left"),
        ({"points": [[1.0, 2.0]], "boxes": [[0.0, 0.0, 9.0, 9.0]] * 2}, "one box at most"),
    ],
)
def test_places_that_say_nothing(
    properties: dict[str, Any], message: str, recorder: Recorder
) -> None:
    with pytest.raises(NodeError, match=message) as caught:
        SelectObject(model="none", image=image(), **properties).process(recorder.context)
    assert caught.value.problem.hint and caught.value.problem.where


def test_a_mask_of_words(network: Callable[[str], str], recorder: Recorder) -> None:
    source = image(64, 64)

    def run(text: str, threshold: float = 0.0) -> Any:
        return MaskFromText(
            model=network("words"), image=source, text=text, threshold=threshold
        ).process(recorder.context)

    soft = run("a lake")
    check_cutout(soft, source)
    model, tokens = loaded(network("words"), CLIPSegForImageSegmentation), clip_tokenizer()
    with torch.no_grad():
        ready = tokens(["a lake"], return_tensors="pt")
        output = model(
            input_ids=ready["input_ids"],
            attention_mask=ready["attention_mask"],
            pixel_values=normalized(source.image, (64, 64)),
        )
    expected = torch.sigmoid(output.logits.reshape(64, 64)) * 255
    assert abs(np.asarray(soft.mask.image, float) - expected.numpy()).max() < 1.5
    several = np.asarray(run("a lake, the sky").mask.image)
    assert (several >= np.asarray(soft.mask.image)).all()
    hard = run("a lake", float(np.median(np.asarray(soft.mask.image)) / 255))
    assert set(hard.mask.image.tobytes()) == {0, 255}
    with pytest.raises(NodeError, match="what to look for"):
        run(" , ")


def test_objects_by_words(network: Callable[[str], str], recorder: Recorder) -> None:
    source = image(90, 60)
    node = FindObjects(
        model=network("owl"), image=source, text="a cup, a lamp", threshold=0.0, limit=5
    )
    found = node.process(recorder.context)
    assert len(found.boxes) == len(found.labels) == len(found.scores) == 5
    assert set(found.labels) <= {"a cup", "a lamp"}
    assert found.scores == sorted(found.scores, reverse=True)
    for left, top, right, bottom in found.boxes:
        assert 0 <= left <= right <= 90 and 0 <= top <= bottom <= 60
    mask = np.asarray(found.mask.image)
    left, top, right, bottom = found.boxes[0]
    assert (mask[round(top + 1) : int(bottom), round(left + 1) : int(right)] == 255).all()
    nothing = FindObjects(model=node.model, image=source, text="a cup", threshold=1.0)
    assert nothing.process(recorder.context).boxes == []
    assert recorder.warnings[-1].startswith("Nothing was found")
    with pytest.raises(NodeError, match="what to look for"):
        FindObjects(model=node.model, image=source).process(recorder.context)


def test_objects_by_words_that_are_read_together(
    network: Callable[[str], str], recorder: Recorder
) -> None:
    directory, source = network("grounding_dino"), image(90, 60)

    def run(text: str, threshold: float = 0.0) -> Any:
        node = FindObjects(model=directory, image=source, text=text, threshold=threshold)
        return node.process(recorder.context)

    model = loaded(directory, GroundingDinoForObjectDetection)
    tokens = AutoTokenizer.from_pretrained(directory)("a cup. lamp.", return_tensors="pt")
    pixels = normalized(source.image, (160, 160))
    with torch.no_grad():
        output = model(pixels, tokens["input_ids"], attention_mask=tokens["attention_mask"])
    # The tokens are [CLS] a cup . lamp . [SEP]
    fits = output.logits[0].sigmoid()
    cups, lamps = fits[:, 1:3].amax(dim=1), fits[:, 4]
    expected = sorted(torch.maximum(cups, lamps).tolist(), reverse=True)
    found = run("A cup, lamp")
    assert found.scores == pytest.approx(expected, rel=1e-3)
    assert found.labels[0] == ("a cup" if cups.max() > lamps.max() else "lamp")
    assert len(found.boxes) == 12
    assert len(run("A cup, lamp", expected[5]).boxes) in (5, 6)
    assert all(0 <= left <= right <= 90 for left, _, right, _ in found.boxes)
    with pytest.raises(NodeError, match="tokens long, and the model reads 32"):
        run(", ".join(["a cup"] * 20))


def test_objects_by_the_classes_of_a_detector(
    network: Callable[[str], str], recorder: Recorder
) -> None:
    def run(labels: str = "") -> Any:
        return FindObjects(
            model=network("yolos"), image=image(), text=labels, threshold=0.0
        ).process(recorder.context)

    found = run()
    assert found.boxes and set(found.labels) <= {"cup", "lamp"}
    chosen = run(found.labels[0].upper())
    assert set(chosen.labels) == {found.labels[0]}
    with pytest.raises(NodeError, match="knows no moon") as caught:
        run("moon")
    assert "cup, lamp" in str(caught.value)


def test_a_matte_keeps_what_is_sure(network: Callable[[str], str], recorder: Recorder) -> None:
    source = image(90, 60)
    rough = Image.new("L", (90, 60))
    rough.paste(255, (20, 10, 70, 50))
    node = RefineMatte(
        model=network("matting"), image=source, rough_mask=ImageData.of(rough), edge=4
    )
    found = node.process(recorder.context)
    mask = np.asarray(found.mask.image)
    assert (mask[16:44, 26:64] == 255).all() and (mask[:5] == 0).all() and (mask[:, 76:] == 0).all()
    edge = mask[8:12, 30:60]
    assert 0 < edge.mean() < 255, "the network decides at the edge"
    small = RefineMatte(
        model=node.model, image=source, rough_mask=node.rough_mask, edge=4, longest_side=64
    ).process(recorder.context)
    assert small.mask.image.size == (90, 60)


def test_a_normal_map_is_the_slope_of_heights(recorder: Recorder) -> None:
    heights = np.tile(np.arange(64, dtype=np.uint8) * 2, (40, 1))

    def run(tones: Any, **properties: Any) -> Any:
        node = NormalMap(image=ImageData.of(Image.fromarray(tones)), **properties)
        result = node.process(recorder.context)
        assert isinstance(result, ImageData)
        return np.asarray(result.image, float)

    made = run(heights, strength=12.75, smoothing=0.0)
    # Heights rise by a pixel a pixel to the right, so surfaces face left and up to the eye.
    expected = (np.array([-1, 0, 1]) / 2**0.5 * 0.5 + 0.5) * 255
    assert abs(made[10, 10:50] - expected).max() <= 1
    flat = run(np.full((8, 8), 77, np.uint8))
    assert (flat == (128, 128, 255)).all()
    up = run(np.ascontiguousarray(heights.T), strength=12.75, smoothing=0.0)
    down = run(np.ascontiguousarray(heights.T), strength=12.75, smoothing=0.0, green_down=True)
    assert up[20, 20, 1] > 200 and abs(up[20, 20, 1] + down[20, 20, 1] - 255) <= 1
    smooth = run(heights, strength=12.75, smoothing=2.0)
    assert abs(smooth[20, 20:40] - expected).max() <= 1, "a slope stays one"


@pytest.mark.parametrize(
    ("node", "wrong"),
    [
        (RemoveBackground, "yolos"),
        (RemoveBackground, "no_background"),
        (SelectObject, "subject"),
        (MaskFromText, "sam"),
        (FindObjects, "subject"),
        (RefineMatte, "subject"),
    ],
)
def test_networks_for_something_else_are_refused(
    node: Any, wrong: str, network: Callable[[str], str], recorder: Recorder
) -> None:
    given: dict[type, dict[str, Any]] = {
        SelectObject: {"points": [[1.0, 1.0]]},
        MaskFromText: {"text": "a lake"},
        RefineMatte: {"rough_mask": image()},
    }
    with pytest.raises(NodeError) as caught:
        node(model=network(wrong), image=image(), **given.get(node, {})).process(recorder.context)
    assert caught.value.problem.code == "model_unfit" and caught.value.problem.hint


def test_code_beside_a_model_is_not_run(tmp_path: Path, recorder: Recorder) -> None:
    from nodetool_core.errors import ModelError

    config = {"architectures": ["BiRefNet"], "auto_map": {"AutoModel": "birefnet.BiRefNet"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="names the class BiRefNet") as caught:
        RemoveBackground(model=str(tmp_path), image=image()).process(recorder.context)
    assert "never run" in str(caught.value)
