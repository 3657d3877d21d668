"""
Measures `nodetool serve` against its aims, and against others, and prints a table.

    python bench/serving.py [--seconds 4] [--steps 4] [--rounds 5] [--requests 10000]
        [--only nodetool,FastAPI]

Everything has the same weights, the same image, one thread of torch a call, and a process of its
own; each request asks for another image. The bare pipeline runs in a loop, with neither image nor
HTTP around it, and so keeps one core busy. Ours takes as many calls at once as there are cores,
FastAPI and LitServe one, as their users start them; `LitServe, all cores` has a worker for each
core, with weights of its own. Contenders take turns, `--rounds` times; before and after each the
bare pipeline runs, and they are compared with those two runs alone, because a shared machine is not
as fast in one minute as in the next. Medians over the rounds are printed. `--requests` sends that
many to a server of ours with small caches, and prints what its memory does meanwhile (with
`--rounds 0`, nothing else).

The load of the machine is printed: with other work on it, rates and times say little, and computing
time (`CPU`) is what can still be compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from serving_contenders import (
    OUR_PATH,
    OURS,
    Bodies,
    Contender,
    Figure,
    Loop,
    ask,
    connected,
    contenders,
    free_port,
    held,
    load,
    our_command,
)

CLIENTS: Final = (1, 8, 32)
SMALL_CACHES: Final = {"CACHE_BYTES": 2**20, "RESULT_BYTES": 8 * 2**20}
REFUSED: Final = b'{"inputs": "no image", "parameters": {"strength": 1}}'
PAIRS: Final = 60
"""Requests, and calls of the bare pipeline, by which the overhead of one is measured."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a contender did, and the bare pipeline before and after it."""

    figure: Figure
    loops: tuple[Figure, Figure]

    @property
    def share(self) -> float:
        """Of the bare loop's rate."""
        return self.figure.rate / statistics.mean(loop.rate for loop in self.loops)


def measure(options: argparse.Namespace, folder: Path, next_body: Bodies) -> None:
    """Measure and print all figures as they come."""
    with contenders(set(filter(None, options.only.split(","))), folder) as servers:
        for one in servers:
            one.wait(next_body())
        rounds: dict[tuple[str, int], list[Round]] = {}
        with closing(Loop(options.steps)) as loop:
            loop.run(0.1)
            for number in range(options.rounds):
                for clients in CLIENTS:
                    before = loop.run(options.seconds / 2)
                    for one in rotated(servers, number):
                        figure = load(one, clients, options.seconds, next_body)
                        after = loop.run(options.seconds / 2)
                        rounds.setdefault((one.name, clients), []).append(
                            Round(figure, (before, after))
                        )
                        before = after
            show_throughput(rounds)
            ours = next((one for one in servers if one.name == OURS), None)
            if ours is not None:
                show_ours(ours, loop, options, next_body)


def rotated(servers: list[Contender], by: int) -> list[Contender]:
    """Return them rotated, so that none always comes first."""
    by %= len(servers)
    return servers[by:] + servers[:by]


def show_throughput(rounds: dict[tuple[str, int], list[Round]]) -> None:
    head = (
        "contender",
        "clients",
        "requests/s",
        "of the bare loop",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU ms a request",
    )
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    loops = [loop for found in rounds.values() for one in found for loop in one.loops]
    print(f"| bare pipeline in a loop | | {row(loops, 1.0)} |")
    for (name, clients), found in rounds.items():
        share = statistics.median(one.share for one in found)
        print(f"| {name} | {clients} | {row([one.figure for one in found], share)} |")


def row(figures: list[Figure], share: float) -> str:
    """Return medians over the figures."""
    times = [
        f"{statistics.median(figure.percentile(part) for figure in figures) * 1000:.1f}"
        for part in (0.5, 0.95, 0.99)
    ]
    rate, cpu = (
        statistics.median(values)
        for values in zip(*((figure.rate, figure.cpu) for figure in figures), strict=True)
    )
    return f"{rate:.2f} | {share:.1%} | {' | '.join(times)} | {cpu * 1000:.1f}"


def show_ours(ours: Contender, loop: Loop, options: argparse.Namespace, next_body: Bodies) -> None:
    same = next_body()
    ask(connected(ours.port), ours.path, same)
    repeated = load(ours, 8, min(4.0, options.seconds), lambda: same)
    print("\n| figure | value | aim |\n|---|---|---|")
    print(f"| repeated requests, 8 clients | {repeated.rate:.0f} /s | at least 500 /s |")
    print(
        "| overhead of one request over the pipeline |"
        f" {overhead(ours, loop, next_body) * 1000:.1f} ms | at most 5 ms |"
    )


def overhead(ours: Contender, loop: Loop, next_body: Bodies) -> float:
    """
    Return the seconds that a request takes longer than a call of the bare pipeline.

    Medians of each.
    """
    connection, alone, asked = connected(ours.port), [], []
    for _ in range(PAIRS):
        alone.append(loop.run(0.0).times[0])
        at = time.perf_counter()
        ask(connection, ours.path, next_body())
        asked.append(time.perf_counter() - at)
    return statistics.median(asked) - statistics.median(alone)


def show_memory(requests: int, next_body: Callable[[], bytes], folder: Path) -> None:
    """
    Print the resident memory over many requests: unique, repeated and refused by turns.

    A server of its own, whose caches are so small that they are full within the first fifth: what
        grows from then on is no cache.
    """
    port = free_port()
    caches = {f"NODETOOL_SERVE_{name}": str(size) for name, size in SMALL_CACHES.items()}
    ours = Contender(OURS, our_command(folder, port), OUR_PATH, port, folder, caches)
    try:
        ours.wait(next_body())
        connection, known = connected(port), next_body()
        marks = []
        for number in range(requests):
            body: Any = next_body() if number % 25 == 0 else known if number % 2 else REFUSED
            ask(connection, ours.path, body)
            if number % max(1, requests // 10) == 0 or number == requests - 1:
                marks.append((ours.memory(), held(port)))
    finally:
        ours.close()
    settled = [resident for resident, _ in marks[2:]]
    print("\n| figure | value | aim |\n|---|---|---|")
    print(
        f"| memory over {requests} requests, a tenth each |"
        f" {' '.join(f'{resident:.0f}' for resident, _ in marks)} MB | flat |"
    )
    print(
        "| of that in caches, which are bounded |"
        f" {' '.join(f'{cached:.1f}' for _, cached in marks)} MB | |"
    )
    print(
        f"| growth after the first fifth | {settled[-1] - statistics.median(settled[:2]):+.1f}"
        " MB | |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="how long each contender is asked"
    )
    parser.add_argument("--steps", type=int, default=4, help="steps of the denoising loop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="names of contenders, with commas")
    parser.add_argument(
        "--requests", type=int, default=0, help="look at the memory over so many requests"
    )
    options = parser.parse_args()
    print(
        "load of the machine:",
        *(f"{value:.1f}" for value in os.getloadavg()),
        "on",
        os.cpu_count(),
        "cores",
    )
    with tempfile.TemporaryDirectory() as folder:
        next_body = Bodies(options.steps)
        if options.rounds:
            measure(options, Path(folder), next_body)
        if options.requests:
            show_memory(options.requests, next_body, Path(folder))
    print("load of the machine:", *(f"{value:.1f}" for value in os.getloadavg()))


if __name__ == "__main__":
    main()
