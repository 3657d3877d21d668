"""
Measures the engine against its aims, and against others, and prints a table.

    python bench/engine.py [--quick] [--sizes 100,1000] [--only nodes,memory]
                           [--against "plain loop;Hamilton"]

Every contender, and every other figure, is measured in a process of its own; figures are medians.
Graphs of trivial nodes grow until another engine would take longer than a few seconds for one; the
table then says how long it would take. `wall` is by the clock; `CPU` is computing alone, of the
thread of the run for our engine, of the whole process for others. The load of the machine is
printed before and after: with other work on it, `wall` says more about that than about the engine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from engine_graphs import SHAPES, SIZES
from engine_rivals import RIVALS, NoFormError

OURS: Final = "nodetool"
FIGURES: Final = ("ratios", "waiting", "computing", "edges", "memory", "events", "import")
QUICK_SIZES: Final = (100, 1_000)
TIME_LIMIT: Final = 60.0
"""Seconds that loading and running one graph once may take."""
TIME_LIMIT_OF_OTHERS: Final = 6.0
"""
The same for other engines, so that all of them together take minutes; what is slower is estimated.
"""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should be at most, and how it is printed."""

    limit: float
    unit: str
    scale: float = 1.0
    digits: int = 0

    def shown(self, value: float) -> str:
        return f"{value * self.scale:,.{self.digits}f} {self.unit}".rstrip()


