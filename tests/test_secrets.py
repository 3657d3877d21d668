"""Secrets: where they come from, and every place where they must not be."""

from __future__ import annotations

import json
import logging
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from nodetool_core import Context, Node, Workflow, WorkflowError
from nodetool_core.engine.caching.tiered import default_cache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, event_json
from nodetool_core.engine.options import NodePolicy, RunOptions
from nodetool_core.engine.result import RunError
from nodetool_core.secrets import Secret, SecretError, Secrets, kind_of_key

CANARY = "canary-8c51f0d2-never-to-be-seen"
NAME = "CANARY_KEY"
HF_LIKE = "hf_" + "aB3" * 12


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "private" / "settings.env"
    monkeypatch.setenv("NODETOOL_SETTINGS", str(path))
    return path


# -- where they come from --------------------------------------------------------------------------


def test_the_environment_comes_before_the_file(file: Path) -> None:
    secrets = Secrets(
        environment={"NODETOOL_SETTINGS": str(file), "A": "from the-environment".replace(" ", "-")}
    )
    secrets.set("A", "from-the-file")
    secrets.set("B", "also-from-the-file")
    assert (secrets.secret("A").reveal(), secrets.secret("B").reveal()) == (
        "from-the-environment",
        "also-from-the-file",
    )
    assert secrets.secret("C", "B").name == "B"
    assert secrets.places() == {"A": "environment", "B": "file"}
    assert (
        secrets.setting("B") == "also-from-the-file"
        and secrets.setting("C", "default") == "default"
    )


def test_a_missing_secret_says_what_to_do(file: Path) -> None:
    with pytest.raises(
        SecretError,
        match=r"FAL_KEY or HF_TOKEN: None of these keys is set\. .*nodetool secrets set HF_TOKEN",
    ):
        Secrets(environment={}, path=file).secret("FAL_KEY", "HF_TOKEN")


def test_the_file_is_its_owners_alone_and_comments_stay(file: Path) -> None:
    secrets = Secrets(file, environment={})
    secrets.set("A", "one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and list(file.parent.iterdir()) == [file]
    file.write_text("# keys of the studio\nA=one")
    secrets.set("B", "two=with=signs")
    secrets.set("A", "three")
    assert file.read_text() == "# keys of the studio\nB=two=with=signs\nA=three\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets.remove("A")
    assert secrets.places() == {"B": "file"}
    with pytest.raises(SecretError, match="is not in"):
        secrets.remove("A")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_is_not_used(file: Path, mode: int) -> None:
    secrets = Secrets(file, environment={})
    secrets.set("A", CANARY)
    file.chmod(mode)
    for use in (lambda: secrets.secret("A"), lambda: secrets.set("B", "two"), secrets.places):
        with pytest.raises(SecretError, match="chmod 600") as caught:
            use()
        assert CANARY not in str(caught.value)


def test_a_wrong_line_is_named_and_not_shown(file: Path) -> None:
    Secrets(file, environment={}).set("A", "one")
    file.write_text(f"A=one\nmy key {CANARY}\n")
    with pytest.raises(SecretError, match=r"settings\.env:2") as caught:
        Secrets(file, environment={}).secret("A")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("value", ["two\nlines", "a b", "kéy", "\x00", "\x1b[31m"])
def test_what_no_key_holds_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(SecretError, match="no key has") as caught:
        Secrets(environment={"A": f"start{value}end"}).secret("A")
    assert value not in str(caught.value)


# -- where they must not be ------------------------------------------------------------------------


def test_a_secret_shows_its_name_alone() -> None:
    secret = Secret(NAME, CANARY)
    assert (
        CANARY not in f"{secret} {secret!r} {[secret]} {secret.__class__!r}"
        and secret.reveal() == CANARY
    )
    with pytest.raises(TypeError, match=NAME) as caught:
        pickle.dumps(secret)
    assert CANARY not in str(caught.value)
    with pytest.raises(TypeError):
        json.dumps(secret)


class Careless(Node):
    """Says everywhere what it should keep to itself."""

    text: str = "x"
    fails: bool = False

    def process(self, context: Context) -> str:
        key = context.secret(NAME).reveal()
        context.progress(1, 2, f"asking with {key}")
        context.warn(
            f"sent {key}", header=f"Bearer {key}", headers=[{"authorization": (f"Bearer {key}",)}]
        )
        if self.fails:
            try:
                raise KeyError(f"inner {key}")
            except KeyError as error:
                raise ConnectionError(f"Illegal header value b'Bearer {key}'") from error
        return self.text.upper()


class Stubborn(Exception):
    """Keeps what it says to itself until it is asked."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def __str__(self) -> str:
        return f"header {self.key}"


class Obstinate(Node):
    """Fails in a way that can't be cleaned."""

    def process(self, context: Context) -> str:
        raise Stubborn(context.secret(NAME).reveal())


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, CANARY)


