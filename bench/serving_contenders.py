"""Servers in processes of their own, the bare pipeline in another, and the load on them."""

from __future__ import annotations

import base64
import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

HERE: Final = Path(__file__).resolve().parent
IMAGE: Final = HERE.parent / "graphs" / "assets" / "lake_at_noon.png"
OURS: Final = "nodetool"
MODEL: Final = "nodetool/tiny-landscapes"
OUR_PATH: Final = f"/models/{MODEL}"
ENVIRONMENT: Final = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}
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


def held(port: int) -> float:
    """Return the megabytes that the server's caches hold, as it reports."""
    connection = connected(port)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    names = ("nodetool_cache_bytes ", "nodetool_results_bytes ", "nodetool_encodings_bytes ")
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(names)) / 1e6