AIMS: Final = {
    "run": Aim(5e-6, "µs", 1e6, 2),
    "flat": Aim(1.2, "times", 1, 2),
    "first run": Aim(1.2, "times", 1, 2),
    "cached run": Aim(0.05, "times", 1, 3),
    "run alone": Aim(6, "times", 1, 1),
    "flat run": Aim(1.2, "times", 1, 2),
    "reading": Aim(3, "times", 1, 2),
    "with inputs": Aim(1.5, "times", 1, 2),
    "cached": Aim(2e-6, "µs", 1e6, 2),
    "load": Aim(25e-6, "µs", 1e6, 1),
    "waiting": Aim(0.060, "ms", 1e3, 1),
    "computing": Aim(0.230, "ms", 1e3),
    "edge number": Aim(5e-6, "µs", 1e6, 2),
    "edge list": Aim(500e-6, "µs", 1e6),
    "edge image": Aim(100e-6, "µs", 1e6),
    "memory": Aim(4, "images", 1, 2),
    "events": Aim(200, "bytes"),
    "import seconds": Aim(0.25, "s", 1, 3),
    "import memory": Aim(60e6, "MB", 1e-6, 1),
    "import torch": Aim(0, ""),
}
MEMORY: Final = AIMS["memory"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and how thoroughly."""

    sizes: tuple[int, ...]
    only: tuple[str, ...]
    against: tuple[str, ...]
    quick: bool

    def repeats(self, size: int) -> int:
        return 2 if self.quick else 15 if size <= 1_000 else 5 if size <= 10_000 else 3


# -- workers: each in a process of its own, which prints one JSON value a line ---------------------


def work(task: Sequence[str], settings: Settings) -> Iterator[Any]:
    """Yield what the process for a task measures."""
    if task[0] == "figures":
        from engine_edges import edges
        from engine_figures import FIGURES as MEASURES
        from engine_ratios import ratios

        measures = {
            "ratios": ratios,
            "edges": lambda quick: edges(3 if quick else 15),
            **MEASURES,
        }
        yield from (asdict(figure) for figure in measures[task[1]](settings.quick))
    elif task[1] == OURS:
        yield from _growing(
            settings.sizes, lambda size: _ours(task[2], size, settings.repeats(size)), TIME_LIMIT
        )
    else:
        yield from _growing(
            settings.sizes,
            lambda size: _rival(task[1], task[2], size, settings.repeats(size)),
            TIME_LIMIT_OF_OTHERS,
        )


def _ours(shape: str, size: int, repeats: int) -> dict[str, Any]:
    import engine_ours

    begun = time.perf_counter()
    found = engine_ours.measure(shape, size, repeats)
    seconds = (time.perf_counter() - begun) / repeats
    rows = {
        row: [statistics.median(getattr(took, kind) for took in all_of) for kind in ("wall", "cpu")]
        for row, all_of in found.items()
    }
    return {"seconds": seconds, "rows": rows}


def _rival(name: str, shape: str, size: int, repeats: int) -> dict[str, Any]:
    import engine_rivals

    engine_rivals.warm_up(RIVALS[name], shape)
    measured = engine_rivals.measure(RIVALS[name], shape, size, repeats, TIME_LIMIT_OF_OTHERS / 3)
    return {
        "seconds": measured.seconds,
        "rows": {"run": [measured.run, measured.cpu], "load": [measured.load, measured.load]},
    }


def _growing(
    sizes: Sequence[int], measure: Callable[[int], dict[str, Any]], time_limit: float
) -> Iterator[dict[str, Any]]:
    """
    Yield measurements for growing graphs.

    For as long as they are likely to take no more than `time_limit` seconds.
    """
    known: list[tuple[int, float]] = []
    for size in sorted(sizes):
        expected = _expected(known, size)
        if expected > time_limit:
            yield {"size": size, "why": f"≈ {expected:,.0f} s" if expected < 3600 else "hours"}
            continue
        try:
            found = measure(size)
        except NoFormError as error:
            yield {"size": size, "why": str(error)}
        except Exception as error:  # noqa: BLE001 - another engine is foreign code: how it fails is what the table says
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            yield {"size": size, "why": type(error).__name__}
        else:
            known.append((size, found["seconds"]))
            yield {"size": size, **found}


def _expected(known: Sequence[tuple[int, float]], size: int) -> float:
    """
    Return the seconds that a graph should take.

    At least in proportion, and with the growth that the last two show.
    """
    if not known:
        return 0.0
    last, seconds = known[-1]
    growth = 1.0
    if len(known) > 1 and known[-2][1] > 0:
        growth = max(1.0, math.log(seconds / known[-2][1]) / math.log(last / known[-2][0]))
    return seconds * math.pow(size / last, growth)


def _measured(task: Sequence[str], settings: Settings) -> list[Any]:
    """Return the lines that a measuring process printed; what it could not finish is missing."""
    print(f"… {' '.join(task)}", file=sys.stderr, flush=True)
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--worker",
        json.dumps([list(task), asdict(settings)]),
    ]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as complaints:
        limit = TIME_LIMIT * (1 + len(settings.sizes))
        try:
            code = subprocess.run(
                command, stdout=out, stderr=complaints, timeout=limit, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = 0
        out.seek(0)
        # Some print for themselves; ours are the lines that are JSON objects.
        lines = [json.loads(line) for line in out if line.startswith("{") and line.endswith("}\n")]
        if code or (task[0] == "figures" and not lines):
            complaints.seek(0)
            print("".join(complaints.readlines()[-15:]), file=sys.stderr)
    return lines


# -- tables ----------------------------------------------------------------------------------------

Row = Sequence[str]
Nodes = dict[tuple[str, str, int], dict[str, Any]]
"""What was measured on graphs of trivial nodes: by contender, shape and size."""


def table(head: Row, rows: Sequence[Row]) -> str:
    """
    Return rows as Markdown, in columns of even width.

    All columns but the first are set to the right where their head begins with a blank.
    """
    every = [head, *rows]
    widths = [max(3, *(len(row[column].strip()) for row in every)) for column in range(len(head))]
    right = [name.startswith(" ") for name in head]

    def line(row: Row) -> str:
        cells = [
            cell.strip().rjust(width) if to_right else cell.strip().ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        return f"| {' | '.join(cells)} |"

    rule = [
        "-" * (width - 1) + ":" if to_right else "-" * width
        for width, to_right in zip(widths, right, strict=True)
    ]
    return "\n".join([line(head), f"| {' | '.join(rule)} |", *map(line, rows)])


def verdict(aim: Aim, value: float, cpu: float | None = None) -> str:
    """Return whether a figure is as it should be, or by how much not."""
    if value <= aim.limit:
        return "met"
    over = f" ({100 * (value / aim.limit - 1):.0f} %)" if aim.limit else ""
    computing = "; met by CPU" if cpu is not None and cpu <= aim.limit else ""
    return f"missed by {aim.shown(value - aim.limit)}{over}{computing}"


def _aim_row(aim: Aim, what: str, value: float, cpu: float | None, note: str) -> Row:
    return (
        what,
        aim.shown(value),
        "" if cpu is None else aim.shown(cpu),
        f"≤ {aim.shown(aim.limit)}",
        verdict(aim, value, cpu),
        note,
    )


def _figure_row(figure: dict[str, Any]) -> Row:
    aim = AIMS.get(figure["row"])
    if aim is None:
        return figure["what"], MEMORY.shown(figure["value"]), "", "", "", figure["note"]
    return _aim_row(aim, figure["what"], figure["value"], figure["cpu"], figure["note"])


def _node_rows(nodes: Nodes, settings: Settings) -> Iterator[Row]:
    """
    Our figures per trivial node.

    Of each shape the worst size, and how the largest compares with the smallest.
    """
    for row, what in (
        ("run", "run, per trivial node"),
        ("cached", "fully cached run, per node"),
        ("hits", "the same, every node looked up"),
    ):
        for shape in SHAPES:
            by_size = _ours_by_size(nodes, shape, row, settings)
            if by_size:
                yield _worst(AIMS["cached" if row == "hits" else row], f"{what}: {shape}", by_size)
            if row == "run" and len(by_size) > 1:
                yield _flatness(nodes, shape, by_size)
    for shape in SHAPES:
        by_size = _ours_by_size(nodes, shape, "load", settings)
        if by_size:
            yield _worst(AIMS["load"], f"load + validate + plan, per node: {shape}", by_size)
        missing = [
            (size, nodes[OURS, shape, size]["why"])
            for size in settings.sizes
            if "why" in nodes.get((OURS, shape, size), {})
        ]
        yield from (
            (f"{shape} of {size:,}", why, "", "", "not measured", "") for size, why in missing
        )


def _ours_by_size(nodes: Nodes, shape: str, row: str, settings: Settings) -> dict[int, list[float]]:
    found = {
        size: nodes.get((OURS, shape, size), {}).get("rows", {}).get(row) for size in settings.sizes
    }
    return {size: took for size, took in found.items() if took is not None}


def _worst(aim: Aim, what: str, by_size: dict[int, list[float]]) -> Row:
    size = max(by_size, key=lambda size: by_size[size][0])
    wall, cpu = by_size[size]
    return _aim_row(aim, what, wall, cpu, f"worst of its sizes: {size:,}")


def _flatness(nodes: Nodes, shape: str, by_size: dict[int, list[float]]) -> Row:
    small, large = min(by_size), max(by_size)
    wall, cpu = (by_size[large][kind] / by_size[small][kind] for kind in (0, 1))
    loop = [
        nodes[key]["rows"]["run"][0]
        for size in (small, large)
        if "rows" in nodes.get(key := ("plain loop", shape, size), {})
    ]
    note = f"; plain loop: {loop[1] / loop[0]:.2f} times" if len(loop) == 2 else ""
    return _aim_row(
        AIMS["flat"], f"{large:,} nodes against {small:,}: {shape}", wall, cpu, f"per node{note}"
    )


def _rival_rows(nodes: Nodes, shape: str, settings: Settings) -> Iterator[Row]:
    """
    Yield one row per contender.

    Microseconds of a run per node by size, the ratio to ours, and what loading took.
    """
    for name in (OURS, *settings.against):
        cells = [nodes.get((name, shape, size), {"why": "stopped"}) for size in settings.sizes]
        measured = [
            (size, cell["rows"])
            for size, cell in zip(settings.sizes, cells, strict=True)
            if "rows" in cell
        ]
        shown = [
            _microseconds(cell["rows"]["run"][0]) if "rows" in cell else cell["why"]
            for cell in cells
        ]
        ratio = load = cpu = ""
        if measured:
            size, rows = measured[-1]
            ours = nodes.get((OURS, shape, size), {}).get("rows")
            ratio = f"{rows['run'][0] / ours['run'][0]:.2f} at {size:,}" if ours else ""
            load, cpu = _microseconds(rows["load"][0]), _microseconds(rows["run"][1])
        yield name, *shown, cpu, ratio, load


def _microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# -- the command -----------------------------------------------------------------------------------


def installed(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the contenders that can be measured here, and for the others what is missing."""
    present = [
        name
        for name in names
        if not RIVALS[name].module or importlib.util.find_spec(RIVALS[name].module) is not None
    ]
    return present, [
        f"{name} ({RIVALS[name].package} is not installed)" for name in names if name not in present
    ]


def settings_of(arguments: Sequence[str]) -> Settings:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small graphs, two repetitions, against the plain loop alone",
    )
    parser.add_argument(
        "--sizes",
        help=f"sizes of the graphs, with commas; {','.join(map(str, SIZES))} unless given",
    )
    parser.add_argument("--only", help=f"some of nodes, {', '.join(FIGURES)}; with commas")
    parser.add_argument(
        "--against", help=f"some of {'; '.join(RIVALS)}; with semicolons, and empty for none"
    )
    given = parser.parse_args(arguments)
    usual = QUICK_SIZES if given.quick else SIZES
    sizes = tuple(sorted(int(part) for part in given.sizes.split(","))) if given.sizes else usual
    only = (
        tuple(part.strip() for part in given.only.split(",")) if given.only else ("nodes", *FIGURES)
    )
    against = tuple(RIVALS) if not given.quick else ("plain loop",)
    if given.against is not None:
        against = tuple(part.strip() for part in given.against.split(";") if part.strip())
    wrong = [name for name in only if name not in ("nodes", *FIGURES)] + [
        name for name in against if name not in RIVALS
    ]
    if wrong:
        parser.error(f"there is no {', '.join(wrong)}")
    if min(sizes) < 5:
        parser.error("graphs have 5 nodes or more")
    return Settings(sizes, only, against, given.quick)


