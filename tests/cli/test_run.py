"""`nodetool run`: what goes to stdout, what to stderr, what onto the disk, and the exit code."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from nodetool_core.assets.encode import read_provenance
from tests.cli.conftest import Author, Command


def test_paths_and_values_go_to_stdout_and_nothing_else(
    nodetool: Command, write: Author, tmp_path: Path
) -> None:
    done = nodetool("run", write.resize())
    assert (done.code, sorted(done.out.splitlines())) == (0, ["out/image.png", "text: hello"])
    assert "5 nodes computed" in done.err
    with Image.open(tmp_path / "out" / "image.png") as image:
        assert image.size == (20, 10)


def test_a_image_knows_what_made_it(nodetool: Command, write: Author, tmp_path: Path) -> None:
    nodetool("run", write.resize(), "--out", "made")
    provenance = read_provenance(tmp_path / "made" / "image.png")
    assert provenance is not None and len(provenance["workflow"]["graph"]["nodes"]) == 5


def test_inputs_and_properties_are_set(nodetool: Command, write: Author, tmp_path: Path) -> None:
    Image.new("L", (7, 7)).save(tmp_path / "other.png")
    workflow = write.resize()
    settings = [
        "--set",
        "photo=other.png",
        "--set",
        "smaller.width=5",
        "--set",
        "caption=a=b = c",
        "--set",
        "caption.name=said",
    ]
    done = nodetool("run", workflow, *settings, "--out", "x")
    assert done.code == 0 and "text: a=b = c" in done.out.splitlines()
    with Image.open(tmp_path / "x" / "image.png") as image:
        assert (image.size, image.mode) == ((5, 10), "L")


def test_nothing_is_overwritten(nodetool: Command, write: Author, tmp_path: Path) -> None:
    workflow = write.resize()
    first, second, third = (
        nodetool("run", workflow, "--json").json["outputs"]["image"]["path"] for _ in range(3)
    )
    assert [first, second, third] == ["out/image.png", "out/image-2.png", "out/image-3.png"]


def test_a_image_is_called_as_out_says(nodetool: Command, write: Author) -> None:
    workflow = write.resize()
    assert nodetool("run", workflow, "--out", "made/night.jpg").out.splitlines() == [
        "made/night.jpg",
        "text: hello",
    ]
    assert nodetool("run", workflow, "--out", "made/night.jpg").out.splitlines() == [
        "made/night-2.jpg",
        "text: hello",
    ]
    with Image.open("made/night.jpg") as image:
        assert image.format == "JPEG"
    Path("old.png").mkdir()
    assert "old.png/image.png" in nodetool("run", workflow, "--out", "old.png").out


def test_several_images_begin_as_out_says(nodetool: Command, write: Author) -> None:
    write.resize()
    workflow = write(
        {
            "image": ("nodetool.input.ImageInput", {"name": "photo", "value": "photo.png"}),
            "first": ("nodetool.output.Output", {"name": "small"}),
            "second": ("nodetool.output.Output", {"name": "large.webp"}),
        },
        ["image.output > first.value", "image.output > second.value"],
    )
    assert sorted(nodetool("run", workflow, "--out", "night.png").out.splitlines()) == [
        "night_large.webp",
        "night_small.png",
    ]


def test_a_batch_wants_a_folder(nodetool: Command, write: Author) -> None:
    done = nodetool("run", write.resize(), "--set", "photo=ph*.png", "--out", "night.png")
    assert done.code == 2 and "--out night\n" in done.err and not Path("night.png").exists()


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("photo.jpg", "--set image=photo.jpg"),
        ("--prompt=night", "--set prompt=VALUE"),
        ("--quite", "Did you mean '--quiet'?"),
    ],
)
def test_what_run_does_not_take_says_how_it_is_given(
    argument: str, hint: str, nodetool: Command, write: Author
) -> None:
    done = nodetool("run", write.resize(), argument)
    assert done.code == 2 and hint in done.err and done.out == ""


def test_only_the_outputs_that_are_named(nodetool: Command, write: Author) -> None:
    done = nodetool("run", write.resize(), "--output", "text", "--json")
    assert done.json["outputs"] == {"text": "hello"} and "smaller" not in done.json["computed"]


def test_the_result_of_a_node_can_be_asked_for(nodetool: Command, write: Author) -> None:
    assert nodetool("run", write.resize(), "--output", "smaller").out == "out/smaller.png\n"


@pytest.mark.usefixtures("pack")
class TestForeignNodes:
    def test_lists_of_images_are_numbered(self, nodetool: Command, write: Author) -> None:
        assert nodetool("run", write.single("Tiles", count=11)).out.splitlines() == [
            f"out/result_{number:02}.png" for number in range(1, 12)
        ]
        assert nodetool("run", write.single("Tiles", count=0)).out == "result: []\n"

    def test_several_outputs_of_a_node(self, nodetool: Command, write: Author) -> None:
        workflow = write({"node": ("cli_pack.nodes.Several", {})})
        done = nodetool("run", workflow, "--output", "node", "--json")
        assert done.json["outputs"]["node"] == {
            "small": {"type": "image", "path": "out/node_small.png", "width": 4, "height": 4},
            "count": 3,
        }

    def test_values_without_a_json_form(self, nodetool: Command, write: Author) -> None:
        assert nodetool("run", write.single("Odd"), "--json").json["outputs"]["result"] == [
            "nan",
            1.5,
        ]

    def test_a_foreign_exception_is_one_message(self, nodetool: Command, write: Author) -> None:
        done = nodetool("run", write.single("Crash"))
        assert (done.code, done.out) == (1, "")
        assert "node 'node' (cli_pack.nodes.Crash): RuntimeError: the sky\\x1b[31m fell" in done.err
        assert "Traceback" not in done.err and "--debug" in done.err

    def test_debug_shows_the_traceback(self, nodetool: Command, write: Author) -> None:
        done = nodetool("run", write.single("Crash"), "--debug", "--json")
        assert "Traceback" in done.err and 'raise RuntimeError("the sky' in done.err
        assert "Traceback" in done.json["errors"][0]["traceback"]

    def test_a_refusal_needs_no_traceback(self, nodetool: Command, write: Author) -> None:
        done = nodetool("run", write.single("Refuse"), "--debug")
        assert (
            done.code == 1
            and "There is nothing to do." in done.err
            and "Give it something." in done.err
        )
        assert "Traceback" not in done.err and "--debug" not in done.err

    def test_failures_in_json(self, nodetool: Command, write: Author) -> None:
        done = nodetool("run", write.single("Refuse"), "--json")
        (error,) = done.json["errors"]
        assert done.code == 1 and done.json["status"] == "failed"
        assert (error["node_id"], error["code"], error["hint"]) == (
            "node",
            "node_failed",
            "Give it something.",
        )

    def test_what_was_finished_is_kept(self, nodetool: Command, write: Author) -> None:
        workflow = write(
            {
                "bad": ("cli_pack.nodes.Crash", {}),
                "good": ("cli_pack.nodes.Tiles", {"count": 2}),
                "bad_out": ("nodetool.output.Output", {"name": "bad"}),
                "good_out": ("nodetool.output.Output", {"name": "good"}),
            },
            ["bad.output > bad_out.value", "good.output > good_out.value"],
        )
        done = nodetool("run", workflow, "--on-error", "continue")
        assert done.code == 1 and done.out.splitlines() == ["out/good_1.png", "out/good_2.png"]
        assert "RuntimeError" in done.err and "2 finished images kept" in done.err

    def test_a_warning_is_shown_once(self, nodetool: Command, write: Author) -> None:
        done = nodetool("run", write.single("Warn"), "--json")
        assert done.code == 0 and done.err.count("The flux is ignored.") == 1
        assert len(done.json["warnings"]) == 3

    def test_progress_without_a_terminal_is_plain_lines(
        self, nodetool: Command, write: Author
    ) -> None:
        done = nodetool("run", write.single("Slow", steps=30))
        assert "node: Waiting 0/30" in done.err and "node: done in " in done.err
        assert len(done.err.splitlines()) < 8 and "\x1b" not in done.err
        assert nodetool("run", write.single("Slow", steps=2), "--quiet").err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--set", "photo"], "wrong_setting", "has no `=`"),
        (["--set", "=3"], "wrong_setting", "no name"),
        (["--set", "foto=x.png"], "unknown_input", "Did you mean 'photo'?"),
        (["--set", "smaller.widht=3"], "unknown_property", "Did you mean 'width'?"),
        (["--set", "smaller.width=1.4"], "invalid_value", "expects int, got 1.4"),
        (["--set", "smaller.width=0"], "invalid_value", "0 is below 1"),
        (["--output", "imag"], "unknown_output", "image"),
        (["--set", "photo="], "missing_input", "photo"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(
    arguments: list[str], code: str, message: str, nodetool: Command, write: Author, tmp_path: Path
) -> None:
    done = nodetool("run", write.resize(), *arguments, "--json")
    assert done.code == 2 and message in done.err and "Traceback" not in done.err
    assert done.json["status"] == "invalid" and done.json["errors"][0]["code"] == code
    assert not (tmp_path / "out").exists()


def test_a_missing_file_names_its_neighbour(nodetool: Command, write: Author) -> None:
    write.resize()
    done = nodetool("run", "workflo.json")
    assert done.code == 2 and "Did you mean 'workflow.json'?" in done.err


def test_a_image_that_is_not_there(nodetool: Command, write: Author) -> None:
    done = nodetool("run", write.resize(), "--set", "photo=nowhere.png")
    assert done.code == 1 and "nowhere.png" in done.err and "Traceback" not in done.err


def test_a_folder_that_is_a_file_is_found_out_before_the_run(
    nodetool: Command, write: Author, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("precious")
    done = nodetool("run", write.resize(), "--out", "taken/images")
    assert done.code == 1 and "taken" in done.err and "nodes computed" not in done.err
    assert nodetool("run", write.resize(), "--out", "taken/images", "--output", "text").code == 0, (
        "texts need no folder"
    )
    assert (tmp_path / "taken").read_text() == "precious"


def test_a_full_disk(
    nodetool: Command, write: Author, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    workflow = write.resize()
    monkeypatch.setattr("os.fsync", full)
    done = nodetool("run", workflow, "--json")
    assert (
        done.code == 1 and "No space left on device" in done.err and "Free some space" in done.err
    )
    assert done.json["status"] == "failed" and done.json["outputs"]["image"]["path"] is None
    assert [error["code"] for error in done.json["errors"]] == ["disk_full"]
    assert "Not all saved after" in done.err and "Done" not in done.err
    assert list((tmp_path / "out").iterdir()) == []


def test_without_output_nodes_the_last_nodes_are_the_result(
    nodetool: Command, write: Author
) -> None:
    assert (
        nodetool("run", write({"text": ("nodetool.constant.String", {"value": "x"})})).out
        == "text: x\n"
    )


def test_a_workflow_without_any_result_says_so(nodetool: Command, write: Author) -> None:
    done = nodetool(
        "run", write({"look": ("nodetool.workflows.base_node.Preview", {"value": "x"})})
    )
    assert (done.code, done.out) == (0, "") and "--output NODE" in done.err


@pytest.mark.parametrize("device", ["gpu", "cuda0", "cpu,tpu", "cuda:x"])
def test_n8_a_device_that_is_none_is_refused_also_where_all_is_cached(
    device: str, nodetool: Command, write: Author
) -> None:
    assert nodetool("run", write.resize()).code == 0
    done = nodetool("run", write.resize(), "--device", device)
    assert done.code == 2 and "is no device" in done.err and "cuda:1" in done.err


@pytest.mark.parametrize("size", ["8", "1000", "0.5MB"])
def test_n8_memory_without_its_unit_is_refused(size: str, nodetool: Command, write: Author) -> None:
    done = nodetool("run", write.resize(), "--device-memory", size)
    assert done.code == 2 and "in which no model fits" in done.err and "GB" in done.err


@pytest.mark.parametrize(
    ("given", "there", "meant"),
    [
        ("photo.png", "phoot.png", "phoot.png"),
        ("photo.png", "photo.jpg", "photo.jpg"),
        ("photo.png", "night.png", None),
        ("a.png", "b.png", None),
        ("lake_at_noon.png", "lake_at_nooon.png", "lake_at_nooon.png"),
        ("IMG_0412.jpeg", "invoice.jpeg", None),
    ],
)
def test_n13_only_a_name_that_may_be_meant_is_offered(
    given: str, there: str, meant: str | None, nodetool: Command, write: Author, tmp_path: Path
) -> None:
    workflow = write.resize()
    (tmp_path / "photo.png").unlink()
    (tmp_path / there).write_bytes(b"")
    done = nodetool("run", workflow, "--set", f"photo={given}")
    assert done.code != 0 and ("Did you mean" in done.err) == (meant is not None)
    assert meant is None or f"Did you mean {meant!r}?" in done.err


def test_n7_a_workflow_may_come_from_standard_input(
    nodetool: Command, write: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(write.resize().read_text()))
    assert "out/image.png" in nodetool("run", "-").out.splitlines()
    monkeypatch.setattr("sys.stdin", io.StringIO("{"))
    done = nodetool("validate", "-")
    assert done.code == 2 and "standard input:1:2" in done.err


class Piped:
    """Standard input that a shell fills from a file, or a terminal."""

    def __init__(self, content: bytes, *, terminal: bool = False) -> None:
        self.buffer = io.BytesIO(content)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def test_an_image_may_come_from_standard_input(
    nodetool: Command, write: Author, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = write.resize()
    nodetool("run", workflow, "--out", "file.png")
    monkeypatch.setattr("sys.stdin", Piped((tmp_path / "photo.png").read_bytes()))
    assert nodetool("run", workflow, "--set", "photo=-", "--out", "piped.png").code == 0
    with Image.open(tmp_path / "file.png") as file, Image.open(tmp_path / "piped.png") as piped:
        assert file.tobytes() == piped.tobytes()


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        (Piped(b""), ["photo=-"], "is standard input, and that is empty"),
        (Piped(b"x", terminal=True), ["photo=-"], "and that is a terminal"),
        (Piped(b"x"), ["photo=-", "smaller.image=-"], "another argument reads already"),
        (Piped(b"no image"), ["photo=-"], "is no image that can be read"),
    ],
)
def test_standard_input_without_an_image_is_refused(
    given: Piped,
    settings: list[str],
    message: str,
    nodetool: Command,
    write: Author,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", given)
    arguments = [part for setting in settings for part in ("--set", setting)]
    done = nodetool("run", write.resize(), *arguments)
    assert done.code != 0 and message in done.err and "Traceback" not in done.err


def test_n7_the_home_folder_is_the_user_s(
    nodetool: Command, write: Author, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert nodetool("run", write.resize(), "--out", "~/made").code == 0
    assert (tmp_path / "home" / "made" / "image.png").exists() and not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("out", "says"),
    [("-", "written to files"), ("pic.pgn", "Did you mean '.png'?"), ("a/b.jepg", "'.jpg'")],
)
def test_n7_a_slip_makes_no_folder(
    out: str, says: str, nodetool: Command, write: Author, tmp_path: Path
) -> None:
    workflow = write.resize()
    before = set(tmp_path.iterdir())
    done = nodetool("run", workflow, "--out", out)
    assert done.code == 2 and says in done.err
    assert set(tmp_path.iterdir()) == before


def test_n7_a_folder_with_a_dot_in_its_name_is_one(
    nodetool: Command, write: Author, tmp_path: Path
) -> None:
    assert nodetool("run", write.resize(), "--out", "results.v2").code == 0
    assert (tmp_path / "results.v2" / "image.png").exists()
