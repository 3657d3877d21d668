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
import base64
import http.client
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
IMAGE: Final = HERE.parent / "graphs" / "assets" / "lake_at_noon.png"
CLIENTS: Final = (1, 8, 32)
OURS: Final = "nodetool"
MODEL: Final = "nodetool/tiny-landscapes"
OUR_PATH: Final = f"/models/{MODEL}"
SMALL_CACHES: Final = {"CACHE_BYTES": 2**20, "RESULT_BYTES": 8 * 2**20}
REFUSED: Final = b'{"inputs": "no image", "parameters": {"strength": 1}}'
ENVIRONMENT: Final = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}
PAIRS: Final = 60
"""Requests, and calls of the bare pipeline, by which the overhead of one is measured."""
STARTING: Final = 180.0
"""Seconds that a server may take to answer its first request."""

BARE: Final = """
import sys, time
from serving_rivals import Painter
from PIL import Image
painter, image = Painter(), Image.open(sys.argv[1]).convert("RGB")
painter.paint(image, "a lake", int(sys.argv[2]), 0)
count = 0
for line in sys.stdin:
    took, begun, computed = [], time.perf_counter(), time.process_time()
    while not took or time.perf_counter() - begun < float(line):
        at = time.perf_counter()
        count += 1
        painter.paint(image, "a lake", int(sys.argv[2]), count)
        took.append(time.perf_counter() - at)
    print(*took, (time.process_time() - computed) / len(took), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """Of one contender at one number of clients."""

    rate: float
    times: tuple[float, ...]
    """Seconds of each request, sorted."""
    cpu: float
    """Seconds of computing that each request took, of all the server's processes."""

    def percentile(self, share: float) -> float:
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))]


class Contender:
    """A server in a process of its own."""

    def __init__(
        self,
        name: str,
        command: list[str],
        path: str,
        port: int,
        folder: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name, self.path, self.port = name, path, port
        self._log = (folder / f"{name}.log").open("wb")
        cache = {
            "NODETOOL_CACHE_DIR": str(folder / "cache"),
            "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
        }
        self.process = subprocess.Popen(
            command,
            env={**ENVIRONMENT, **cache, **environment},
            cwd=folder,
            stdout=self._log,
            stderr=self._log,
        )

    def wait(self, body: bytes) -> None:
        """Wait until it answers with an image."""
        until = time.monotonic() + STARTING
        while True:
            try:
                if ask(connected(self.port), self.path, body) == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"{self.name} does not answer:\n{Path(self._log.name).read_text()[-2000:]}"
                )
            time.sleep(0.2)

    def memory(self) -> float:
        """Return the resident megabytes."""
        import psutil

        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def computed(self) -> float:
        """Return the seconds that it and its children have computed."""
        import psutil

        own = psutil.Process(self.process.pid)
        return sum(sum(one.cpu_times()[:2]) for one in (own, *own.children(recursive=True)))

    def close(self) -> None:
        import psutil

        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.terminate()
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


def body_of(seed: int, steps: int, image: str) -> bytes:
    parameters = {
        "prompt": "a lake",
        "num_inference_steps": steps,
        "strength": 1.0,
        "guidance_scale": 7.5,
        "seed": seed,
    }
    return json.dumps({"inputs": image, "parameters": parameters}).encode()


def connected(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=600)


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> int:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status


def load(
    contender: Contender, clients: int, seconds: float, next_body: Callable[[], bytes]
) -> Figure:
    """Ask from so many clients at once, for so many seconds."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    begun, computed = time.perf_counter(), contender.computed()

    def client() -> None:
        connection = connected(contender.port)
        while time.perf_counter() < until:
            at = time.perf_counter()
            status = ask(connection, contender.path, next_body())
            if status != 200:
                raise RuntimeError(f"{contender.name} answers {status}")
            times.append(time.perf_counter() - at)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    return Figure(
        len(times) / took,
        tuple(sorted(times)),
        (contender.computed() - computed) / max(1, len(times)),
    )


@contextmanager
def contenders(only: set[str], folder: Path) -> Iterator[list[Contender]]:
    """Yield the servers, started and ready."""
    started: list[Contender] = []
    try:
        for name in (OURS, "FastAPI", "LitServe", "LitServe, all cores"):
            if only and name.partition(",")[0] not in only:
                continue
            if name.startswith("LitServe") and importlib.util.find_spec("litserve") is None:
                print("LitServe is not installed: pip install -e '.[bench]'")
                continue
            port = free_port()
            commands = {
                OURS: our_command(folder, port),
                "FastAPI": [sys.executable, str(HERE / "serving_rivals.py"), str(port)],
                "LitServe": [sys.executable, str(HERE / "serving_litserve.py"), str(port), "1"],
                "LitServe, all cores": [
                    sys.executable,
                    str(HERE / "serving_litserve.py"),
                    str(port),
                    str(os.cpu_count()),
                ],
            }
            started.append(
                Contender(
                    name, commands[name], OUR_PATH if name == OURS else "/paint", port, folder
                )
            )
        yield started
    finally:
        for one in started:
            one.close()


def our_command(folder: Path, port: int) -> list[str]:
    script = "import sys; from nodetool_core.cli import main; sys.exit(main())"
    graphs = folder / "no-workflows"
    graphs.mkdir(exist_ok=True)
    options = [
        "--graphs",
        str(graphs),
        "--model",
        MODEL,
        "--data",
        str(folder / "data"),
        "--port",
        str(port),
    ]
    return [sys.executable, "-c", script, "serve", *options]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Loop:
    """The bare pipeline in a loop, in a process of its own that works when asked."""

    def __init__(self, steps: int) -> None:
        command = [sys.executable, "-c", BARE, str(IMAGE), str(steps)]
        environment = ENVIRONMENT | {"PYTHONPATH": str(HERE)}
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, seconds: float) -> Figure:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(seconds, file=self._process.stdin, flush=True)
        *times, cpu = map(float, self._process.stdout.readline().split())
        return Figure(len(times) / sum(times), tuple(sorted(times)), cpu)

    def close(self) -> None:
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Round:
    """What a contender did, and the bare pipeline before and after it."""

    figure: Figure
    loops: tuple[Figure, Figure]

    @property
    def share(self) -> float:
        """Of the bare loop's rate."""
        return self.figure.rate / statistics.mean(loop.rate for loop in self.loops)


class Bodies:
    """Requests of which no two ask the same."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._image = base64.b64encode(IMAGE.read_bytes()).decode()
        self._number = 0
        self._lock = threading.Lock()

    def __call__(self) -> bytes:
        with self._lock:
            self._number += 1
            number = self._number
        return body_of(number, self._steps, self._image)


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


def held(port: int) -> float:
    """Return the megabytes that the server's caches hold, as it reports."""
    connection = connected(port)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    names = ("nodetool_cache_bytes ", "nodetool_results_bytes ", "nodetool_encodings_bytes ")
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(names)) / 1e6


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
