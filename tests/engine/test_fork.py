"""
E5: a forked process goes on with the engines of its parent.

Whatever these had done and were doing at the fork.
"""

from __future__ import annotations

import os
import textwrap

import pytest

from tests.engine.alone import run_alone

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="forks"), pytest.mark.slow]

BEFORE = """
import asyncio, os, signal, sys, tempfile, threading, time
from nodes.nodetool.output import Output
from nodetool_core import Context, DiskCache, Engine, Lane, Node, Workflow, default_engine

class Twice(Node):
    '''Doubles.'''
    cacheable = False
    a: int
    def process(self) -> int:
        return 2 * self.a

class OnDevice(Twice):
    '''Doubles on a device's thread.'''
    lane = Lane.DEVICE

class Network(Twice):
    '''Doubles on one of many threads.'''
    lane = Lane.NETWORK

class Awaited(Twice):
    '''Doubles as a coroutine.'''
    async def process(self) -> int:
        await asyncio.sleep(0)
        return 2 * self.a

KINDS = [Twice, OnDevice, Network, Awaited]

def total(a=1, **options):
    wanted = [kind(a=a + number) for kind in KINDS for number in range(3)]
    return sum(Workflow(*wanted, **options).run().values())

def forked(work, seconds=30):
    '''What `work` gives in a forked process; ends where that hangs.'''
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        try:
            os.write(writer, repr(work()).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        found = file.read()
    os.waitpid(child, 0)
    return found
"""


def test_the_default_engine_after_a_fork() -> None:
    code = """
    assert total() == 48
    assert forked(total) == "48"
    assert forked(lambda: forked(total)) == "'48'"
    assert total() == 48
    """
    run_alone(BEFORE + textwrap.dedent(code))


def test_an_engine_of_ones_own_after_a_fork() -> None:
    code = """
    with Engine(workers=2, cache=DiskCache(tempfile.mkdtemp(), least_seconds=0)) as engine:
        assert total(engine=engine) == 48
        assert forked(lambda: total(engine=engine)) == "48"
        assert forked(lambda: (engine.close(), engine.is_closed)) == "(None, True)"
        assert total(engine=engine) == 48
    assert "closed" in forked(lambda: total(engine=engine))
    """
    run_alone(BEFORE + textwrap.dedent(code))


def test_an_engine_that_was_not_used_before_the_fork() -> None:
    """As with gunicorn's preload."""
    code = """
    workflow = Workflow(*[kind(a=1) for kind in KINDS])
    assert forked(lambda: sum(workflow.run().values())) == "8"
    """
    run_alone(BEFORE + textwrap.dedent(code))


def test_a_fork_while_runs_are_under_way() -> None:
    """Locks that other threads hold, results that wait to be written, runs that will not go on."""
    code = """
    begun, gate = threading.Semaphore(0), threading.Event()

    class Waits(Node):
        '''Waits.'''
        cacheable = False
        a: int
        def process(self, context: Context) -> int:
            begun.release()
            while not gate.wait(0.002):
                context.progress(0, 1)
            return self.a

    class WaitsAwaited(Waits):
        '''Waits as a coroutine.'''
        async def process(self, context: Context) -> int:
            begun.release()
            while not gate.is_set():
                await asyncio.sleep(0.002)
            return self.a

    class Slow(Node):
        '''Something to be written.'''
        a: int
        def process(self) -> list[int]:
            return [self.a] * 50_000

    folder = tempfile.mkdtemp()
    engine = Engine(workers=2, cache=DiskCache(folder, least_seconds=0))
    waiting = [kind(a=number) for kind in (Waits, WaitsAwaited) for number in range(2)]
    run = Workflow(*waiting, engine=engine).start()
    for _ in range(4):
        begun.acquire()
    for number in range(5):
        Workflow(Output(name="x", value=Slow(a=number).output), engine=engine).run()
        assert forked(lambda: total(engine=engine)) == "48"
        assert "belongs to the process" in forked(run.result)
        again = Workflow(Output(name="x", value=Slow(a=9).output), engine=engine)
        assert forked(lambda: again.run()["x"][0]) == "9"
    gate.set()
    assert sum(run.result(30).values()) == 2
    assert engine.cache.flush(30)
    engine.close()
    """
    run_alone(BEFORE + textwrap.dedent(code))


def test_a_fork_inside_of_a_node() -> None:
    code = """
    class Forks(Node):
        '''Runs a workflow in a process that it forks.'''
        cacheable = False
        number: int = 0
        def process(self) -> str:
            return forked(total)

    forks = [Forks(number=number) for number in range(3)]
    assert list(Workflow(*forks).run().values()) == ["48"] * 3
    """
    run_alone(BEFORE + textwrap.dedent(code))


def test_the_pools_of_multiprocessing() -> None:
    code = """
    import multiprocessing
    assert total() == 48
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(total, [1, 1, 1]) == [48] * 3
    """
    run_alone(BEFORE + textwrap.dedent(code))


def test_a_model_after_a_fork() -> None:
    """With as many threads of torch as there are cores, after the parent has used them."""
    code = """
    from PIL import Image
    from nodes.huggingface.image_to_image import ImageToImage
    from nodetool_core import ImageData

    def painted():
        image = Image.new("RGB", (64, 64), (90, 120, 150))
        node = ImageToImage(
            image=ImageData.of(image), prompt="a lake", num_inference_steps=2, seed=1
        )
        return Workflow(Output(name="x", value=node.output)).run()["x"].image.size

    assert forked(painted, 120) == repr(painted()) == "(128, 128)"
    assert forked(painted, 120) == "(128, 128)"
    """
    run_alone(BEFORE + textwrap.dedent(code), seconds=300, OMP_NUM_THREADS="2", HF_HUB_OFFLINE="1")
