"""`nodetool models`, and how much memory a run may have for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.models.hub_server import COMMIT, HubServer

SHIPPED = "nodetool/tiny-landscapes"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A Hub that has the shipped model under another name."""
    directory = ROOT / "nodes" / "huggingface" / "weights" / "tiny-landscapes"
    server = HubServer()
    files = {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    server.repositories["owner/landscapes"] = files
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    return server


def test_what_ships_is_listed(nodetool: Command, cache: Path) -> None:
    listed = nodetool("models", "list", "--json").json
    assert [row["name"] for row in listed if row["source"] == "pack" and row["bytes"] > 1_000_000] == [SHIPPED]
    assert SHIPPED in nodetool("models", "list").out
    assert nodetool("models", "du", "--json").json["bytes"] == sum(row["bytes"] for row in listed)
    assert not cache.exists(), "looking makes no folder"


def test_a_model_is_fetched_shown_and_removed(nodetool: Command, cache: Path, hub: HubServer) -> None:
    with hub:
        fetched = nodetool("models", "pull", "owner/landscapes", "--json")
    assert fetched.code == 0, fetched.err
    assert fetched.json["revision"] == COMMIT
    assert [row["revisions"] for row in nodetool("models", "list", "--json").json if row["source"] == "hub"] == [[COMMIT]]
    shown = nodetool("models", "show", "owner/landscapes", "--json").json
    assert shown["pipeline"] == "StableDiffusionPipeline"
    assert {part["name"] for part in shown["components"] if part["bytes"]} == {"unet", "vae", "text_encoder"}
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
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...], code: str, hint: str, nodetool: Command, cache: Path) -> None:
    done = nodetool("models", *arguments)
    assert done.code != 0
    assert code in done.err
    assert hint in done.err


def test_a_missing_repository_is_told(nodetool: Command, cache: Path, hub: HubServer) -> None:
    with hub:
        done = nodetool("models", "pull", "owner/nothing")
    assert done.code != 0
    assert "model_not_found" in done.err


@pytest.mark.parametrize("option", ["--device-memory", "--host-memory"])
def test_an_amount_of_memory_that_is_none(option: str, nodetool: Command, tmp_path: Path) -> None:
    done = nodetool("run", ROOT / "graphs" / "image_to_image.json", option, "much")
    assert done.code != 0
    assert option in done.err
    assert "8GB" in done.err
