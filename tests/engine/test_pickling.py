"""
E7: what the public face gives can be copied and sent to other processes; errors always can.

E24: what may help is tried again.
"""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from PIL import Image

import nodetool_core
from nodes.nodetool.input import IntegerInput
from nodes.nodetool.output import Output
from nodetool_core import (
    Engine,
    ImageData,
    Node,
    NodeError,
    NodePolicy,
    NodetoolError,
    Registry,
    RunCancelled,
    RunError,
    RunOptions,
    RunResult,
    Workflow,
    WorkflowError,
)
from nodetool_core.errors import Problem
from tests.engine.nodes import Add, Anything, Fail, Number, Stage

WAYS = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


class UnpicklableError(Exception):
    """As some libraries raise."""

    def __init__(self, first: object, second: object) -> None:
        super().__init__("cannot be made from one argument")


class Raises(Node):
    """Fails in a way that can't be pickled."""

    def process(self) -> int:
        raise UnpicklableError(1, 2)


def failed(node: Any = None) -> RunError:
    workflow = Workflow(
        Output(name="x", value=(Fail() if node is None else node)["output"]),
        Output(name="y", value=Number(value=3).output),
        Output(name="z", value=Anything(value=WAYS[2]).output),
    )
    with pytest.raises(RunError) as raised:
        raise RunError(workflow.run(options=RunOptions(on_error="continue")))
    return raised.value


PROBLEM = Problem("bad", "here", "is wrong.", "Mend it.")
PLAIN = [kind for kind in NodetoolError.__subclasses__() if "__init__" not in vars(kind)]
"""Errors that are made of problems."""


@pytest.mark.parametrize("again", WAYS)
@pytest.mark.parametrize(
    "error",
    [
        *(kind([PROBLEM, PROBLEM]) for kind in PLAIN),
        NodetoolError(PROBLEM),
        WorkflowError([PROBLEM]),
        NodeError("no", "yes", code="bad", where="there", retryable=True),
        RunCancelled(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_back_whole(error: Exception, again: Any) -> None:
    found = again(error)
    assert type(found) is type(error) and str(found) == str(error) and vars(found) == vars(error)


@pytest.mark.parametrize("again", WAYS)
@pytest.mark.parametrize("node", [None, Raises()])
def test_a_run_error_comes_back_whole(node: Any, again: Any) -> None:
    error = failed(node)
    found = again(error)
    assert (
        isinstance(found, RunError)
        and found.problems == error.problems
        and str(found) == str(error)
    )
    assert [failure.problem for failure in found.failures] == [
        failure.problem for failure in error.failures
    ]
    assert found.failures is found.result.failures and found.failures[0].exception is not None
    assert found.result["y"] == 3 and found.result.status == "failed"


def test_what_can_not_be_sent_stays_and_is_told() -> None:
    found = pickle.loads(pickle.dumps(failed(Raises())))
    assert [warning.where for warning in found.result.warnings] == ["output 'z'"]
    exception = found.failures[0].exception
    assert str(exception) == "UnpicklableError: cannot be made from one argument"
    assert "raise UnpicklableError" in exception.__notes__[0]


def in_a_process(number: int) -> RunResult:
    return Workflow(Output(name="x", value=Fail(a=number, on=2)["output"])).run()


def test_a_pool_of_processes_outlives_a_failed_run() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        futures = [pool.submit(in_a_process, number) for number in range(3)]
        assert isinstance(futures[0].exception(), RunError)
        assert futures[1].result()["x"] == 1
        assert "no 2" in str(futures[2].exception())


@pytest.mark.parametrize("again", WAYS)
def test_a_image_and_a_result(again: Any) -> None:
    image = Image.new("P", (3, 2))
    image.putpalette([9, 8, 7])
    value = ImageData.of(image, {"format": 1}, ["a note"])
    found = again(RunResult("id", {"x": value}))
    assert found == RunResult("id", {"x": value}) and found["x"].digest == value.digest
    assert found["x"].provenance == {"format": 1} and found["x"].notes == ("a note",)


@pytest.mark.parametrize("again", WAYS)
@pytest.mark.parametrize("has_engine", [True, False])
def test_a_workflow(has_engine: bool, again: Any) -> None:
    with Engine() as engine:
        workflow = Workflow(
            Output(name="x", value=Add(a=IntegerInput(name="n").output).output),
            engine=engine if has_engine else None,
        )
        assert workflow.run(n=1)["x"] == 2
        found = again(workflow)
        assert found.document == workflow.document and found.run(n=4)["x"] == 5
        assert (found.engine is engine) == (has_engine and again is not WAYS[2])


@pytest.mark.parametrize("again", WAYS)
def test_a_registry(again: Any) -> None:
    registry = Registry.installed()
    registry.add(Add)
    found = again(registry)
    assert found.packs == registry.packs and found.get(Add.spec.node_type) is Add
    assert found.get("nodetool.image.Resize") is registry.get("nodetool.image.Resize") is not None


SENT: dict[str, Any] = {
    "ColorRef": nodetool_core.ColorRef(),
    "FolderRef": nodetool_core.FolderRef(),
    "FontRef": nodetool_core.FontRef(),
    "ImageRef": nodetool_core.ImageRef(uri="a.png"),
    "ImageSizeRef": nodetool_core.ImageSizeRef(),
    "ImageToImageModel": nodetool_core.ImageToImageModel(),
    "Lane": nodetool_core.Lane.CPU,
    "ModelRef": nodetool_core.ModelRef(repo_id="a/b"),
    "NodePolicy": NodePolicy(timeout=1),
    "Pack": nodetool_core.Pack("nodes"),
    "Role": nodetool_core.Role.STEP,
    "RunOptions": RunOptions(outputs=["x"]),
    "SKIPPED": nodetool_core.SKIPPED,
}
"""A value of each public name that is data. The others have tests above, or are no data."""

ABOVE = {
    "NodeError",
    "NodetoolError",
    "ImageData",
    "Registry",
    "RunCancelled",
    "RunError",
    "RunResult",
    "Workflow",
    "WorkflowError",
}
NO_DATA = {
    *("Context", "DiskCache", "Engine", "Field", "JsonValue", "MemoryCache", "Node", "Sources"),
    *("close_default_engine", "default_engine", "node", "register_type"),
}


@pytest.mark.parametrize("again", WAYS)
def test_every_public_name_that_is_data(again: Any) -> None:
    assert {*SENT, *ABOVE, *NO_DATA} == set(nodetool_core.__all__)
    for name, value in SENT.items():
        found = again(value)
        assert found == value and type(found) is type(value), name


class Busy(Node):
    """Is busy for a while."""

    cacheable = False
    stage: str = ""
    retryable: bool = True

    def process(self) -> int:
        stage = Stage.stages[self.stage]
        stage.count("asked")
        if stage.calls["asked"] < 3:
            raise NodeError("is busy.", retryable=self.retryable)
        return stage.calls["asked"]


@pytest.mark.parametrize("retryable", [True, False])
def test_e24_a_node_error_is_tried_again_where_it_says_so(retryable: bool, stage: Stage) -> None:
    workflow = Workflow(Output(name="x", value=Busy(stage=stage.name, retryable=retryable).output))
    options = RunOptions(policies={"*": NodePolicy(attempts=3, wait=0)})
    if retryable:
        assert workflow.run(options=options)["x"] == 3
    else:
        with pytest.raises(RunError, match="is busy"):
            workflow.run(options=options)
    assert stage.calls["asked"] == (3 if retryable else 1)
