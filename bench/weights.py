"""
Measures what the weights manager loads, and what a warm run costs on top of the pipeline.

    python bench/weights.py [--quick] [--json FILE]

Part 1, on a suite of generated graphs and traces (interleaved models, shared components, diamonds,
loops over models, many runs at once): bytes that are loaded onto a device with a budget by

    ours          the planner of the engine and its manager: order, eviction, all runs together
    LRU           in the graph's order, least recently used first out
    per call      in the graph's order, everything goes after each call, as with
                  `enable_model_cpu_offload`
    optimum       the fewest bytes over all orders and all evictions: exact where the search ends,
                  else a lower bound (marked ≥)

The policies see names and bytes alone; that the engine does with real weights what its policy says
is what tests/models/planning/test_runs.py asserts. Part 2, with a tiny real pipeline: processor
time of a call through the engine against the same call of the diffusers pipeline, what the engine
computes around the pipeline's own call, and what borrowing a pipeline costs. The second is the
figure to compare: two calls of one pipeline differ by milliseconds with where their memory lies.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nodetool_core.models.planning.load_planner import plan_loads  # noqa: E402
from nodetool_core.models.planning.schedule import Use  # noqa: E402

EXACT_EFFORT: Final = 60_000
RUN_EFFORT: Final = 400
HORIZON: Final = 96
"""As in nodetool_core/models/planning/lookahead.py."""


@dataclass(frozen=True)
class Problem:
    """One or more graphs that run at once on a device."""

    name: str
    runs: list[list[Use[str]]]
    sizes: dict[str, int]
    budget: int

    def joined(self) -> list[Use[str]]:
        """Return the uses of all runs as one graph."""
        uses: list[Use[str]] = []
        for run in self.runs:
            start = len(uses)
            uses += [Use(use.parts, frozenset(start + one for one in use.after)) for use in run]
        return uses


@dataclass(frozen=True)
class Row:
    problem: str
    uses: int
    ours: int
    lru: int
    per_call: int
    optimum: int
    is_exact: bool
    known_ahead: bool

    @property
    def ratio(self) -> float:
        return self.ours / self.optimum if self.optimum else 1.0


def chain_of(models: Sequence[frozenset[str]]) -> list[Use[str]]:
    return [
        Use(parts, frozenset({index - 1} if index else ())) for index, parts in enumerate(models)
    ]


def problems(quick: bool) -> list[Problem]:
    """Return the suite; every random choice has a fixed seed."""
    found: list[Problem] = []
    equal = dict.fromkeys("abcdef", 6)
    one = {name: frozenset(name) for name in equal}
    found.append(
        Problem(
            "interleaved: a b a b …, 1 place",
            [chain_of([one["ab"[i % 2]] for i in range(12)])],
            equal,
            6,
        )
    )
    found.append(
        Problem(
            "interleaved: a b c a b c …, 2 places",
            [chain_of([one["abc"[i % 3]] for i in range(12)])],
            equal,
            12,
        )
    )
    branches = [Use(one["abc"[i % 3]]) for i in range(15)]
    found.append(Problem("15 independent calls of 3 models, 1 place", [branches], equal, 6))
    pairs = [
        Use(one["a" if i % 2 == 0 else "b"], frozenset() if i % 2 == 0 else frozenset({i - 1}))
        for i in range(16)
    ]
    found.append(Problem("8 chains a → b, 1 place", [pairs], equal, 6))
    diamond = [
        Use(one["a"]),
        Use(one["b"], frozenset({0})),
        Use(one["c"], frozenset({0})),
        Use(one["a"], frozenset({1, 2})),
    ]
    found.append(Problem("diamond a → (b, c) → a, 2 places", [diamond], equal, 12))
    shared = {"text": 9, "vae": 1, "base": 10, "refine": 8, "inpaint": 10}
    with_shared = [
        frozenset({"text", "vae", name})
        for name in ("base", "refine", "inpaint", "base", "inpaint", "refine", "base")
    ]
    found.append(
        Problem("shared encoder and vae, 3 denoisers", [chain_of(with_shared)], shared, 30)
    )
    found += [
        random_problem(f"random graph {seed}", 1, random.Random(seed), 8)
        for seed in range(4 if quick else 12)
    ]
    found += [
        random_problem(f"{4 + seed} random runs at once", 4 + seed, random.Random(100 + seed), 6)
        for seed in range(2 if quick else 6)
    ]
    same = [chain_of([one["a"], one["b"], one["c"]]) for _ in range(12)]
    found.append(Problem("12 runs of a → b → c at once, 2 places", same, equal, 12))
    mixed = [chain_of([one["a"], one["b"]] if i % 2 else [one["b"], one["a"]]) for i in range(10)]
    found.append(Problem("10 runs of a → b and b → a at once, 1 place", mixed, equal, 6))
    return found


def random_problem(name: str, runs: int, chosen: random.Random, length: int) -> Problem:
    names = "abcdef"[: chosen.randint(3, 6)]
    sizes = {one: chosen.randint(2, 12) for one in names}
    budget = max(max(sizes.values()), int(sum(sizes.values()) * chosen.uniform(0.4, 0.8)))
    graphs = []
    for _ in range(runs):
        uses: list[Use[str]] = []
        for index in range(length):
            parts = frozenset(chosen.sample(names, chosen.choice((1, 1, 2))))
            while sum(sizes[part] for part in parts) > budget:
                parts = frozenset(sorted(parts)[:1])
            uses.append(
                Use(parts, frozenset(chosen.sample(range(index), min(index, chosen.randint(0, 2)))))
            )
        graphs.append(uses)
    return Problem(name, graphs, sizes, budget)


def ours(problem: Problem, seed: int = 0) -> int:
    """
    Return the bytes that the engine's policy loads.

    At each step the uses that are left of all runs are planned anew, as Ready and the device lane
    do; each run offers one of its ready uses.
    """
    left = [dict(enumerate(run)) for run in problem.runs]
    there: set[str] = set()
    loaded = 0
    while any(left):
        uses, owners = _union(left)
        offers = [
            index
            for index, (run, name) in enumerate(owners)
            if not any(one in left[run] for one in left[run][name].after)
        ]
        free = [index for index in offers if uses[index].parts <= there]
        if free:
            chosen = free[0]
        else:
            plan = plan_loads(uses, problem.sizes, problem.budget, there, effort=RUN_EFFORT)
            step = next(step for step in plan.steps if step.loads)
            chosen = step.use
            loaded += sum(problem.sizes[part] for part in uses[chosen].parts - there)
            there = (there - step.drops) | uses[chosen].parts
        run, name = owners[chosen]
        del left[run][name]
    return loaded


def _union(left: Sequence[dict[int, Use[str]]]) -> tuple[list[Use[str]], list[tuple[int, int]]]:
    running = [run for run, uses in enumerate(left) if uses]
    share = max(4, HORIZON // max(1, len(running)))
    uses: list[Use[str]] = []
    owners: list[tuple[int, int]] = []
    for run in running:
        position: dict[int, int] = {}
        for name, use in list(left[run].items())[:share]:
            position[name] = len(uses)
            uses.append(
                Use(use.parts, frozenset(position[one] for one in use.after if one in position))
            )
            owners.append((run, name))
    return uses, owners


def arrival_order(problem: Problem) -> list[Use[str]]:
    """Return what a scheduler without a plan does: the runs in turn, each in its graph's order."""
    rounds = itertools.zip_longest(*problem.runs)
    return [use for some in rounds for use in some if use is not None]


