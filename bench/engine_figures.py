"""
Our engine's other figures.

What waits, what computes on two cores, what memory and events a run takes, what importing costs.

Each function gives `Figure`s and is called in a process of its own, so that no other's threads,
memory or imports are in it.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from engine_graphs import add, shape
from engine_ours import Result, Total, build, document

from nodetool_core import Context, ImageRef, Lane, Node, Registry, Role
from nodetool_core.engine.caching.memory import MemoryCache
from nodetool_core.engine.engine import Engine
from nodetool_core.engine.events import Event, RunFinished, event_json
from nodetool_core.graph import Graph
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

NODES: Final = 8
SECONDS: Final = 0.05
CHAIN: Final = 200
SIDE: Final = 2048
"""Of an image of 4 megapixels, which Pillow keeps in four bytes a pixel."""
IMAGE_BYTES: Final = SIDE * SIDE * 4
KEPT: Final = 2
"""Images that the cache of the chain may hold: those that are in use anyway."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    row: str
    """Which aim it is held to."""
    what: str
    value: float
    cpu: float | None = None
    """The same, of computing alone."""
    note: str = ""


class Await(Node):
    """Waits as a coroutine."""

    cacheable = False

    number: int
    seconds: float

    async def process(self) -> int:
        await asyncio.sleep(self.seconds)
        return self.number


class Block(Node):
    """Waits on a thread."""

    cacheable = False
    lane = Lane.NETWORK

    number: int
    seconds: float

    def process(self) -> int:
        time.sleep(self.seconds)
        return self.number


class Hash(Node):
    """Computes without the GIL, and hardly touches memory."""

    cacheable = False

    number: int
    rounds: int

    def process(self) -> int:
        return _hashed(self.number, self.rounds)


class Paint(Node):
    """Makes the first image."""

    size: int

    def process(self, context: Context) -> ImageRef:
        from PIL import Image

        return context.image_from_pil(
            Image.radial_gradient("L").resize((self.size, self.size)).convert("RGB")
        )


class Flip(Node):
    """Makes a new image of the same size."""

    image: ImageRef

    def process(self, context: Context) -> ImageRef:
        from PIL import Image

        return context.image_from_pil(
            context.image(self.image).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        )


class Width(Node):
    """The workflow's output: a number, so that no image outlives the run."""

    role = Role.OUTPUT

    name: str = "result"
    value: ImageRef

    def process(self, context: Context) -> int:
        return context.image(self.value).width


class Step(Node):
    """Adds on a worker thread, so that its start is an event as well."""

    number: int
    a: int

    def process(self) -> int:
        return add(self.number, self.a)


def graph_of(
    classes: tuple[type[Node], ...], nodes: list[dict[str, Any]], edges: list[tuple[str, str, str]]
) -> Graph:
    records = [
        {"source": source, "sourceHandle": "output", "target": target, "targetHandle": name}
        for source, target, name in edges
    ]
    content = {"graph": {"nodes": nodes, "edges": records}}
    return build_graph(WorkflowDocument.from_json(content), Registry(node_classes=classes))


def _side_by_side(node_class: type[Node], **data: Any) -> Graph:
    """Eight nodes that depend on nothing, and one that takes them all."""
    nodes = [
        {"id": f"n{number}", "type": node_class.spec.node_type, "data": {"number": number, **data}}
        for number in range(NODES)
    ]
    nodes += [
        {"id": "total", "type": Total.spec.node_type, "data": {"number": 0}},
        {"id": "out", "type": Result.spec.node_type, "data": {}},
    ]
    edges = [(f"n{number}", "total", f"v{number}") for number in range(NODES)] + [
        ("total", "out", "value")
    ]
    return graph_of((node_class, Total, Result), nodes, edges)


def _walls(graph: Graph, repeats: int) -> list[float]:
    """
    Return the seconds of each run from the call to its result, plan and threads included.

    The first, which starts the threads, is left out.
    """
    walls = []
    with Engine() as engine:
        for _ in range(repeats + 1):
            gc.collect()
            begun = time.perf_counter()
            engine.start(graph, on_event=lambda event: None).result()
            walls.append(time.perf_counter() - begun)
    return walls[1:]


