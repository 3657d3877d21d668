"""
Measures `nodetool serve` against its aims, and against others, and prints a table.

    python bench/serving.py [--seconds 6] [--steps 4] [--rounds 2] [--only nodetool,FastAPI] [--requests 10000]

Everything has the same weights, the same picture, one thread of torch, and a process of its own; each request asks for another
picture. The bare pipeline runs in a loop, with neither picture nor HTTP around it. Contenders take turns, `--rounds` times, and of
each the best round counts: what disturbs a round only ever makes it slower. `--requests` sends that many to our server and prints
what its memory does meanwhile. The load of the machine is printed: with other work on it, rates and times say little, and computing
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
PICTURE: Final = HERE.parent / "graphs" / "assets" / "lake_at_noon.png"
CLIENTS: Final = (1, 8, 32)
OURS: Final = "nodetool"
MODEL: Final = "nodetool/tiny-landscapes"
ENVIRONMENT: Final = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
STARTING: Final = 180.0
"""Seconds that a server may take to answer its first request."""

BARE: Final = """
import sys, time
from serving_rivals import Painter
from PIL import Image
painter, picture = Painter(), Image.open(sys.argv[1]).convert("RGB")
steps, seconds = int(sys.argv[2]), float(sys.argv[3])
painter.paint(picture, "a lake", steps, 0)
count, took, begun, computed = 0, [], time.perf_counter(), time.process_time()
while time.perf_counter() - begun < seconds:
    at = time.perf_counter()
    count += 1
    painter.paint(picture, "a lake", steps, count)
    took.append(time.perf_counter() - at)
