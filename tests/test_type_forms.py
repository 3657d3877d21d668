"""E12, E9: types of other libraries, in properties, outputs, files, keys, caches and notebooks."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, PrivateAttr

from nodes.nodetool.output import Output
from nodetool_core import (
    DiskCache,
    Engine,
    Node,
    Registry,
    RunResult,
    Workflow,
    WorkflowError,
    register_type,
)
from nodetool_core.engine.caching.codec import NoCodecError, decode, encode
from nodetool_core.engine.caching.sizes import size_of
from nodetool_core.reference.schema import workflow_schema
from nodetool_core.type_forms import _FORMS
from tests.engine.nodes import Anything


class Wave:
    """Samples, as a library might have them."""

    def __init__(self, samples: NDArray[np.float64], rate: int) -> None:
        self.samples = samples
        self.rate = rate

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Wave):
            return NotImplemented
        return self.rate == other.rate and np.array_equal(self.samples, other.samples)

    __hash__ = None  # type: ignore[assignment]


def wave_of(form: object) -> Wave:
    if not isinstance(form, dict):
        raise ValueError("a wave has samples and a rate")
    return Wave(np.asarray(form["samples"], float), form["rate"])


register_type(
    Wave,
    to_json=lambda wave: {"samples": wave.samples.tolist(), "rate": wave.rate},
    from_json=wave_of,
    to_parts=lambda wave: (wave.samples, wave.rate),
    from_parts=lambda parts: Wave(*parts),
    size=lambda wave: 1_000_000,
    preview=lambda wave: Image.new("RGB", (wave.rate, 2), "red"),
)


class Mode(enum.Enum):
    SOFT = "soft"


class Settings(BaseModel):
    steps: int
    mode: Mode = Mode.SOFT
    _seen: int = PrivateAttr(default=0)


class Louder(Node):
    """Makes a wave louder."""

    wave: Wave | None = None
    waves: list[Wave] = []
    by: np.ndarray = np.ones(1)
    settings: Settings = Settings(steps=1)

    def process(self) -> Wave:
        waves = self.waves if self.wave is None else [self.wave, *self.waves]
        return Wave(waves[0].samples * self.by * self.settings.steps, len(waves))


GIVEN = {
    "wave": {"samples": [1.0, 2.0], "rate": 3},
    "waves": [{"samples": [5.0], "rate": 1}],
    "by": [2, 3],
    "settings": {"steps": 2, "mode": "soft"},
}
LOUDER = Wave(np.asarray([4.0, 12.0]), 2)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(workers=1) as engine:
        yield engine


def test_values_come_from_json_and_go_back(engine: Engine, tmp_path: Path) -> None:
    built = Workflow(Output(name="x", value=Louder(**GIVEN)), engine=engine)
    assert built.run()["x"] == LOUDER
    path = built.save(tmp_path / "w.json")
    again = Workflow.load(path, Registry(Registry.installed().packs, [Louder]), engine=engine)
    assert again.run()["x"] == LOUDER and again.run().ran == ["output"]
    data = json.loads(path.read_text())["graph"]["nodes"][0]["data"]
    assert data["waves"] == GIVEN["waves"] and data["settings"] == GIVEN["settings"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"wave": 3}, "a wave has samples and a rate"),
        ({"by": "loud"}, "an array is numbers in lists"),
        ({"settings": {"step": 1}}, "Louder.settings.steps: expects settings: Field required"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(WorkflowError, match=says):
        Louder(**given)


@pytest.mark.parametrize(
    "value",
    [
        LOUDER,
        {"a": [LOUDER, Settings(steps=3)]},
        Settings(steps=1),
        Settings(steps=1, mode=Mode.SOFT),
    ],
)
def test_values_go_to_the_disk_and_back(value: object) -> None:
    payload = b"".join(bytes(part) for part in encode((value,)).payload())
    (found,) = decode(memoryview(payload))
    assert found == value and type(found) is type(value)
    if isinstance(value, Settings) and isinstance(found, Settings):
        assert found.model_fields_set == value.model_fields_set


def test_a_model_with_more_than_its_fields_has_no_codec() -> None:
    settings = Settings(steps=1)
    settings._seen = 3
    with pytest.raises(NoCodecError):
        encode((settings,))


def test_the_next_process_finds_them(tmp_path: Path) -> None:
    def run() -> RunResult:
        with Engine(cache=DiskCache(tmp_path, least_seconds=0), workers=1) as engine:
            louder = Louder(**GIVEN)
            workflow = Workflow(Output(name="x", value=Anything(value=louder)), engine=engine)
            result = workflow.run()
            engine.cache.flush()  # type: ignore[attr-defined]
            return result

    first, second = run(), run()
    assert first["x"] == second["x"] == LOUDER
    assert "louder" in first.ran and "anything" not in second.ran


def test_their_size_and_their_preview_count() -> None:
    assert size_of([LOUDER]) >= 1_000_000
    shown = RunResult("1", {"x": LOUDER})._repr_html_()
    assert "data:image/png;base64" in shown and 'title="2x2"' in shown


def test_a_value_that_no_file_can_hold_is_refused_with_its_place(tmp_path: Path) -> None:
    class Foreign:
        """Has no form."""

    class Takes(Node):
        """Takes what has no form."""

        value: Foreign

        def process(self) -> int:
            return 1

    with pytest.raises(WorkflowError, match=r"nodes\[0\].data.value: .*has no JSON form"):
        Workflow(Takes(value=Foreign())).save(tmp_path / "w.json")


def test_forms_belong_together() -> None:
    with pytest.raises(ValueError, match="to_json and from_json belong together"):
        register_type(Mode, to_json=lambda mode: mode.value)
    assert Mode not in _FORMS


def test_the_schema_has_them() -> None:
    assert '"wave"' in json.dumps(workflow_schema([Louder]))


class Doubled(Node):
    """Doubles a tensor."""

    tensor: torch.Tensor

    def process(self) -> torch.Tensor:
        return self.tensor * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_tensors_come_from_json_and_go_back(
    dtype: torch.dtype, engine: Engine, tmp_path: Path
) -> None:
    tensor = torch.tensor([[1, 0], [1, 1]]).to(dtype)
    workflow = Workflow(Doubled(tensor=tensor), engine=engine)
    workflow.save(tmp_path / "doubled.json")
    registry = Registry(node_classes=[Doubled])
    read = Workflow.load(tmp_path / "doubled.json", registry=registry, engine=engine)
    found = read()
    assert torch.equal(found, tensor * 2) and found.dtype == (tensor * 2).dtype
    again = read.run()
    assert again.hits == ["doubled"] and torch.equal(again["doubled"], found)


def test_tensors_are_read_from_numbers_in_lists(engine: Engine) -> None:
    assert Workflow(Doubled(tensor=[1.0, 2.0]), engine=engine)().tolist() == [2.0, 4.0]
    with pytest.raises(WorkflowError, match="a tensor is numbers in lists"):
        Workflow(Doubled(tensor="loud"), engine=engine).run()