# -- waiting and computing -------------------------------------------------------------------------


def waiting(repeats: int) -> list[Figure]:
    """Nodes that wait, all at once."""

    async def bare() -> None:
        await asyncio.gather(*[asyncio.sleep(SECONDS) for _ in range(NODES)])

    plain = []
    for _ in range(repeats):
        begun = time.perf_counter()
        asyncio.run(bare())
        plain.append(time.perf_counter() - begun)
    note = f"asyncio.gather alone: {median(plain) * 1e3:.1f} ms"
    return [
        Figure(
            "waiting",
            "8 coroutine nodes of 50 ms",
            median(_walls(_side_by_side(Await, seconds=SECONDS), repeats)),
            note=note,
        ),
        Figure(
            "waiting",
            "8 blocking nodes of 50 ms",
            median(_walls(_side_by_side(Block, seconds=SECONDS), repeats)),
            note="network lane",
        ),
    ]


def _hashed(number: int, rounds: int) -> int:
    return hashlib.pbkdf2_hmac("sha256", b"nodetool", number.to_bytes(8, "big"), rounds)[0]


def _calibrated() -> int:
    """
    Return how many rounds take 50 ms of computing, nothing else being in the way.

    The quickest of several tries counts.
    """
    rounds, taken = 20_000, []
    for number in range(9):
        begun = time.thread_time()
        _hashed(number, rounds)
        taken.append(time.thread_time() - begun)
    return int(rounds * SECONDS / min(taken))


def computing(repeats: int) -> list[Figure]:
    """Nodes that compute outside the GIL, as many at once as there are cores."""
    rounds = _calibrated()
    plain: list[float] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in range(repeats):
            begun = time.perf_counter()
            list(pool.map(lambda number: _hashed(number, rounds), range(NODES)))
            plain.append(time.perf_counter() - begun)
    walls = _walls(_side_by_side(Hash, rounds=rounds), repeats)
    note = f"{os.cpu_count()} cores; a plain thread pool: {median(plain) * 1e3:.0f} ms"
    return [Figure("computing", "8 nodes of 50 ms GIL-free work", median(walls), note=note)]


# -- memory ----------------------------------------------------------------------------------------


def memory(length: int = CHAIN) -> list[Figure]:
    """
    Return the peak of a chain of images over what the process held before, in images.

    It is measured with a small cache and with the usual one.
    """
    nodes = [{"id": "n0", "type": Paint.spec.node_type, "data": {"size": SIDE}}]
    nodes += [
        {"id": f"n{number}", "type": Flip.spec.node_type, "data": {}} for number in range(1, length)
    ]
    nodes.append({"id": "out", "type": Width.spec.node_type, "data": {}})
    edges = [(f"n{number - 1}", f"n{number}", "image") for number in range(1, length)] + [
        (f"n{length - 1}", "out", "value")
    ]
    graph = graph_of((Paint, Flip, Width), nodes, edges)
    small = graph_of(
        (Paint, Flip, Width),
        [nodes[0] | {"data": {"size": 16}}, nodes[-1]],
        [("n0", "out", "value")],
    )
    with Engine() as engine:
        # Whatever is imported at first use is not the images'.
        engine.start(small).result()
    bounded = MemoryCache(KEPT * (IMAGE_BYTES + 4096))
    figures = []
    usual = MemoryCache()
    for row, cache, what in (
        ("memory", bounded, f"cache bounded to {KEPT} images ({KEPT * IMAGE_BYTES / 1e6:.0f} MB)"),
        (
            "",
            usual,
            f"cache as it comes ({usual.bound / 1e6:.0f} MB = {usual.bound // IMAGE_BYTES} images)",
        ),
    ):
        with Engine(cache=cache) as engine:
            gc.collect()
            start = _resident("VmRSS")
            exact = _forget_peak()
            result = engine.start(graph).result()
            peak = _resident("VmHWM") - start
        if len(result.ran) != length + 1 or result["result"] != SIDE:
            raise AssertionError(f"{len(result.ran)} of {length + 1} nodes ran.")
        note = f"{peak / 1e6:.0f} MB over {start / 1e6:.0f} MB" + (
            "" if exact else "; the peak may be the process's earlier one"
        )
        figures.append(
            Figure(row, f"chain of {length} images of 4 MP, {what}", peak / IMAGE_BYTES, note=note)
        )
        cache.clear()
        del result
    return figures


