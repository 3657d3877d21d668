"""Weights that are no pipeline: networks, and tensors of a file; on disk and on the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from nodetool_core import ModelRef
from nodetool_core.errors import ModelError
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.residency.devices import Device
from nodetool_core.models.residency.transfer import ModuleCopier
from nodetool_core.models.sources.hub import Hub
from nodetool_core.models.sources.repository_files import choose_tensor_file, part_files
from tests.models.hub_server import HubServer
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable


def files_of(directory: str) -> dict[str, bytes]:
    root = Path(directory)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def refused(
    manager: ModelManager, ref: str | ModelRef, task: str, recorder: Recorder
) -> ModelError:
    ref = ModelRef(repo_id=ref) if isinstance(ref, str) else ref
    with pytest.raises(ModelError) as caught, manager.use(ref, task, context=recorder.context):
        pass
    assert caught.value.problem.hint
    return caught.value


def test_the_autoencoder_of_a_model_and_one_alone(
    model: Callable[[str], str], manager: ModelManager, recorder: Recorder
) -> None:
    whole, alone = (
        ModelRef(repo_id=model("stable_diffusion")),
        ModelRef(repo_id=f"{model('stable_diffusion')}/vae"),
    )
    with (
        manager.use(whole, "network:vae", context=recorder.context) as one_lease,
        manager.use(alone, "network:vae", context=recorder.context) as two_lease,
    ):
        two = two_lease.part
        one = one_lease.part
        assert type(one.model).__name__ == type(two.model).__name__ == "AutoencoderKL"
        assert all(
            torch.equal(a, b)
            for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True)
        )
        assert not one.model.training


def test_tensors_of_a_file_or_of_the_one_file_in_a_directory(
    manager: ModelManager, tmp_path: Path, recorder: Recorder
) -> None:
    save_file({"a": torch.arange(3)}, tmp_path / "net.safetensors", {"activation": "tanh"})
    for repo_id in (tmp_path / "net.safetensors", tmp_path):
        with manager.use(
            ModelRef(repo_id=str(repo_id)), "tensors", context=recorder.context
        ) as lease:
            part = lease.part
            assert part.tensors["a"].tolist() == [0, 1, 2] and part.metadata == {
                "activation": "tanh"
            }


def test_a_config_beside_the_tensors_of_a_directory_is_read(
    manager: ModelManager, tmp_path: Path, recorder: Recorder
) -> None:
    save_file({"a": torch.arange(3)}, tmp_path / "net.safetensors")
    for config in ({"scale": 2}, {"scale": 4}):
        (tmp_path / "config.json").write_text(json.dumps(config))
        with manager.use(
            ModelRef(repo_id=str(tmp_path)), "tensors", context=recorder.context
        ) as lease:
            part = lease.part
            assert part.config == config and part.tensors["a"].tolist() == [0, 1, 2]
    with manager.use(
        ModelRef(repo_id=str(tmp_path / "net.safetensors")), "tensors", context=recorder.context
    ) as lease:
        part = lease.part
        assert part.config == {}
    (tmp_path / "config.json").write_text("{")
    assert refused(manager, str(tmp_path), "tensors", recorder).problem.code == "model_incomplete"


def test_a_file_is_read_once(manager: ModelManager, tmp_path: Path, recorder: Recorder) -> None:
    save_file({"a": torch.arange(3)}, tmp_path / "net.safetensors")
    ref = ModelRef(repo_id=str(tmp_path / "net.safetensors"))
    with manager.use(ref, "tensors", context=recorder.context) as lease:
        first = lease.part
        before = manager.loads
    with manager.use(ref, "tensors", context=recorder.context) as lease:
        second = lease.part
        assert manager.loads == before
        assert second.tensors["a"].data_ptr() == first.tensors["a"].data_ptr()


@pytest.mark.parametrize(
    ("files", "task", "code"),
    [
        ({"readme.md": ""}, "network", "model_not_diffusers"),
        ({"config.json": "{"}, "network", "model_not_diffusers"),
        ({"config.json": "{}"}, "network", "model_not_diffusers"),
        (
            {"config.json": {"_class_name": "MadeUp"}, "a.safetensors": ""},
            "network",
            "model_class_unknown",
        ),
        (
            {
                "config.json": {
                    "architectures": ["MadeUp"],
                    "auto_map": {"AutoModel": "code.MadeUp"},
                }
            },
            "network",
            "model_class_unknown",
        ),
        (
            {"config.json": {"_class_name": "ControlNetModel"}, "diffusion_pytorch_model.bin": ""},
            "network",
            "model_pickled",
        ),
        (
            {"config.json": {"_class_name": "ControlNetModel"}, "model.safetensors": ""},
            "network",
            "model_load_failed",
        ),
        ({"readme.md": ""}, "tensors", "model_file_missing"),
        ({"lora.ckpt": ""}, "tensors", "model_pickled"),
        ({"a.safetensors": "", "b.safetensors": ""}, "tensors", "model_file_ambiguous"),
        ({"a.safetensors": "no"}, "tensors", "model_unreadable"),
    ],
)
def test_what_can_not_be_used_is_refused_with_what_to_do(
    files: dict[str, object],
    task: str,
    code: str,
    manager: ModelManager,
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    assert refused(manager, str(tmp_path), task, recorder).problem.code == code


def test_a_single_file_is_no_network(
    manager: ModelManager, tmp_path: Path, recorder: Recorder
) -> None:
    save_file({"a": torch.arange(3)}, tmp_path / "net.safetensors")
    assert (
        refused(manager, str(tmp_path / "net.safetensors"), "network", recorder).problem.code
        == "model_not_diffusers"
    )


def test_which_files_of_a_repository_a_part_is() -> None:
    pipeline = [
        "model_index.json",
        "vae/config.json",
        "vae/model.safetensors",
        "vae/model.bin",
        "unet/config.json",
        "README.md",
    ]
    assert part_files(pipeline, "network:vae", "a/b") == [
        "vae/config.json",
        "vae/model.safetensors",
    ]
    network = [
        "config.json",
        "model.safetensors",
        "model.bin",
        "preprocessor_config.json",
        "onnx/model.onnx",
    ]
    assert part_files(network, "network:vae", "a/b") == [
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    ]
    both = ["config.json", "model.safetensors", "model.fp16.safetensors"]
    assert part_files(both, "network", "a/b") == ["config.json", "model.safetensors"]
    assert part_files(both, "network", "a/b", "fp16") == ["config.json", "model.fp16.safetensors"]
    assert part_files(both[:2], "network", "a/b", "fp16") == ["config.json", "model.safetensors"]
    assert part_files(
        ["pytorch_lora_weights.safetensors", "other.safetensors"], "tensors", "a/b"
    ) == ["pytorch_lora_weights.safetensors"]
    assert part_files(["README.md", "model.ckpt", *both[:2]], "tensors", "a/b") == [
        "model.safetensors",
        "config.json",
    ]
    with pytest.raises(ModelError, match=r"holds 2 safetensors files"):
        choose_tensor_file(["a.safetensors", "b.safetensors"], "a/b")


def test_the_hub_is_asked_for_the_part_alone(
    model: Callable[[str], str],
    adapter: Callable[[str, str], str],
    hub_server: HubServer,
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    hub_server.repositories["owner/model"] = files_of(model("stable_diffusion"))
    hub_server.repositories["owner/net"] = files_of(adapter("controlnet", "stable_diffusion"))
    hub_server.repositories["owner/lora"] = {
        "pytorch_lora_weights.safetensors": Path(adapter("lora", "stable_diffusion")).read_bytes()
    }
    manager = ModelManager(device="cpu", hub=Hub(tmp_path / "cache", hub_server.endpoint))
    expected = {
        ("owner/model", "network:vae"): "AutoencoderKL",
        ("owner/net", "network"): "ControlNetModel",
    }
    for (repo_id, task), name in expected.items():
        with manager.use(ModelRef(repo_id=repo_id), task, context=recorder.context) as lease:
            part = lease.part
            assert type(part.model).__name__ == name
    with manager.use(ModelRef(repo_id="owner/lora"), "tensors", context=recorder.context) as lease:
        part = lease.part
        assert part.tensors
    assert not [path for path in hub_server.fetched if "unet" in path or "text_encoder" in path]
    assert refused(manager, "owner/lora", "network", recorder).problem.code == "model_not_diffusers"
    hub_server.refusals["owner/lora"] = hub_server.refusals["owner/model"] = (503, "")
    later = ModelManager(device="cpu", hub=Hub(tmp_path / "cache", hub_server.endpoint))
    for repo_id, task in (("owner/lora", "tensors"), ("owner/model", "network:vae")):
        before = later.revision(ModelRef(repo_id=repo_id))
        assert before is not None and before == manager.revision(ModelRef(repo_id=repo_id))
        with later.use(ModelRef(repo_id=repo_id), task, context=recorder.context) as lease:
            part = lease.part
            assert part.tensors or part.model


class Counting(ModuleCopier):
    """Counts what is copied to the device."""

    copied = 0

    def copy(self, host: torch.Tensor, device: Device) -> torch.Tensor:
        self.copied += host.nbytes
        return super().copy(host, device)


def test_tensors_are_kept_on_the_device_like_any_weights(tmp_path: Path) -> None:
    save_file(
        {"a": torch.arange(3.0), "b": torch.ones(5, dtype=torch.float16)},
        tmp_path / "net.safetensors",
    )
    copier = Counting()
    manager = ModelManager(device="cpu", host_budget=2**20, copier=copier)
    ref, recorder = ModelRef(repo_id=str(tmp_path / "net.safetensors")), Recorder(manager)
    for _ in range(2):
        with manager.use(ref, "tensors", context=recorder.context) as lease:
            part = lease.part
            assert (
                part.tensors["a"].tolist() == [0, 1, 2] and part.tensors["b"].dtype == torch.float16
            )
    size = 3 * 4 + 5 * 2
    assert copier.copied == size == manager.loaded()[0].bytes
    assert manager.free() == size and manager.loaded() == []
    with manager.use(ref, "tensors", context=recorder.context) as lease:
        part = lease.part
        assert part.tensors["a"].tolist() == [0, 1, 2]
