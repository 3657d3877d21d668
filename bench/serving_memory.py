"""
Measures what large images leave in the memory of `nodetool serve`, and prints a table.

    python bench/serving_memory.py [--requests 9] [--at-once 20] [--megapixels 39.7]

A server of its own inverts images of which no two are the same colour: first one after another,
then many at once. After each, the resident memory stands beside what the server's caches hold,
which is bounded (`cache_bytes` and `result_bytes`); what stays beyond that, over the memory of the
server when it was ready, nobody needs. The highest memory meanwhile is what the machine must have.

Two servers take turns: one as it is started, and one whose C library keeps freed blocks of up to 32
MiB, as glibc comes to do by itself.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from serving_contenders import HERE, Contender, ask, connected, free_port, held

from nodes.lib.pillow.filter import Invert
from nodes.nodetool.input import ImageInput
from nodes.nodetool.output import Output
from nodetool_core import Workflow
from nodetool_core.server.settings import Settings

PATH: Final = "/models/invert"
KEPT: Final = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20)}
"""The threshold that glibc reaches by itself, which keeps the server from fixing its own."""

SETTLED: Final = 1.0
"""Seconds after the last answer until the memory is read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A moment of a server: megabytes."""

    moment: str
    resident: float
    highest: float
    cached: float


def images(megapixels: float) -> Iterator[bytes]:
    """Yield encoded images, each of another colour: small files of many pixels."""
    from PIL import Image

    height = round((megapixels * 1e6 * 0.75) ** 0.5)
    size = round(height / 0.75), height
    for number in count():
        buffer = io.BytesIO()
        Image.new("RGB", size, (number % 256, number // 256 % 256, 99)).save(buffer, "PNG")
        yield buffer.getvalue()


def server(name: str, folder: Path, environment: dict[str, str]) -> Contender:
    """Return a server of the one workflow, with the bounds that it has by itself."""
    graphs, port = folder / "graphs", free_port()
    graphs.mkdir(parents=True)
    Workflow(Output(name="image", value=Invert(image=ImageInput(name="image").output).output)).save(
        graphs / "invert.json"
    )
    script = (
        f"import sys; sys.path.insert(0, {str(HERE.parent)!r}); from nodetool_core.cli import main;"
        " sys.exit(main())"
    )
    options = ["--graphs", str(graphs), "--data", str(folder / "data"), "--port", str(port)]
    return Contender(
        name,
        [sys.executable, "-c", script, "serve", *options],
        PATH,
        port,
        folder,
        {"NODETOOL_SERVE_PRELOAD": "false"} | environment,
    )


def send(contender: Contender, content: bytes) -> None:
    status = ask(connected(contender.port), contender.path, content)
    if status != 200:
        raise RuntimeError(f"{contender.name} answers {status}")


def send_at_once(contender: Contender, contents: list[bytes]) -> None:
    threads = [threading.Thread(target=send, args=(contender, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read(contender: Contender, moment: str) -> Reading:
    """Return the memory of a server once nothing is under way."""
    time.sleep(SETTLED)
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{contender.process.pid}/status").read_text().splitlines()
    )
    highest = int(status["VmHWM"].split()[0]) * 1024 / 1e6
    return Reading(moment, contender.memory(), highest, held(contender.port))


def measure(
    contender: Contender, requests: int, at_once: int, found: Iterator[bytes]
) -> list[Reading]:
    """Return readings of one server: ready, after requests one by one, after many at once."""
    contender.wait(next(images(0.01)))
    readings = [read(contender, "ready")]
    for _ in range(requests):
        send(contender, next(found))
    readings.append(read(contender, f"after {requests}, one after another"))
    send_at_once(contender, [next(found) for _ in range(at_once)])
    readings.append(read(contender, f"after {at_once} at once"))
    return readings


def show(name: str, readings: list[Reading]) -> None:
    first = readings[0]
    for one in readings:
        beyond = one.resident - first.resident - (one.cached - first.cached)
        print(
            f"| {name} | {one.moment} | {one.resident:.0f} | {one.cached:.0f} | {beyond:+.0f} |"
            f" {one.highest:.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=9, help="one after another")
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--megapixels", type=float, default=39.7)
    options = parser.parse_args()
    bounds = (
        Settings.model_fields["cache_bytes"].default + Settings.model_fields["result_bytes"].default
    )
    print(
        "load of the machine:",
        *(f"{value:.1f}" for value in os.getloadavg()),
        "on",
        os.cpu_count(),
        "cores",
    )
    print(
        f"caches are bounded at {bounds / 1e6:.0f} MB\n\n| server | moment | resident MB | in"
        f" caches | beyond | highest |\n|{'---|' * 6}"
    )
    for name, environment in (("as it is started", {}), ("freed blocks kept", KEPT)):
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(server(name.split()[0], Path(folder) / "server", environment)) as contender,
        ):
            show(
                name,
                measure(contender, options.requests, options.at_once, images(options.megapixels)),
            )


if __name__ == "__main__":
    main()
