"""
Measures `Workflow.map` and a plain call of a workflow against what a user would take instead.

    python bench/mapping.py [--items 10000] [--rounds 5]

Each contender squares every item of a range, in this process, by turns; figures are medians, per
item. `thread pool` is `ThreadPoolExecutor.map` of a plain function, `dask.bag` runs with threads.
Ours computes every item: nothing comes from the cache. `CPU` is that of the whole process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from nodes.nodetool.input import IntegerInput
from nodes.nodetool.output import Output
from nodetool_core import Engine, Workflow, node

Contender = Callable[[int], int]
"""Squares each of so many items and returns the sum of the squares."""


def square(number: int) -> int:
    """Return the square of a number."""
    return number * number


@node(cacheable=False)
def squared(number: int) -> int:
    """Square a number."""
    return square(number)


def contenders(workflow: Workflow, workers: int) -> dict[str, Contender]:
    """Return what is measured, by name; dask only where it is installed."""

    def mapped(count: int) -> int:
        results = workflow.map(range(count), concurrency=workers)
        return sum(result["square"] for result in results)

    def called(count: int) -> int:
        return sum(workflow(number=number) for number in range(count))

    def pooled(count: int) -> int:
        with ThreadPoolExecutor(workers) as pool:
            return sum(pool.map(square, range(count)))

    def plain(count: int) -> int:
        return sum(square(number) for number in range(count))

    found = {"workflow.map": mapped, "workflow(x)": called, "thread pool": pooled, "a loop": plain}
    try:
        from dask import bag
    except ImportError:
        return found

    def bagged(count: int) -> int:
        items = bag.from_sequence(range(count), npartitions=100)
        return int(items.map(square).sum().compute(scheduler="threads", num_workers=workers))

    return {**found, "dask.bag": bagged}


def measure(contender: Contender, count: int) -> tuple[float, float]:
    """Return the seconds of the clock and of the processor that each item takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    total = contender(count)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert total == sum(number * number for number in range(count))
    return wall / count, cpu / count


def main() -> None:
    """Measure by turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    workers = max(2, os.cpu_count() or 2)
    number = IntegerInput(name="number", value=0, max=max(100, options.items))
    with Engine(cache="off", workers=workers) as engine:
        workflow = Workflow(
            Output(name="square", value=squared(number=number.output).output), engine=engine
        )
        known = contenders(workflow, workers)
        for contender in known.values():
            contender(10)
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in known}
        for _ in range(options.rounds):
            for name, contender in known.items():
                figures[name].append(measure(contender, options.items))
    print(f"{options.items} items, {workers} workers, load {os.getloadavg()[0]:.1f}")
    print(f"{'':14} {'wall':>10} {'CPU':>10}   per item")
    for name, taken in figures.items():
        wall, cpu = (statistics.median(column) * 1e6 for column in zip(*taken, strict=True))
        print(f"{name:14} {wall:7.1f} µs {cpu:7.1f} µs")


if __name__ == "__main__":
    main()