def lru(problem: Problem) -> int:
    held: list[str] = []
    loaded = 0
    for use in arrival_order(problem):
        missing = use.parts - set(held)
        loaded += sum(problem.sizes[part] for part in missing)
        held = [part for part in held if part not in use.parts] + sorted(use.parts)
        while sum(problem.sizes[part] for part in held) > problem.budget:
            held.pop(0)
    return loaded


def per_call(problem: Problem) -> int:
    return sum(problem.sizes[part] for use in arrival_order(problem) for part in use.parts)


def optimum(problem: Problem) -> tuple[int, bool]:
    """
    Return the fewest bytes, and whether that is exact.

    Else no order can do with less than each part once.
    """
    uses = problem.joined()
    schedule = plan_loads(uses, problem.sizes, problem.budget, effort=EXACT_EFFORT)
    once = sum(problem.sizes[part] for part in {part for use in uses for part in use.parts})
    return (
        (schedule.bytes, True) if schedule.is_optimal or schedule.bytes == once else (once, False)
    )


def measure(problem: Problem) -> Row:
    best, is_exact = optimum(problem)
    uses = sum(len(run) for run in problem.runs)
    return Row(
        problem.name,
        uses,
        ours(problem),
        lru(problem),
        per_call(problem),
        best,
        is_exact,
        len(problem.runs) == 1,
    )


# -- what a warm run costs -------------------------------------------------------------------------


