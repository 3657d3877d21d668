"""`nodetool doctor` states what is there and what is wrong, and nothing secret."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from huggingface_hub import constants

from nodetool_core.cli import diagnosis
from nodetool_core.reference.troubleshooting import explanations
from tests.cli.conftest import Command, finish, start

TOKEN = "hf_" + "a1" * 18
PASSWORD = "correct-horse"


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an own home, so that what the user of this machine keeps plays no part."""
    folder = tmp_path / "home-of-somebody"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("NODETOOL_CACHE_DIR", "XDG_CACHE_HOME", "NODETOOL_SETTINGS", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    # Read once, when the library is imported: by an earlier test, with the home of that one.
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / ".cache" / "huggingface" / "hub"))
    return folder


def test_it_states_versions_devices_folders_and_packs(nodetool: Command) -> None:
    found = nodetool("doctor", "--json").json
    assert {"nodetool-imaging", "python", "system", "torch", "diffusers"} <= set(found["versions"])
    device = found["devices"][0]
    assert device["bytes"] >= device["budget"] > 0 and device["number_format"]
    assert found["folders"]["results"]["free"] > 0 and found["packs"]["nodes"] > 100
    assert "nodetool/tiny-landscapes" in found["models"] and "serve" in found["extras"]


def test_the_text_has_the_same(nodetool: Command) -> None:
    done = nodetool("doctor")
    assert done.err == ""
    for line in ("Versions", "  nodetool-imaging ", "Devices", "Packs", "  nodes: ", "Problems"):
        assert f"\n{line}" in f"\n{done.out}"


def test_nothing_secret_is_in_it(
    nodetool: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@proxy:3128")
    monkeypatch.setenv("NODETOOL_SERVE_TOKEN", PASSWORD)
    for arguments in (["doctor"], ["doctor", "--json"]):
        said = nodetool(*arguments).out
        assert TOKEN not in said and PASSWORD not in said and home.name not in said
        assert "HTTPS_PROXY" in said and "NODETOOL_SERVE_TOKEN" in said and "~/.cache" in said


def test_a_module_that_can_not_be_imported_is_a_problem(
    nodetool: Command, pack: Path, home: Path
) -> None:
    done = nodetool("doctor", "--json")
    assert done.code == 1
    assert [problem["where"] for problem in done.json["problems"]].count("cli_pack.broken") == 1
    assert done.json["packs"]["cli_pack"] > 5


def test_a_broken_torch_is_a_problem_with_the_way_out(tmp_path: Path) -> None:
    package = tmp_path / "libraries" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise OSError('libcudart.so.12: cannot open')\n")
    done = finish(start(["doctor", "--json"], tmp_path, libraries=tmp_path / "libraries"))
    problem = next(one for one in done.json["problems"] if one["code"] == "broken_package")
    assert done.code == 1 and "libcudart" in problem["message"] and problem["hint"]


def _full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 10**10 - 1, 1))


def _other_project(monkeypatch: pytest.MonkeyPatch) -> None:
    version = diagnosis._version
    monkeypatch.setattr(
        diagnosis, "_version", lambda name: "0.7.0" if name == "nodetool" else version(name)
    )


def _old_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    version = diagnosis._version
    monkeypatch.setattr(
        diagnosis, "_version", lambda name: "9.0" if name == "pillow" else version(name)
    )


def _small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from nodetool_core.models.residency import devices

    monkeypatch.setattr(devices, "host_memory", lambda: 2**30)


@pytest.mark.parametrize(
    ("change", "code", "exit_code"),
    [
        (_full_disk, "disk_nearly_full", 0),
        (_other_project, "other_project", 1),
        (_old_pillow, "unmet_requirement", 1),
        (_small_machine, "little_memory", 0),
    ],
)
def test_a_problem_is_named_with_what_to_do(
    change: Callable[[pytest.MonkeyPatch], None],
    code: str,
    exit_code: int,
    nodetool: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change(monkeypatch)
    done = nodetool("doctor", "--json")
    problems = {problem["code"]: problem for problem in done.json["problems"]}
    assert problems[code]["hint"] and code in explanations() and done.code == exit_code
    assert f"[{code}]" in nodetool("doctor").out


@pytest.mark.parametrize(
    ("build", "has_driver", "code"),
    [
        ("cpu", False, None),
        ("cpu", True, "wrong_build"),
        ("cuda 12.8", True, "no_device"),
        ("rocm 6.4", False, "no_device"),
    ],
)
def test_a_card_that_is_not_used_is_a_problem(
    build: str, has_driver: bool, code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi" if has_driver else None)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    found = list(diagnosis._unused_card(build))
    assert [problem.code for problem in found] == ([code] if code else [])
    assert all(problem.hint for problem in found)


def test_what_the_program_sets_itself_is_no_variable_of_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = diagnosis.Diagnosis()
    diagnosis._look_at_settings(found)
    assert "OMP_NUM_THREADS" in found.variables and "OMP_WAIT_POLICY" not in found.variables
