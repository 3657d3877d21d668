"""`nodetool models`, and how much memory a run may have for them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.models.hub_server import COMMIT, HubServer

SHIPPED = "nodetool/tiny-landscapes"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache of the Hub."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """Return a Hub that has the shipped model under another name."""
    directory = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
    server = HubServer()
    files = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
    server.repositories["owner/landscapes"] = files
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        server.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    return server


def test_what_ships_is_listed(nodetool: Command, cache: Path) -> None:
    listed = nodetool("models", "list", "--json").json
    assert [
        row["name"] for row in listed if row["source"] == "pack" and row["bytes"] > 1_000_000
    ] == [SHIPPED]
    assert SHIPPED in nodetool("models", "list").out
    assert nodetool("models", "du", "--json").json["bytes"] == sum(row["bytes"] for row in listed)
    assert not cache.exists(), "looking makes no folder"


def test_a_model_is_fetched_shown_and_removed(
    nodetool: Command, cache: Path, hub: HubServer
) -> None:
    with hub:
        fetched = nodetool("models", "pull", "owner/landscapes", "--json")
    assert fetched.code == 0, fetched.err
    assert fetched.json["revision"] == COMMIT
    assert [
        row["revisions"]
        for row in nodetool("models", "list", "--json").json
        if row["source"] == "hub"
    ] == [[COMMIT]]
    shown = nodetool("models", "show", "owner/landscapes", "--json").json
    assert shown["pipeline"] == "StableDiffusionPipeline"
    assert {part["name"] for part in shown["components"] if part["bytes"]} == {
        "unet",
        "vae",
        "text_encoder",
    }
    removed = nodetool("models", "rm", "owner/landscapes", "--yes", "--json")
    assert removed.json["bytes"] > 1_000_000
    assert not [row for row in nodetool("models", "list", "--json").json if row["source"] == "hub"]


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("show", "nodetool/tiny-landscape"), "model_not_here", f"Did you mean '{SHIPPED}'?"),
        (("show", "zz"), "model_not_here", "nodetool models pull zz"),
        (("rm", SHIPPED, "--yes"), "model_ships", "Uninstall"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], code: str, hint: str, nodetool: Command, cache: Path
) -> None:
    done = nodetool("models", *arguments)
    assert done.code != 0
    assert code in done.err
    assert hint in done.err


def test_a_missing_repository_is_told(nodetool: Command, cache: Path, hub: HubServer) -> None:
    with hub:
        done = nodetool("models", "pull", "owner/nothing")
    assert done.code != 0
    assert "model_not_found" in done.err


def test_m15_pages_stand_for_what_they_show(nodetool: Command, cache: Path, hub: HubServer) -> None:
    with hub:
        fetched = nodetool(
            "models", "pull", "https://huggingface.co/owner/landscapes/tree/main", "--json"
        )
    assert fetched.code == 0, fetched.err
    assert nodetool("models", "verify", "https://huggingface.co/owner/landscapes").code == 0
    refused = nodetool("models", "pull", "https://huggingface.co/datasets/owner/landscapes")
    assert refused.code != 0 and "model_id_malformed" in refused.err and "a dataset" in refused.err


def damage(snapshot: Path, how: str) -> str:
    """
    Damage a fetched model as life does.

    Returns what the listing has to say of it, empty where it can't know.
    """
    weights = snapshot / "unet" / "diffusion_pytorch_model.safetensors"
    blob = weights.resolve()
    if how == "blob gone":
        blob.unlink()
        return "unet (UNet2DConditionModel) lacks diffusion_pytorch_model.safetensors"
    if how == "weights gone":
        weights.unlink()
        return "unet (UNet2DConditionModel) has neither weights nor settings"
    if how == "folder gone":
        shutil.rmtree(snapshot / "vae")
        return "vae (AutoencoderTiny) has neither weights nor settings"
    content = bytearray(blob.read_bytes())
    if how == "cut":
        blob.write_bytes(content[:-100])
    elif how == "other bytes":
        content[-5] ^= 1
        blob.write_bytes(content)
    else:
        (snapshot / "unet" / "config.json").resolve().write_text("{}")
    return ""


@pytest.mark.parametrize(
    ("how", "file", "says"),
    [
        (
            "blob gone",
            "unet/diffusion_pytorch_model.safetensors",
            "is a link to a file that is not there",
        ),
        ("weights gone", "unet", "has neither weights"),
        ("folder gone", "vae", "has neither weights"),
        ("cut", "unet/diffusion_pytorch_model.safetensors", "is cut short"),
        (
            "other bytes",
            "unet/diffusion_pytorch_model.safetensors",
            "is not the file that was published",
        ),
        ("settings", "unet/config.json", "is not the file that was published"),
    ],
)
def test_m17_half_models_are_listed_as_such_and_verified(
    how: str, file: str, says: str, nodetool: Command, cache: Path, hub: HubServer
) -> None:
    with hub:
        path = Path(nodetool("models", "pull", "owner/landscapes", "--json").json["path"])
    whole = nodetool("models", "verify", "owner/landscapes", "--json")
    assert (whole.code, whole.json["findings"]) == (0, []) and whole.json["hashed"] == whole.json[
        "files"
    ] > 5
    gap = damage(path, how)
    (row,) = [
        row
        for row in nodetool("models", "list", "--json").json
        if row["name"] == "owner/landscapes"
    ]
    assert len(row["gaps"]) == bool(gap) and gap in "".join(row["gaps"])
    assert ("incomplete: " in nodetool("models", "list").out) == bool(gap)
    done = nodetool("models", "verify", "owner/landscapes")
    assert done.code == 1
    assert any(file in line and says in line for line in done.out.splitlines()), done.out
    assert "nodetool models rm owner/landscapes" in done.err
    assert nodetool("models", "rm", "owner/landscapes", "--yes", "--json").json["bytes"] > 100_000
    assert not [row for row in nodetool("models", "list", "--json").json if row["source"] == "hub"]


def test_m17_a_download_that_was_stopped_at_once(nodetool: Command, cache: Path) -> None:
    (cache / "models--owner--name" / "blobs").mkdir(parents=True)
    (cache / "models--owner--name" / "blobs" / "0123.incomplete").write_bytes(b"half")
    (row,) = [row for row in nodetool("models", "list", "--json").json if row["source"] == "hub"]
    assert (
        row["name"] == "owner/name"
        and row["bytes"] == 4
        and "download was stopped" in row["gaps"][0]
    )
    assert nodetool("models", "verify", "owner/name").code == 1
    assert nodetool("models", "rm", "owner/name", "--yes").code == 0


def test_m17_a_folder_is_verified_by_its_headers_and_what_was_recorded_beside_it(
    nodetool: Command, cache: Path, tmp_path: Path
) -> None:
    folder = Path(
        shutil.copytree(
            ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes", tmp_path / "model"
        )
    )
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    assert nodetool("models", "verify", folder, "--json").json["hashed"] == 0
    note = folder / ".cache" / "huggingface" / "download" / "vae" / f"{weights.name}.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{COMMIT}\n{hashlib.sha256(weights.read_bytes()).hexdigest()}\n1.0\n")
    found = nodetool("models", "verify", folder, "--json")
    assert (found.code, found.json["hashed"]) == (0, 1)
    weights.write_bytes(weights.read_bytes()[:1000])
    found = nodetool("models", "verify", folder, "--json")
    assert found.code == 1 and "is cut short" in found.json["findings"][0][1]


@pytest.mark.parametrize("option", ["--device-memory", "--host-memory"])
def test_an_amount_of_memory_that_is_none(option: str, nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("run", ROOT / "graphs" / "image_to_image.json", option, "much")
    assert done.code == 2
    assert option in done.err
    assert "8GB" in done.err


def test_files_are_inspected(nodetool: Command, tmp_path: Path) -> None:
    folder = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
    (file,) = (folder / "unet").glob("*.safetensors")
    said = nodetool("models", "inspect", str(file))
    assert said.code == 0 and "a denoiser alone, " in said.out
    assert "name it in the model's `denoiser`" in said.out
    (tmp_path / "a.ckpt").write_bytes(b"x")
    both = nodetool("models", "inspect", str(file), str(tmp_path / "a.ckpt"), "--json")
    assert both.code == 1 and [row.get("kind") for row in both.json] == ["denoiser", None]
    assert both.json[1]["problem"]["code"] == "model_pickled"
    refused = nodetool("models", "inspect", str(tmp_path / "a.ckpt"))
    assert refused.code == 1 and "pickled" in refused.err and not refused.out


def test_files_in_folders_of_models_are_listed(
    nodetool: Command, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
    place = tmp_path / "models" / "vae"
    place.mkdir(parents=True)
    (file,) = (folder / "vae").glob("*.safetensors")
    shutil.copy(file, place / "landscapes.safetensors")
    (place / "old.pt").write_bytes(b"x")
    listed = nodetool("models", "list", "--models-dir", str(tmp_path), "--json").json
    rows = {row["name"]: row for row in listed if row["source"] == "folder"}
    assert rows["landscapes.safetensors"]["category"] == "vae"
    assert "autoencoder" in rows["landscapes.safetensors"]["what"]
    assert "pickled" in rows["old.pt"]["what"]
    monkeypatch.setenv("NODETOOL_MODELS_DIR", str(tmp_path))
    assert "vae/landscapes.safetensors" in nodetool("models", "list").out
    missing = nodetool("models", "list", "--models-dir", str(tmp_path / "none"))
    assert missing.code == 1 and "is no folder of models" in missing.err