def machine() -> str:
    """Return where and under which load this runs."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, Python {sys.version.split()[0]}, {os.cpu_count()}"
        f" cores, load average {load}"
    )


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    settings = settings_of(arguments)
    present, missing = installed(settings.against)
    settings = Settings(settings.sizes, settings.only, tuple(present), settings.quick)
    print(f"{machine()}{', quick' if settings.quick else ''}\n")
    nodes: Nodes = {}
    if "nodes" in settings.only:
        for name in (OURS, *settings.against):
            for shape in SHAPES:
                for line in _measured(("nodes", name, shape), settings):
                    nodes[name, shape, line["size"]] = line
    figures = [
        figure
        for name in FIGURES
        if name in settings.only
        for figure in _measured(("figures", name), settings)
    ]
    rows = [*_node_rows(nodes, settings), *(_figure_row(figure) for figure in figures)]
    print(table(("what", " wall", " CPU", " aim", "verdict", "note"), rows))
    verdicts = [row[4] for row in rows if row[3]]
    print(f"\n{verdicts.count('met')} of {len(verdicts)} aims met.")
    for shape in SHAPES if nodes else ():
        head = (
            f"{shape}: µs a node",
            *(f" {size:,}" for size in settings.sizes),
            " CPU",
            " of ours",
            " load",
        )
        print(f"\n{table(head, list(_rival_rows(nodes, shape, settings)))}")
    if nodes:
        print(
            "\nCPU, ratio to ours and load are those of the largest graph measured. Ours has cache,"
            " type checks and a listener on."
        )
    if missing:
        print(f"Left out: {'; '.join(missing)}.")
    print(f"\n{machine()}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        task, given = json.loads(sys.argv[2])
        for found in work(task, Settings(**given)):
            print(json.dumps(found), flush=True)
    else:
        main(sys.argv[1:])
