"""Folders of models as ComfyUI and A1111 have them: names are found, and nothing else is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from nodetool_core import ModelRef
from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.allowlist import ModelAllowlist
from nodetool_core.models.sources.model_folders import ModelFolders
from nodetool_core.models.sources.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable


def write(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"weight": torch.ones(1)}, file)


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """Return a tree of ComfyUI."""
    models = tmp_path / "ComfyUI" / "models"
    write(
        models / "checkpoints" / "sdxl" / "juggernaut.safetensors",
        models / "checkpoints" / "both.safetensors",
        models / "diffusion_models" / "flux.safetensors",
        models / "unet" / "old.safetensors",
        models / "text_encoders" / "t5.safetensors",
        models / "clip" / "clip_l.safetensors",
        models / "vae" / "both.safetensors",
        models / "loras" / "a" / "style.safetensors",
        models / "loras" / "b" / "style.safetensors",
        models / "upscale_models" / "x4.safetensors",
    )
    return tmp_path / "ComfyUI"


def refused(folders: ModelFolders, name: str, kind: str = "hf.model") -> Problem:
    with pytest.raises(ModelError) as caught:
        folders.find(name, kind)
    assert caught.value.problem.hint
    return caught.value.problem


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        ("sdxl/juggernaut.safetensors", "hf.text_to_image", "checkpoints"),
        ("sdxl\\juggernaut.safetensors", "hf.text_to_image", "checkpoints"),
        ("juggernaut.safetensors", "hf.text_to_image", "checkpoints"),
        ("juggernaut", "hf.text_to_image", "checkpoints"),
        ("both.safetensors", "hf.text_to_image", "checkpoints"),
        ("both.safetensors", "hf.vae", "vae"),
        ("flux.safetensors", "hf.denoiser", "diffusion_models"),
        ("old.safetensors", "hf.denoiser", "unet"),
        ("sdxl/juggernaut.safetensors", "hf.vae", "checkpoints"),
        ("t5.safetensors", "hf.text_encoder", "text_encoders"),
        ("clip_l.safetensors", "hf.text_encoder", "clip"),
        ("a/style.safetensors", "hf.lora", "loras"),
        ("x4.safetensors", "hf.real_esrgan", "upscale_models"),
    ],
)
def test_names_from_workflows_are_found(name: str, kind: str, place: str, comfy: Path) -> None:
    for root in (comfy, comfy / "models"):
        found = ModelFolders([root]).find(name, kind)
        assert found is not None and found.is_file()
        assert found.relative_to(comfy / "models").parts[0] == place


def test_names_that_are_not_there_are_looked_for_elsewhere(comfy: Path) -> None:
    folders = ModelFolders([comfy])
    assert folders.find("flux.safetensors", "hf.lora") is None
    assert folders.find("owner/name", "hf.model") is None
    assert folders.find(str(comfy / "models" / "vae" / "both.safetensors"), "hf.vae") is None
    assert ModelFolders().find("../x.safetensors", "hf.vae") is None


def test_a_name_of_several_files_asks_for_the_folder(comfy: Path) -> None:
    problem = refused(ModelFolders([comfy]), "style.safetensors", "hf.lora")
    assert problem.code == "model_file_ambiguous" and "means 2 files" in problem.message


def test_a_tree_of_a1111(tmp_path: Path) -> None:
    models = tmp_path / "webui" / "models"
    write(
        models / "Stable-diffusion" / "v1-5.safetensors",
        models / "Lora" / "detail.safetensors",
        models / "VAE" / "ft.safetensors",
        models / "ControlNet" / "canny.safetensors",
        models / "ESRGAN" / "x4.safetensors",
        tmp_path / "webui" / "embeddings" / "easy.safetensors",
    )
    folders = ModelFolders([tmp_path / "webui"])
    for name, kind in {
        "v1-5": "hf.text_to_image",
        "detail": "hf.lora",
        "ft.safetensors": "hf.vae",
        "canny": "hf.controlnet",
        "x4": "hf.real_esrgan",
        "easy": "hf.model",
    }.items():
        assert folders.find(name, kind) is not None, name
    assert {one.category for one in folders.files()} == {
        "checkpoints",
        "loras",
        "vae",
        "controlnet",
        "upscale_models",
        "embeddings",
    }


def test_paths_of_a_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path / "webui" / "models" / "Lora" / "one.safetensors",
        tmp_path / "webui" / "models" / "LyCORIS" / "two.safetensors",
        tmp_path / "disk" / "ckpt" / "big.safetensors",
    )
    monkeypatch.setenv("DISK", str(tmp_path / "disk"))
    comfy = tmp_path / "ComfyUI"
    comfy.mkdir()
    (comfy / "extra_model_paths.yaml").write_text(
        "a111:\n  base_path: ../webui\n  loras: |\n    models/Lora\n    models/LyCORIS\n"
        "  custom_nodes: nodes\nother:\n  base_path: $DISK\n  checkpoints: ckpt\n  vae: none\n"
        "text: 1\n"
    )
    for root in (comfy, comfy / "extra_model_paths.yaml"):
        folders = ModelFolders([root])
        assert folders.find("one.safetensors", "hf.lora")
        assert folders.find("two", "hf.lora")
        assert folders.find("big.safetensors", "hf.text_to_image")


@pytest.mark.parametrize("text", ["a: [", "\x00", "- &a [*a]", "1", ""])
def test_broken_files_of_paths(text: str, tmp_path: Path) -> None:
    (tmp_path / "paths.yaml").write_text(text)
    try:
        assert list(ModelFolders([tmp_path / "paths.yaml"]).files()) == []
    except ModelError as error:
        assert error.problem.code == "model_folder_missing"
        assert "can't be read" in error.problem.message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        ModelFolders([tmp_path / "none"])
    assert caught.value.problem.code == "model_folder_missing"


@pytest.mark.parametrize(
    "name", ["../vae/both.safetensors", "a/../../vae/both.safetensors", "..\\x.safetensors", ".."]
)
def test_names_that_lead_out_are_refused(name: str, comfy: Path) -> None:
    problem = refused(ModelFolders([comfy]), name, "hf.lora")
    assert problem.code == "model_path_missing" and "leads out" in problem.message


def test_links_in_a_circle_are_refused_and_folders_in_one_are_read_once(comfy: Path) -> None:
    vae = comfy / "models" / "vae"
    (vae / "a.safetensors").symlink_to(vae / "b.safetensors")
    (vae / "b.safetensors").symlink_to(vae / "a.safetensors")
    (vae / "again").symlink_to(vae)
    problem = refused(ModelFolders([comfy]), "a.safetensors", "hf.vae")
    assert problem.code == "model_path_missing" and "circle" in problem.message
    folders = ModelFolders([comfy])
    assert folders.find("both.safetensors", "hf.vae") == vae / "both.safetensors"
    assert len([one for one in folders.files() if one.path.name == "both.safetensors"]) == 2


def test_links_to_other_disks_are_followed(comfy: Path, tmp_path: Path) -> None:
    write(tmp_path / "disk" / "far.safetensors")
    (comfy / "models" / "vae" / "linked.safetensors").symlink_to(tmp_path / "disk/far.safetensors")
    (comfy / "models" / "loras" / "disk").symlink_to(tmp_path / "disk")
    folders = ModelFolders([comfy])
    assert folders.find("linked.safetensors", "hf.vae")
    assert folders.find("far", "hf.lora")


@pytest.mark.parametrize("name", ["bad.safetensors", "bad.ckpt", "bad"])
def test_pickles_are_refused_under_every_name(name: str, comfy: Path) -> None:
    place = comfy / "models" / "checkpoints"
    torch.save({}, place / (name if "." in name else f"{name}.ckpt"))
    with pytest.raises(ModelError) as caught:
        Resolver(folders=ModelFolders([comfy])).local(ModelRef(repo_id=name))
    assert caught.value.problem.code == "model_pickled"


def test_names_that_are_not_listed_are_refused(comfy: Path) -> None:
    listed = ModelAllowlist(["flux.safetensors"])
    resolver = Resolver(folders=ModelFolders([comfy]), allowlist=listed)
    assert resolver.local(ModelRef(repo_id="flux.safetensors")) is not None
    with pytest.raises(ModelError) as caught:
        resolver.local(ModelRef(repo_id="both.safetensors"))
    assert caught.value.problem.code == "model_unlisted"


def test_parts_are_looked_for_where_each_belongs(
    model: Callable[[str], str], tmp_path: Path
) -> None:
    directory = Path(model("stable_diffusion"))
    models = tmp_path / "models"
    for part, category in (
        ("unet", "unet"),
        ("vae", "vae"),
        ("text_encoder", "clip"),
    ):
        (models / category).mkdir(parents=True)
        (file,) = (directory / part).glob("*.safetensors")
        (models / category / "same.safetensors").symlink_to(file)
    ref = ModelRef.model_validate(
        {
            "repo_id": str(directory),
            "denoiser": "same.safetensors",
            "vae": "same.safetensors",
            "text_encoders": ["same.safetensors"],
        }
    )
    found = Resolver(folders=ModelFolders([tmp_path])).here(ref)
    assert found is not None
    assert {one.component: one.model.path.parent.name for one in found.parts} == {
        "unet": "unet",
        "vae": "vae",
        "text_encoder": "text_encoder",
    }


def test_a_file_of_the_hub_is_taken_from_the_folders(comfy: Path) -> None:
    resolver = Resolver(folders=ModelFolders([comfy]))
    found = resolver.local(ModelRef(repo_id="owner/name", path="split/flux.safetensors"))
    assert found is not None and found.path.name == "flux.safetensors"
    pinned = ModelRef(repo_id="owner/name", path="split/flux.safetensors", revision="v2")
    assert resolver.local(pinned) is None
    assert resolver.local(ModelRef(repo_id="owner/name", path="split/other.safetensors")) is None


def test_of_several_files_of_its_name_none_is_taken(comfy: Path) -> None:
    resolver = Resolver(folders=ModelFolders([comfy]))
    named = ModelRef(type="hf.lora", repo_id="owner/name", path="style.safetensors")
    assert resolver.local(named) is None


def test_a_name_that_means_nothing_by_itself_is_not(comfy: Path) -> None:
    write(comfy / "models" / "vae" / "diffusion_pytorch_model.safetensors")
    resolver = Resolver(folders=ModelFolders([comfy]))
    generic = ModelRef(repo_id="owner/name", path="vae/diffusion_pytorch_model.safetensors")
    assert resolver.local(generic) is None
