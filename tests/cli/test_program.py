"""The installed program: exit codes, streams, Ctrl-C, and what starting it costs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Author, finish, start

HEAVY = {"torch", "diffusers", "transformers", "numpy", "networkx"}


def test_a_run_from_start_to_end(write: Author, tmp_path: Path) -> None:
    done = finish(start(["run", write.resize(), "--json"], tmp_path))
    assert done.code == 0 and json.loads(done.out)["status"] == "completed"
    assert (tmp_path / "out" / "image.png").exists()


def test_an_invalid_workflow_ends_with_2(write: Author, tmp_path: Path) -> None:
    done = finish(start(["run", write({"x": ("nodetool.image.Resiz", {})})], tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "Did you mean 'nodetool.image.Resize'?" in done.err and "Traceback" not in done.err


def test_a_failed_run_ends_with_1(write: Author, pack_folder: Path, tmp_path: Path) -> None:
    done = finish(start(["run", write.single("Crash")], tmp_path, packs=pack_folder))
    assert (
        (done.code, done.out) == (1, "")
        and "RuntimeError" in done.err
        and "Traceback" not in done.err
    )


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_ends_a_run_within_a_step_and_keeps_what_is_finished(
    write: Author, pack_folder: Path, tmp_path: Path
) -> None:
    workflow = write(
        {
            "slow": ("cli_pack.nodes.Slow", {}),
            "tiles": ("cli_pack.nodes.Tiles", {"count": 1}),
            "waited": ("nodetool.output.Output", {"name": "waited"}),
            "made": ("nodetool.output.Output", {"name": "made"}),
        },
        ["tiles.output > made.value", "made.output > slow.after", "slow.output > waited.value"],
    )
    process = start(["run", workflow, "--json"], tmp_path, packs=pack_folder)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("slow: Waiting"), "so the other output is there"
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    done = finish(process)
    assert time.monotonic() - asked < 10
    assert done.code == 130 and "Interrupted" in done.err and "Traceback" not in done.err
    assert done.json["status"] == "cancelled"
    assert (tmp_path / "out" / "made_1.png").exists()


@pytest.fixture
def slow_torch(tmp_path: Path) -> Path:
    """Return a folder with a torch whose import does not end."""
    folder = tmp_path / "libraries"
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text("import threading\nthreading.Event().wait(50)\n")
    return folder


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
def test_n6_what_is_being_imported_is_shown_and_not_waited_for(
    write: Author, pack_folder: Path, slow_torch: Path, tmp_path: Path
) -> None:
    process = start(
        ["run", write.single("Heavy"), "--json"], tmp_path, packs=pack_folder, libraries=slow_torch
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "Loading torch\n"
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    done = finish(process)
    assert time.monotonic() - asked < 5, "0.4 s where the machine has nothing else to do"
    assert done.code == 130 and done.json["status"] == "cancelled"
    assert "Interrupted after" in done.err and "Traceback" not in done.err


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_n6_a_terminal_shows_what_is_being_imported(
    write: Author, pack_folder: Path, slow_torch: Path, tmp_path: Path
) -> None:
    import pty

    terminal, end = pty.openpty()
    process = start(
        ["run", write.single("Heavy")],
        tmp_path,
        packs=pack_folder,
        libraries=slow_torch,
        stderr=end,
    )
    os.close(end)
    shown = b""
    for chunk in _until_closed(terminal):
        shown += chunk
        if b"loading torch" in shown and process.poll() is None:
            process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130 and b"loading torch" in shown


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_on_a_terminal_there_are_bars_and_stdout_stays_clean(
    write: Author, pack_folder: Path, tmp_path: Path
) -> None:
    import pty

    terminal, end = pty.openpty()
    process = start(
        ["run", write.single("Slow", steps=10)], tmp_path, packs=pack_folder, stderr=end
    )
    os.close(end)
    shown = b"".join(_until_closed(terminal)).decode()
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "result: waited\n")
    assert "node  Waiting" in shown and "/10" in shown and "2 nodes computed" in shown


def _until_closed(terminal: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 65536):
            yield chunk


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    process = start(["nodes", "list", "--json"], tmp_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) != 0 and error == ""


def test_a_terminal_without_unicode_shows_escapes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = finish(start(["nodes", "show", "nodetool.image.Crop"], tmp_path))
    assert done.code == 0 and "\\u2265 0" in done.out


def imported(arguments: list[str]) -> set[str]:
    """Top-level packages that a command leaves loaded."""
    script = (
        "import sys; from nodetool_core.cli.app import execute; code ="
        " execute(sys.argv[1:]);print(*sorted({name.partition('.')[0] for name in sys.modules}),"
        " file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["run", "--help"], {"pydantic"}),
        (["nodes", "list"], {"pydantic"}),
        (["nodes", "show", "Resize"], {"pydantic"}),
        (["validate", "graphs/image_to_image.json"], {"pydantic"}),
        (["graph", "graphs/image_to_image.json"], {"pydantic"}),
    ],
    ids=lambda value: "-".join(value).replace("/", "-") if isinstance(value, list) else "",
)
def test_a_command_imports_only_what_it_needs(arguments: list[str], allowed: set[str]) -> None:
    assert imported(arguments) & (HEAVY | {"rich", "pydantic", "PIL"}) <= allowed


def test_a_run_without_a_model_does_not_import_torch(write: Author, tmp_path: Path) -> None:
    assert (
        imported(["run", str(write.resize()), "--out", str(tmp_path)]) & (HEAVY - {"numpy"})
        == set()
    )


def test_n5_the_process_ends_without_a_last_collection() -> None:
    """
    A collection of all that torch has made takes seconds after the last line, and frees nothing.
    """
    program = (
        "import atexit, gc, sys; sys.argv = ['nodetool', '--version'];"
        "atexit.register(lambda: print('frozen', gc.get_freeze_count() > 0));"
        "from nodetool_core.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "frozen True"


def test_what_python_does_at_its_end_is_done_all_the_same(tmp_path: Path) -> None:
    """A thread is waited for, an exit handler runs, and a file that nobody closed is written."""
    program = (
        "import atexit, sys, threading; from pathlib import Path; sys.argv = ['nodetool', '-h'];"
        f"folder = Path({str(tmp_path)!r}); file = (folder / 'open').open('w'); file.write('all');"
        "ended = threading.Event();"
        "work = lambda: (ended.wait(1), (folder / 'thread').write_text('all'));"
        "threading.Thread(target=work).start();"
        "atexit.register(lambda: (folder / 'handler').write_text('all'));"
        "from nodetool_core.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: nodetool") and done.stderr == ""
    for name in ("open", "thread", "handler"):
        assert (tmp_path / name).read_text() == "all", name


@pytest.mark.parametrize(
    ("library", "raised", "shown"),
    [
        (
            "torch",
            "ModuleNotFoundError(\"No module named 'torch'\", name='torch')",
            "error[missing_package]: torch is not installed, and no model runs without it.",
        ),
        (
            "diffusers",
            "ModuleNotFoundError(\"No module named 'regex'\", name='regex')",
            "error[missing_package]: diffusers needs regex, which is not installed",
        ),
        (
            "torch",
            "OSError('libcudart.so.12: cannot open shared object file')",
            "error[broken_package]: torch is installed and can't be imported: libcudart.so.12",
        ),
    ],
)
def test_n10_a_library_that_is_not_there_is_a_message(
    library: str, raised: str, shown: str, tmp_path: Path
) -> None:
    package = tmp_path / "libraries" / library
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"raise {raised}\n")
    done = finish(
        start(
            ["run", "example:image_to_image", "--no-cache"],
            tmp_path,
            libraries=tmp_path / "libraries",
        )
    )
    assert done.code == 1 and shown in done.err and "Traceback" not in done.err
    assert "pip install" in done.err or "nodetool doctor" in done.err