print(count / (time.perf_counter() - begun), sorted(took)[len(took) // 2], (time.process_time() - computed) / count)
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

    def __init__(self, name: str, command: list[str], path: str, port: int, folder: Path) -> None:
        self.name, self.path, self.port = name, path, port
        self._log = (folder / f"{name}.log").open("wb")
        cache = {"NODETOOL_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
        self.process = subprocess.Popen(command, env=ENVIRONMENT | cache, cwd=folder, stdout=self._log, stderr=self._log)

    def wait(self, body: bytes) -> None:
        """Until it gives a picture."""
        until = time.monotonic() + STARTING
        while True:
            try:
                if ask(connected(self.port), self.path, body) == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not answer:\n{Path(self._log.name).read_text()[-2000:]}")
            time.sleep(0.2)

    def memory(self) -> float:
        """Resident megabytes."""
        import psutil

        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def computed(self) -> float:
        """Seconds that it and its children have computed."""
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


def body_of(seed: int, steps: int, picture: str) -> bytes:
    parameters = {"prompt": "a lake", "num_inference_steps": steps, "strength": 1.0, "guidance_scale": 7.5, "seed": seed}
    return json.dumps({"inputs": picture, "parameters": parameters}).encode()


def connected(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=600)


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> int:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status


def load(contender: Contender, clients: int, seconds: float, next_body: Callable[[], bytes]) -> Figure:
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
    return Figure(len(times) / took, tuple(sorted(times)), (contender.computed() - computed) / max(1, len(times)))


@contextmanager
def contenders(only: set[str], folder: Path) -> Iterator[list[Contender]]:
    """The servers, started and ready."""
    started: list[Contender] = []
    script = "import sys; from nodetool_core.cli import main; sys.exit(main())"
    graphs = folder / "no-workflows"
    graphs.mkdir(exist_ok=True)
    ours = [sys.executable, "-c", script, "serve", "--graphs", str(graphs), "--model", MODEL, "--data", str(folder / "data")]
    try:
        for name in (OURS, "FastAPI", "LitServe"):
            if only and name not in only:
                continue
            if name == "LitServe" and importlib.util.find_spec("litserve") is None:
                print("LitServe is not installed: pip install -e '.[bench]'")
                continue
            port = free_port()
            commands = {
                OURS: [*ours, "--port", str(port)],
                "FastAPI": [sys.executable, str(HERE / "serving_rivals.py"), str(port)],
                "LitServe": [sys.executable, str(HERE / "serving_litserve.py"), str(port)],
            }
            started.append(Contender(name, commands[name], f"/models/{MODEL}" if name == OURS else "/paint", port, folder))
        yield started
    finally:
        for one in started:
            one.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def bare(steps: int, seconds: float) -> Figure:
    """The bare pipeline in a loop."""
    environment = ENVIRONMENT | {"PYTHONPATH": str(HERE)}
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(PICTURE), str(steps), str(seconds)], env=environment, capture_output=True, text=True, check=True
    )
    rate, median, cpu = map(float, done.stdout.split()[-3:])
    return Figure(rate, (median,), cpu)


class Bodies:
    """Requests of which no two ask the same."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._picture = base64.b64encode(PICTURE.read_bytes()).decode()
        self._number = 0
        self._lock = threading.Lock()

    def __call__(self) -> bytes:
        with self._lock:
            self._number += 1
            number = self._number
        return body_of(number, self._steps, self._picture)


def measure(options: argparse.Namespace, folder: Path) -> None:
    """All figures, printed as they come."""
    next_body = Bodies(options.steps)
    with contenders(set(filter(None, options.only.split(","))), folder) as servers:
        for one in servers:
            one.wait(next_body())
        best: dict[tuple[str, int], Figure] = {}
        loops: list[Figure] = []
        for _ in range(options.rounds):
            loops.append(bare(options.steps, options.seconds))
            for clients in CLIENTS:
                for one in servers:
                    figure = load(one, clients, options.seconds, next_body)
                    key = (one.name, clients)
                    best[key] = max(figure, best.get(key, figure), key=lambda found: found.rate)
        loop = max(loops, key=lambda found: found.rate)
        show_throughput(loop, best)
        ours = next((one for one in servers if one.name == OURS), None)
        if ours is not None:
            show_ours(ours, options, next_body, loop, best)


def show_throughput(loop: Figure, best: dict[tuple[str, int], Figure]) -> None:
    head = ("contender", "clients", "requests/s", "of the bare loop", "p50 ms", "p95 ms", "p99 ms", "CPU ms a request")
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    print(f"| bare pipeline in a loop | | {loop.rate:.2f} | 100 % | {loop.times[0] * 1000:.1f} | | | {loop.cpu * 1000:.1f} |")
    for (name, clients), figure in best.items():
        shares = [f"{figure.percentile(share) * 1000:.1f}" for share in (0.5, 0.95, 0.99)]
        print(
            f"| {name} | {clients} | {figure.rate:.2f} | {figure.rate / loop.rate:.1%} | {' | '.join(shares)} | {figure.cpu * 1000:.1f} |"
        )


def show_ours(ours: Contender, options: argparse.Namespace, next_body: Bodies, loop: Figure, best: dict[tuple[str, int], Figure]) -> None:
    same = next_body()
    ask(connected(ours.port), ours.path, same)
    repeated = load(ours, 8, min(4.0, options.seconds), lambda: same)
    overhead = best[OURS, 1].percentile(0.5) - loop.times[0]
    print("\n| figure | value | aim |\n|---|---|---|")
    print(f"| repeated requests, 8 clients | {repeated.rate:.0f} /s | at least 500 /s |")
    print(f"| overhead of one request over the pipeline | {overhead * 1000:.1f} ms | at most 5 ms |")
    if options.requests:
        show_memory(ours, options.requests, next_body)


def show_memory(ours: Contender, requests: int, next_body: Bodies) -> None:
    """Resident memory over many requests: unique ones, repeated ones and refused ones by turns."""
    connection, known = connected(ours.port), next_body()
    marks = []
    for number in range(requests):
        body: Any = next_body() if number % 25 == 0 else known if number % 2 else b'{"inputs": "no picture", "parameters": {"strength": 1}}'
        ask(connection, ours.path, body)
        if number % max(1, requests // 10) == 0 or number == requests - 1:
            marks.append(ours.memory())
    settled = marks[2:]
    print(f"| memory over {requests} requests | {' '.join(f'{mark:.0f}' for mark in marks)} MB | flat |")
    print(f"| its growth after the first fifth | {settled[-1] - statistics.median(settled[:2]):+.0f} MB | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each contender is asked")
    parser.add_argument("--steps", type=int, default=4, help="steps of the denoising loop")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="names of contenders, with commas")
    parser.add_argument("--requests", type=int, default=0, help="look at the memory over so many requests")
    options = parser.parse_args()
    print("load of the machine:", *(f"{value:.1f}" for value in os.getloadavg()), "on", os.cpu_count(), "cores")
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))
    print("load of the machine:", *(f"{value:.1f}" for value in os.getloadavg()))


if __name__ == "__main__":
    main()