def _resident(field: str) -> int:
    """Return the bytes of this process in memory: now (`VmRSS`) or at most so far (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _forget_peak() -> bool:
    """Let `VmHWM` begin anew, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


# -- events ----------------------------------------------------------------------------------------


def event_bytes(size: int) -> list[Figure]:
    """Return the JSON bytes of all events of a run, one a line, per node."""
    inline = build(document(shape("chain", size)))
    nodes = [
        {"id": f"n{number}", "type": Step.spec.node_type, "data": {"number": number}}
        for number in range(size)
    ]
    nodes[0]["data"] = {"number": 0, "a": 1}
    nodes.append({"id": "out", "type": Result.spec.node_type, "data": {}})
    edges = [(f"n{number - 1}", f"n{number}", "a") for number in range(1, size)] + [
        (f"n{size - 1}", "out", "value")
    ]
    threaded = graph_of((Step, Result), nodes, edges)
    figures = []
    for what, graph in (
        ("inline nodes", inline),
        ("nodes that report their start as well", threaded),
    ):
        count, total = _heard(graph)
        figures.append(
            Figure(
                "events", f"{size:,} {what}", total / size, note=f"{count / size:.2f} events a node"
            )
        )
    return figures


def _heard(graph: Graph) -> tuple[int, int]:
    """Return how many events a run sends, and their bytes."""
    sizes: list[int] = []
    finished = threading.Event()

    def listen(event: Event) -> None:
        sizes.append(len(json.dumps(event_json(event), separators=(",", ":"))) + 1)
        if isinstance(event, RunFinished):
            finished.set()

    with Engine() as engine:
        engine.start(graph, on_event=listen).result()
        finished.wait()
    return len(sizes), sum(sizes)


# -- importing -------------------------------------------------------------------------------------

_IMPORT: Final = """
import json, sys, time
begun, cpu = time.perf_counter(), time.process_time()
{code}
wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
lines = open("/proc/self/status").read().splitlines()
peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
print(json.dumps([wall, cpu, peak, "torch" in sys.modules]))
"""
_ALL: Final = """\
from nodetool_core import Context, Field, ImageData, ImageRef, Node, Registry, Workflow
from nodetool_core.engine.engine import Engine"""


def importing(repeats: int) -> list[Figure]:
    """Return the seconds and memory of importing, each time in a new process."""
    figures = []
    for what, code in (
        ("import nodetool_core", "import nodetool_core"),
        ("import all that a script uses", _ALL),
    ):
        found = []
        for _ in range(repeats):
            done = subprocess.run(
                [sys.executable, "-c", _IMPORT.format(code=code)],
                capture_output=True,
                text=True,
                check=True,
            )
            found.append(json.loads(done.stdout))
        torch = "torch imported" if any(row[3] for row in found) else "torch not imported"
        wall, cpu, peak = (median(row[column] for row in found) for column in range(3))
        figures.append(Figure("import seconds", what, wall, cpu, note=torch))
        figures.append(
            Figure("import memory", what, peak, note="the whole process, Python included")
        )
        figures.append(
            Figure(
                "import torch",
                f"{what}: how often that imported torch",
                float(torch == "torch imported"),
            )
        )
    return figures


FIGURES: Final[dict[str, Callable[[bool], list[Figure]]]] = {
    "waiting": lambda quick: waiting(2 if quick else 9),
    "computing": lambda quick: computing(1 if quick else 9),
    "memory": lambda quick: memory(20 if quick else CHAIN),
    "events": lambda quick: event_bytes(1_000 if quick else 10_000),
    "import": lambda quick: importing(2 if quick else 9),
}
"""What `--only` can name besides the graphs of trivial nodes."""

__all__ = ["FIGURES", "Figure", "graph_of"]