def everything(run: Any, events: list[Event]) -> str:
    """Return all that a run told and kept, as text."""
    result = run.partial
    told = [json.dumps(event_json(event)) for event in events]
    kept = [
        str(result.warnings),
        str(result.failures),
        str(result.outputs),
        repr([failure.exception for failure in result.failures]),
    ]
    return "\n".join([*told, *map(str, events), *kept])


@pytest.mark.usefixtures("canary")
@pytest.mark.parametrize("node", [Careless(fails=True), Obstinate()], ids=["chained", "own str"])
@pytest.mark.parametrize("attempts", [1, 2])
def test_no_event_and_no_error_holds_a_secret(
    node: Node, attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    import traceback

    events: list[Event] = []
    policy = {"*": NodePolicy(attempts=attempts, wait=0.0)}
    with Engine() as engine, caplog.at_level(logging.DEBUG):
        run = Workflow(node, engine=engine).start(
            options=RunOptions(outputs=[node.spec.title.lower()], policies=policy),
            on_event=events.append,
        )
        with pytest.raises(RunError) as caught:
            run.result(10)
    shown = (
        everything(run, events) + "".join(traceback.format_exception(caught.value)) + caplog.text
    )
    for failure in caught.value.failures:
        assert failure.exception is not None
        shown += "".join(traceback.format_exception(failure.exception))
    assert f"[{NAME}]" in shown and CANARY not in shown


@pytest.mark.usefixtures("canary")
def test_no_result_no_cache_and_no_provenance_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path / "cache"))
    events: list[Event] = []
    cache = default_cache()
    with Engine(cache=cache) as engine:
        run = Workflow(Careless(), engine=engine).start(
            options=RunOptions(outputs=["careless"]), on_event=events.append
        )
        assert run.result(10)["careless"] == "X"
    cache.close()
    shown = everything(run, events)
    assert f"[{NAME}]" in shown and CANARY not in shown
    assert [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ] == []


@pytest.mark.usefixtures("canary")
def test_no_key_of_the_cache_depends_on_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine() as engine:
        workflow = Workflow(Careless(), engine=engine)
        options = RunOptions(outputs=["careless"])
        workflow.run(options=options)
        monkeypatch.setenv(NAME, "another-key-of-the-same-account")
        assert workflow.run(options=options).hits == ["careless"]


# -- workflows -------------------------------------------------------------------------------------

KEYS = [
    HF_LIKE,
    "r8_" + "x7" * 18,
    "tgp_v1_" + "a-B_9" * 8,
    "01234567-89ab-cdef-0123-456789abcdef:" + "0f" * 16,
    "sk-" + "proj-abc123" * 4,
    "ghp_" + "a1" * 18,
    "Bearer " + "abc.DEF-123_" * 3,
    "https://user:word@host.example/x",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_workflow_that_holds_a_key_is_refused_without_showing_it(key: str) -> None:
    for value in (key, f"a lake, {key}!"):
        with pytest.raises(WorkflowError) as caught:
            Workflow(Careless(text=value))
        [problem] = caught.value.problems
        assert problem.code == "secret_in_workflow" and problem.where == "nodes[0].data.text"
        assert key not in str(caught.value) and "nodetool secrets set" in problem.hint


def test_a_key_in_a_place_of_another_type_is_not_shown_either(tmp_path: Path) -> None:
    path = tmp_path / "workflow.json"
    node = {"id": "n", "type": "nodetool.constant.Integer", "data": {"value": HF_LIKE}}
    path.write_text(json.dumps({"graph": {"nodes": [node], "edges": []}}))
    with pytest.raises(WorkflowError) as caught:
        Workflow.load(path)
    assert [problem.code for problem in caught.value.problems] == [
        "secret_in_workflow"
    ] and HF_LIKE not in str(caught.value)


def test_a_key_that_is_given_to_a_run_is_refused_as_well() -> None:
    with pytest.raises(WorkflowError) as caught:
        Workflow(Careless()).run({"careless.text": HF_LIKE})
    assert caught.value.problem.code == "secret_in_workflow" and HF_LIKE not in str(caught.value)


def test_keys_are_found_inside_of_values() -> None:
    assert kind_of_key({"headers": [{"authorization": f"Bearer {HF_LIKE}"}]})
    assert kind_of_key({HF_LIKE: 1})


@pytest.mark.parametrize(
    "text",
    [
        "A lake at sunset, oil painting, mountains in the background",
        "/home/me/images/hf_stable_diffusion_v1_5_inpainting_model_final.safetensors",
        "stabilityai/stable-diffusion-xl-base-1.0",
        "https://example.org/a:b@2x.png",
        "the bearer of good news is a task-force sk-8 skateboarder",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "01234567-89ab-cdef-0123-456789abcdef",
    ],
)
def test_common_texts_are_no_keys(text: str) -> None:
    assert kind_of_key(text) == ""


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=60))
def test_words_are_no_keys(text: str) -> None:
    words = " ".join(text.split())
    assert kind_of_key(" ".join(word[:11] for word in words.split())) == ""