def overhead(calls: int) -> dict[str, float]:
    """
    Return the milliseconds of processor time.

    A pipeline's call, the same through the engine, what of that is not the pipeline's, borrowing a
    pipeline alone; medians, and the least.
    """
    import torch
    from PIL import Image

    from nodes.huggingface.image_to_image import ImageToImage
    from nodes.nodetool.output import Output
    from nodetool_core import Context, ImageData, ImageToImageModel, Workflow
    from nodetool_core.context import Reporter
    from nodetool_core.engine.engine import Engine
    from nodetool_core.engine.options import RunOptions
    from nodetool_core.models.manager import ModelManager
    from tests.nodes.huggingface import tiny_pipelines

    torch.set_num_threads(1)
    source = Image.new("RGB", (64, 64), (80, 120, 40))
    with tempfile.TemporaryDirectory() as folder:
        directory = tiny_pipelines.save(tiny_pipelines.stable_diffusion, Path(folder) / "tiny")
        # Encoders are computed anew in both: what is kept of them would make ours the faster one.
        models = ModelManager(device="cpu", encoder_cache=0)
        ref = ImageToImageModel(repo_id=str(directory))
        context = Context(
            "bench",
            reporter=Reporter(),
            cancelled=_never(),
            images=None,
            models=models,
        )  # type: ignore[arg-type]
        settings: dict[str, Any] = {"prompt": "a lake", "strength": 1.0, "num_inference_steps": 12}
        node: Any = ImageToImage(model=ref, image=ImageData.of(source), seed=1, **settings)
        with Engine(models=models) as engine:
            workflow = Workflow(Output(name="o", value=node.output), engine=engine)
            options = RunOptions(use_cache=False)

            def through_the_engine() -> None:
                workflow.run(options=options)

            def borrowing() -> None:
                with models.use(ref, "image-to-image", context=context):
                    pass

            through_the_engine()
            inside: list[float] = []
            with models.use(ref, "image-to-image", context=context) as lease:
                pipeline = lease.pipeline
                pipeline.set_progress_bar_config(disable=True)

                def direct() -> None:
                    with torch.no_grad():
                        pipeline(
                            image=source, generator=torch.Generator().manual_seed(1), **settings
                        )

                direct()
                # On a thread, as the engine's is: the main thread's memory is another heap.
                with _timed_calls(type(pipeline), inside), ThreadPoolExecutor(1) as thread:
                    times = _alternating(
                        [lambda: thread.submit(direct).result(), through_the_engine, borrowing],
                        calls,
                    )
    around = [run - call for run, call in zip(times[1], inside[1::2], strict=True)]
    pipeline_ms, engine_ms, borrow_ms = (statistics.median(one) * 1000 for one in times)
    differences = [(run - alone) * 1000 for alone, run in zip(times[0], times[1], strict=True)]
    return {
        "pipeline": pipeline_ms,
        "engine": engine_ms,
        "overhead": statistics.median(differences),
        "around": statistics.median(around) * 1000,
        "least around": min(around) * 1000,
        "borrowing": borrow_ms,
    }


@contextmanager
def _timed_calls(kind: type, found: list[float]) -> Iterator[None]:
    """Note what the thread computes in each call of a class of pipelines, in seconds."""
    call: Callable[..., object] = kind.__call__

    @functools.wraps(call)
    def timed(*arguments: object, **options: object) -> object:
        began = time.thread_time()
        try:
            return call(*arguments, **options)
        finally:
            found.append(time.thread_time() - began)

    kind.__call__ = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.__call__ = call  # type: ignore[method-assign]


def _alternating(functions: Sequence[Callable[[], None]], rounds: int) -> list[list[float]]:
    """Return each function's processor seconds, called in turn: a busy machine hits all alike."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, taken in zip(functions, times, strict=True):
            began = time.process_time()
            function()
            taken.append(time.process_time() - began)
    return times


def _never() -> Any:
    import threading

    return threading.Event()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smaller suite")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    rows = [measure(problem) for problem in problems(options.quick)]
    print(
        f"{'problem':<46} {'uses':>4} {'ours':>6} {'LRU':>6} {'per call':>8} {'optimum':>8} "
        " ours/optimum"
    )
    for row in rows:
        mark = "" if row.is_exact else "≥"
        print(
            f"{row.problem:<46} {row.uses:>4} {row.ours:>6} {row.lru:>6} {row.per_call:>8}"
            f" {mark + str(row.optimum):>8}  {row.ratio:.2f}"
        )
    for known, title in ((True, "one graph"), (False, "runs at once")):
        some = [row for row in rows if row.known_ahead == known]
        totals = [
            sum(getattr(row, name) for row in some)
            for name in ("ours", "lru", "per_call", "optimum")
        ]
        ratios = [total / totals[3] for total in totals]
        print(
            f"{title}: ours {ratios[0]:.3f}, LRU {ratios[1]:.2f}, per call {ratios[2]:.2f} times"
            " the optimum"
        )
    figures = overhead(10 if options.quick else 40)
    print(
        f"\na warm call: pipeline {figures['pipeline']:.1f} ms, through the engine"
        f" {figures['engine']:.1f} ms, difference {figures['overhead']:.2f} ms\naround the"
        f" pipeline's own call: {figures['around']:.2f} ms, at least"
        f" {figures['least around']:.2f} ms, of which borrowing {figures['borrowing']:.2f} ms"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"loads": [asdict(row) for row in rows], "warm": figures}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
