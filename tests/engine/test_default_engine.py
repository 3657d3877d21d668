"""
E4: all workflows of a process share one engine. E27: it and others can be had by public names.
"""

from __future__ import annotations

import importlib.metadata
import threading
import time
from pathlib import Path

import pytest

from nodes.nodetool.output import Output
from nodetool_core import (
    DiskCache,
    Engine,
    MemoryCache,
    NodetoolError,
    Pack,
    Registry,
    RunError,
    Workflow,
    close_default_engine,
    default_engine,
)
from nodetool_core.models.manager import ModelManager
from tests.engine.alone import run_alone
from tests.engine.nodes import Add, Counting, Fail, Mix, Number, Stage


def counted(stage: Stage) -> Workflow:
    return Workflow(Output(name="x", value=Counting(a=1, stage=stage.name).output))


def test_e4_two_workflows_share_results_and_models(stage: Stage) -> None:
    first, second = counted(stage), counted(stage)
    assert first.engine is second.engine is default_engine()
    assert first.run()["x"] == second.run()["x"] == 1
    assert stage.calls["x"] == 1
    assert first.engine.models is second.engine.models


def test_e4_many_threads_get_one_engine() -> None:
    found: list[Engine] = []
    start = threading.Barrier(32)

    def ask() -> None:
        start.wait()
        found.append(default_engine())

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 32 and len({id(engine) for engine in found}) == 1


def test_e4_a_closed_default_engine_is_followed_by_another(stage: Stage) -> None:
    before = default_engine()
    workflow = counted(stage)
    assert workflow.run()["x"] == 1
    before.close()
    assert default_engine() is not before
    assert workflow.run()["x"] == 1
    close_default_engine()
    assert workflow.run()["x"] == 1
    assert stage.calls["x"] == 3


def test_e4_a_workflow_with_classes_or_packs_of_its_own_shares_it_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pack_with_weights"
    (package / "small").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    document = Workflow(Output(name="x", value=Add(a=1).output)).document
    by_hand = Workflow.from_document(document, Registry(node_classes=[Add, Output]))
    pack = Pack("pack_with_weights", weights={"maker/small": "small"})
    manager = default_engine().models
    packed = Workflow.from_document(document, Registry([pack], [Add, Output]))
    assert by_hand.engine is packed.engine is default_engine()
    assert by_hand.run()["x"] == packed.run()["x"] == 2
    assert isinstance(manager, ModelManager)
    assert manager.resolver.weights["maker/small"] == package / "small"
    assert "maker/small" in default_engine().registry.weights()


def test_e4_installed_packs_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Registry.installed()
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: pytest.fail("read again"))
    assert (
        [pack.package for pack in Registry.installed().packs]
        == [pack.package for pack in Registry.installed().packs]
        != []
    )


def of_this_process() -> tuple[int, int]:
    """Threads and open files."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux shows them"
)
def test_e4_many_workflows_in_one_process_stay_flat() -> None:
    def run(number: int) -> None:
        assert (
            Workflow(
                Output(
                    name="x",
                    value=Mix(a=Number(value=number).output, b=Mix(a=number).output).output,
                )
            ).run()["x"]
            == 8 * number
        )

    for number in range(20):
        run(number)
    before = of_this_process()
    for number in range(20, 520):
        run(number)
    end = time.monotonic() + 30
    while (
        any(now > then + 3 for now, then in zip(of_this_process(), before, strict=True))
        and time.monotonic() < end
    ):
        time.sleep(0.01)
    assert all(now <= then + 3 for now, then in zip(of_this_process(), before, strict=True))


PROGRAM = """
import asyncio, threading, time
from nodes.nodetool.output import Output
from nodetool_core import Context, Lane, Node, Workflow

begun = threading.Semaphore(0)

class Deaf(Node):
    '''Notices nothing.'''
    lane = Lane.%s
    def process(self) -> int:
        begun.release()
        threading.Event().wait(300)
        return 1

class Awaited(Node):
    '''Says that it ends.'''
    async def process(self) -> int:
        begun.release()
        try:
            await asyncio.sleep(300)
        finally:
            print("ended", flush=True)
        return 1

run = Workflow(Deaf(), Awaited()).start()
begun.acquire(); begun.acquire()
print("leaving", flush=True)
"""


@pytest.mark.parametrize("lane", ["CPU", "DEVICE", "NETWORK"])
def test_e4_the_end_of_the_program_waits_for_no_node_that_hangs(lane: str) -> None:
    assert run_alone(PROGRAM % lane).split() == ["leaving", "ended"]


def test_e27_public_names(tmp_path: Path, stage: Stage) -> None:
    with Engine(cache="off") as engine:
        for _ in range(2):
            Workflow(
                Output(name="x", value=Counting(a=1, stage=stage.name).output), engine=engine
            ).run()
        with pytest.raises(RunError):
            Workflow(Output(name="x", value=Fail().output), engine=engine).run()
    assert stage.calls["x"] == 2
    for _ in range(2):
        with Engine(cache=DiskCache(tmp_path / "results", least_seconds=0)) as engine:
            Workflow(
                Output(name="x", value=Counting(a=2, stage=stage.name).output), engine=engine
            ).run()
            engine.cache.close()  # type: ignore[attr-defined]
    assert stage.calls["x"] == 3
    with Engine(cache=MemoryCache(1 << 20)) as engine:
        assert isinstance(engine.cache, MemoryCache)


class Slow(Counting):
    """As Counting, and takes long enough to be kept on disk."""

    def process(self) -> int:
        time.sleep(0.02)
        return super().process()


def test_e27_the_cache_on_disk_is_had_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: Stage
) -> None:
    monkeypatch.setenv("NODETOOL_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        with Engine(cache="disk") as engine:
            assert (
                Workflow(
                    Output(name="x", value=Slow(a=7, stage=stage.name).output), engine=engine
                ).run()["x"]
                == 7
            )
    assert stage.calls["x"] == 1 and list(tmp_path.rglob("*.sqlite"))


def test_e27_a_misspelled_cache_is_refused() -> None:
    with pytest.raises(
        NodetoolError,
        match=(
            r"expects one of 'memory', 'disk', 'off', or a cache, got 'dist'\. Did you mean 'disk'"
        ),
    ):
        Engine(cache="dist")  # type: ignore[arg-type]