@given(
    st.text(alphabet="abcxyz-_", min_size=6, max_size=40),
    st.text(alphabet="0123456789 \n", max_size=30),
)
def test_redaction_leaves_nothing(value: str, around: str) -> None:
    secrets = Secrets(environment={NAME: value})
    secrets.secret(NAME)
    assert secrets.redact(f"{around}{value}{around}") == f"{around}[{NAME}]{around}"


# -- the command line ------------------------------------------------------------------------------


def command(*arguments: str, given: str | None = None) -> Any:
    from nodetool_core.cli.app import make_app

    return CliRunner().invoke(make_app(), ["secrets", *arguments], input=given)


def test_the_commands_never_show_a_value(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = command("set", "HF_TOKEN", given=f"{HF_LIKE}\n")
    assert done.exit_code == 0 and HF_LIKE not in done.output
    monkeypatch.setenv("OTHER_KEY", "elsewhere")
    listed = command("list")
    assert (
        "HF_TOKEN" in listed.output and HF_LIKE not in listed.output and str(file) in listed.output
    )
    assert json.loads(command("list", "--json").output) == {
        "file": str(file),
        "secrets": {"HF_TOKEN": "file"},
    }
    assert Secrets().secret("HF_TOKEN").reveal() == HF_LIKE
    assert command("rm", "HF_TOKEN").exit_code == 0 and "HF_TOKEN" not in file.read_text()


def test_a_value_can_not_be_given_where_the_shell_keeps_it() -> None:
    assert command("set", "HF_TOKEN", HF_LIKE).exit_code == 2


def test_a_name_that_is_none() -> None:
    done = command("set", "hf token", given="value\n")
    assert done.exit_code != 0 and isinstance(done.exception, SecretError)


def test_a_secret_that_is_the_beginning_of_another_is_not_taken_for_it() -> None:
    secrets = Secrets(
        Path("absent"), environment={"SHORT_KEY": "abcdef", "LONG_KEY": "abcdef-0123456789"}
    )
    secrets.secret("SHORT_KEY")
    secrets.secret("LONG_KEY")
    assert secrets.redact("abcdef-0123456789 abcdef") == "[LONG_KEY] [SHORT_KEY]"


def test_the_errors_of_a_group_are_cleaned_as_well() -> None:
    import traceback

    secrets = Secrets(Path("absent"), environment={NAME: CANARY})
    secrets.secret(NAME)
    group = ExceptionGroup(
        "two of them", [ValueError(f"with {CANARY}"), ExceptionGroup("more", [KeyError(CANARY)])]
    )
    shown = "".join(traceback.format_exception(secrets.scrub(group)))
    assert CANARY not in shown and shown.count(f"[{NAME}]") == 2


def test_a_value_that_holds_itself_is_looked_through() -> None:
    circle: list[Any] = [HF_LIKE[:5]]
    circle += [circle, circle]
    assert kind_of_key(circle) == ""
    assert kind_of_key([circle, HF_LIKE]) == "a Hugging Face token"
