"""Settings from the command line, the environment and files, and their table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nodetool_core.errors import ModelError
from nodetool_core.registry import Registry
from nodetool_core.server.launch import serve as serve_program
from nodetool_core.server.runtime.app_state import open_app_state
from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_page import settings_table
from nodetool_core.server.settings_sources import ENVIRONMENT_PREFIX, SettingsError
from tests.server.live import LiveServer

ROOT = Path(__file__).parents[2]


def test_command_line_before_environment_before_file_before_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\nqueue = 2\nburst = 3\nmodels = ["a/b", "c"]\n')
    monkeypatch.setenv("NODETOOL_SERVE_PORT", "10")
    monkeypatch.setenv("NODETOOL_SERVE_QUEUE", "20")
    monkeypatch.setenv("NODETOOL_SERVE_IMAGE_HOSTS", "one.example, two.example:80")
    settings = Settings.read(file, port=100)
    assert (settings.port, settings.queue, settings.burst, settings.concurrency) == (100, 20, 3, 4)
    assert settings.models == ("a/b", "c")
    assert settings.image_hosts == ("one.example", "two.example:80")


WRONG = [
    ("prt = 1", "prt", "port"),
    ("port = 'x'", "port", ""),
    ("port = 70000", "port", ""),
    ("port =", "TOML", ""),
    ("rate = -1", "rate", ""),
]


@pytest.mark.parametrize(("text", "place", "hint"), WRONG)
def test_settings_that_are_wrong(tmp_path: Path, text: str, place: str, hint: str) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as wrong:
        Settings.read(file)
    assert place in str(wrong.value)
    assert hint in str(wrong.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such"):
        Settings.read(tmp_path / "nothing.toml")


def test_folders_of_models_that_are_not_there(tmp_path: Path) -> None:
    gone = (str(tmp_path / "gone"), "./gone-as-well", "~no-such-user/model")
    with pytest.raises(SettingsError) as refused:
        serve_program(Settings.read(models=("somebody/on-the-hub", str(tmp_path), *gone)))
    assert [(problem.code, problem.where) for problem in refused.value.problems] == [
        ("missing_file", name) for name in gone
    ]


@pytest.mark.parametrize("model", ["./tiny/model", "../tiny/model", "/tiny/model"])
def test_a_folder_is_found_without_what_clients_take_out_of_addresses(
    serve: Callable[..., LiveServer], model: str
) -> None:
    live = serve({}, models=(model, "tiny/other"))
    with live.client() as client:
        for address in (model, "tiny/model"):
            answer = client.get(f"/models/{address.replace('.', '%2e')}/health")
            assert answer.status_code == 200, answer.text
        assert client.get("/models/model/health").status_code == 404


def test_the_weights_manager_is_set_up_as_the_settings_say(
    tmp_path: Path, serve: Callable[..., LiveServer]
) -> None:
    models = serve({}, device="cpu", device_memory="3GB", host_memory="0", batch=4).state.models
    assert models.options.batch == 4 and models.device.name == "cpu"
    with pytest.raises(ModelError, match="12 apples"):
        open_app_state(
            Settings.read(graphs=tmp_path, data=tmp_path, device_memory="12 apples"),
            Registry.installed(),
        )


def test_the_page_has_the_table_of_settings() -> None:
    assert settings_table() in (ROOT / "docs" / "serving.md").read_text()
    assert settings_table().count(ENVIRONMENT_PREFIX) == len(Settings.model_fields)


@pytest.mark.parametrize(
    "apps", ["{", '{"ap-x": {"colour": 1}}', '{"ap-x": {"sizes": ["big"]}}', "[]"]
)
def test_a_table_of_apps_that_is_wrong(
    tmp_path: Path, serve: Callable[..., LiveServer], apps: str
) -> None:
    file = tmp_path / "apps.json"
    file.write_text(apps)
    with pytest.raises(SettingsError, match=re.escape(str(file))):
        serve(qolaba_apps=file)


LISTS = [name for name, field in Settings.model_fields.items() if isinstance(field.default, tuple)]


@pytest.mark.parametrize("name", LISTS)
def test_the_environment_has_lists_with_commas(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = (
        "mcp, openai"
        if name == "dialects"
        else "one-of-more-than-sixteen, two-of-more-than-sixteen"
    )
    monkeypatch.setenv(f"{ENVIRONMENT_PREFIX}{name.upper()}", given)
    found = getattr(Settings.read(), name)
    assert len(found) == 2 and all(" " not in str(one) for one in found)
