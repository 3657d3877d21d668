"""
Measures what each dialect of `nodetool serve` costs, and prints a table.

    python bench/serving_dialects.py [--seconds 4] [--steps 4] [--rounds 3] [--known 200]

The same images are made of the same image by the model that ships, asked for in each dialect by 8
clients; no two requests ask the same. Dialects take turns, and between them the bare pipeline runs
in a loop, with which they are compared as in bench/serving.py. What a request costs besides the
run is looked at with requests whose result is known: their time is that of HTTP, of the translation
and of coding the image. `known, ms over ours` is the difference from our own API, which codes the
same image: the translation. The Hugging Face API knows such an answer by its bytes and codes
nothing; MCP makes a preview and keeps the whole, which the others do not. ComfyUI's prompts are
jobs, recorded and run one after another, and their results are kept: they are measured from the
prompt, by their socket, to the bytes of the file, beside jobs of our own API. So are Replicate's
predictions, which are answered when they have ended. Qolaba's API is left out, for its requests are
jobs and name no steps.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from serving_contenders import (
    IMAGE,
    MODEL,
    OURS,
    Contender,
    Figure,
    Loop,
    connected,
    free_port,
    our_command,
)

CLIENTS: Final = 8
KNOWN_JOBS: Final = 40
"""At most so many jobs whose result is known are asked for."""
OWN: Final = "nodetool"
VERSION: Final = "2026-07-28"
TOOL: Final = f"{MODEL.replace('/', '.')}.image_to_image"
UPLOADED: Final = "lake_of_the_bench.png"
DATA_URI: Final = "data:image/png;base64," + base64.b64encode(IMAGE.read_bytes()).decode()
META: Final = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def parameters(seed: int, steps: int) -> dict[str, object]:
    return {
        "prompt": "a lake",
        "num_inference_steps": steps,
        "strength": 1.0,
        "guidance_scale": 7.5,
        "seed": seed,
    }


@dataclass(frozen=True)
class Spoken:
    """A request in one dialect."""

    path: str
    body: Callable[[int, int], Mapping[str, object]]
    """Of a seed and a number of steps."""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_job: bool = False

    def ask(self, connection: http.client.HTTPConnection, seed: int, steps: int) -> None:
        body = json.dumps(self.body(seed, steps)).encode()
        headers = {"Content-Type": "application/json", **self.headers}
        connection.request("POST", self.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200 or b'"isError":true' in content:
            raise RuntimeError(f"{self.path} answers {response.status}: {content[:300]!r}")


_sockets: Final = threading.local()


def thread_socket(port: int) -> tuple[str, Any]:
    """Return the client id of this thread, and the socket that reports its prompts."""
    from websockets.sync.client import connect

    if not hasattr(_sockets, "open"):
        name, _sockets.stack = uuid.uuid4().hex, ExitStack()
        url = f"ws://127.0.0.1:{port}/ws?clientId={name}"
        _sockets.open = name, _sockets.stack.enter_context(connect(url))
    found: tuple[str, Any] = _sockets.open
    return found


def hang_up() -> None:
    """Close the socket of this thread."""
    if hasattr(_sockets, "open"):
        _sockets.stack.close()
        del _sockets.open


def read(connection: http.client.HTTPConnection, path: str) -> bytes:
    """Return what is at an address."""
    connection.request("GET", path)
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path} answers {response.status}: {content[:300]!r}")
    return content


@dataclass(frozen=True)
class Prompted(Spoken):
    """A graph of ComfyUI, waited for by its socket, with the file that it makes."""

    def ask(self, connection: http.client.HTTPConnection, seed: int, steps: int) -> None:
        assert connection.port is not None
        client_id, socket = thread_socket(connection.port)
        body = {"prompt": self.body(seed, steps), "client_id": client_id}
        connection.request("POST", self.path, json.dumps(body).encode())
        answer = json.loads(connection.getresponse().read())
        if "prompt_id" not in answer:
            raise RuntimeError(f"{self.path} refuses: {answer}")
        prompt_id = answer["prompt_id"]
        about: dict[str, Any] = {}
        while about.get("prompt_id") != prompt_id or about.get("node", "") is not None:
            about = json.loads(socket.recv(timeout=60))["data"]
        # The server closes connections that are idle as long as a prompt may take.
        connection.close()
        entry = json.loads(read(connection, f"/history/{prompt_id}"))[prompt_id]
        (image,) = entry["outputs"]["9"]["images"]
        read(connection, f"/view?{urlencode(image)}")


@dataclass(frozen=True)
class Queued(Spoken):
    """A job of our own API, with the file that it makes."""

    def ask(self, connection: http.client.HTTPConnection, seed: int, steps: int) -> None:
        body = json.dumps(self.body(seed, steps)).encode()
        connection.request("POST", self.path, body, {"Content-Type": "application/json"})
        job = json.loads(connection.getresponse().read())
        done = json.loads(read(connection, f"/v1/jobs/{job['id']}?wait=60"))
        read(connection, f"/v1/files/{done['outputs']['image']['asset_id']}")


@dataclass(frozen=True)
class Predicted(Spoken):
    """A prediction of Replicate's API that is waited for, with the file that it makes."""

    def ask(self, connection: http.client.HTTPConnection, seed: int, steps: int) -> None:
        body = json.dumps(self.body(seed, steps)).encode()
        headers = {"Content-Type": "application/json", "Prefer": "wait"}
        connection.request("POST", self.path, body, headers)
        made = json.loads(connection.getresponse().read())
        if made["status"] != "succeeded":
            raise RuntimeError(f"{self.path} answers {made}")
        read(connection, urlsplit(made["output"]).path)


def graph(seed: int, steps: int) -> dict[str, object]:
    def node(name: str, **inputs: object) -> dict[str, object]:
        return {"class_type": name, "inputs": inputs}

    sampler = {"sampler_name": "euler", "scheduler": "normal", "denoise": 1.0, "cfg": 7.5}
    led = {"positive": ["2", 0], "negative": ["3", 0], "latent_image": ["5", 0]}
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name=MODEL),
        "2": node("CLIPTextEncode", text="a lake", clip=["1", 1]),
        "3": node("CLIPTextEncode", text="", clip=["1", 1]),
        "4": node("LoadImage", image=UPLOADED),
        "5": node("VAEEncode", pixels=["4", 0], vae=["1", 2]),
        "6": node("KSampler", model=["1", 0], seed=seed, steps=steps, **led, **sampler),
        "7": node("VAEDecode", samples=["6", 0], vae=["1", 2]),
        "9": node("SaveImage", images=["7", 0], filename_prefix="bench"),
    }


def upload(port: int) -> None:
    """Upload the image that the graphs load."""
    connection, mark = connected(port), "image-of-the-bench"
    named = f'Content-Disposition: form-data; name="image"; filename="{UPLOADED}"'
    head = f"--{mark}\r\n{named}\r\n\r\n".encode()
    body = head + IMAGE.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    connection.request("POST", "/upload/image", body, headers)
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"The upload is answered {response.status}: {content!r}")


def edit(seed: int, steps: int) -> dict[str, object]:
    image = {"images": [{"image_url": DATA_URI}], "model": MODEL, "response_format": "b64_json"}
    return parameters(seed, steps) | image


def web_ui_edit(seed: int, steps: int) -> dict[str, object]:
    return {
        "prompt": "a lake",
        "steps": steps,
        "denoising_strength": 1.0,
        "cfg_scale": 7.5,
        "seed": seed,
        "init_images": [DATA_URI],
        "override_settings": {"sd_model_checkpoint": MODEL},
    }


def tool_call(seed: int, steps: int) -> dict[str, object]:
    given = parameters(seed, steps) | {"image": DATA_URI}
    params = {"name": TOOL, "arguments": given, "_meta": META}
    return {"jsonrpc": "2.0", "id": seed, "method": "tools/call", "params": params}


SPOKEN: Final[Mapping[str, Spoken]] = {
    OWN: Spoken(
        f"/v1/workflows/{MODEL}/runs",
        lambda seed, steps: {
            "inputs": parameters(seed, steps) | {"image": DATA_URI},
            "inline": True,
        },
    ),
    "openai": Spoken("/v1/images/edits", edit),
    "a1111": Spoken("/sdapi/v1/img2img", web_ui_edit),
    "huggingface": Spoken(
        f"/models/{MODEL}",
        lambda seed, steps: {
            "inputs": DATA_URI,
            "parameters": parameters(seed, steps),
            "options": {"use_cache": True},
        },
    ),
    "mcp": Spoken(
        "/mcp",
        tool_call,
        {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": TOOL,
        },
    ),
    "nodetool, jobs": Queued(
        f"/v1/workflows/{MODEL}/runs",
        lambda seed, steps: {
            "inputs": parameters(seed, steps) | {"image": DATA_URI},
            "wait": False,
        },
        is_job=True,
    ),
    "comfyui": Prompted("/prompt", graph, is_job=True),
    "replicate": Predicted(
        f"/replicate/v1/models/{MODEL}/predictions",
        lambda seed, steps: {"input": parameters(seed, steps) | {"image": DATA_URI}},
        is_job=True,
    ),
}


def load(
    server: Contender, spoken: Spoken, seconds: float, steps: int, seeds: Callable[[], int]
) -> Figure:
    """Ask from 8 clients at once, for so many seconds."""
    times: list[float] = []
    begun, computed = time.perf_counter(), server.computed()

    def client() -> None:
        connection = connected(server.port)
        while time.perf_counter() < begun + seconds:
            at = time.perf_counter()
            spoken.ask(connection, seeds(), steps)
            times.append(time.perf_counter() - at)
        hang_up()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    cpu = (server.computed() - computed) / max(1, len(times))
    return Figure(len(times) / took, tuple(sorted(times)), cpu)


def known(server: Contender, steps: int, count: int) -> dict[str, float]:
    """Return the median milliseconds of a request whose result is known, by dialect."""
    connection, seed = connected(server.port), 10**9
    times: dict[str, list[float]] = {name: [] for name in SPOKEN}
    for number in range(count + 1):
        for name, spoken in SPOKEN.items():
            if spoken.is_job and number > KNOWN_JOBS:
                continue
            at = time.perf_counter()
            spoken.ask(connection, seed, steps)
            if number:
                times[name].append((time.perf_counter() - at) * 1000)
    hang_up()
    return {name: statistics.median(found) for name, found in times.items()}


def first_partial(server: Contender, steps: int, seed: int) -> tuple[float, float]:
    """Return the seconds to the first partial image of a stream, and to its end."""
    connection = connected(server.port)
    body = {**parameters(seed, steps), "model": MODEL, "stream": True, "partial_images": 3}
    at = time.perf_counter()
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/images/generations", json.dumps(body).encode(), headers)
    response, first = connection.getresponse(), 0.0
    while line := response.readline():
        if not first and line.startswith(b"event: image_generation.partial_image"):
            first = time.perf_counter() - at
    return first, time.perf_counter() - at


def measure(options: argparse.Namespace, folder: Path) -> None:
    port, seeds = free_port(), count()
    allowed = {"NODETOOL_SERVE_CLIENT_WORKFLOWS": "true"}
    server = Contender(OURS, our_command(folder, port), "", port, folder, allowed)
    numbers, lock = iter(seeds), threading.Lock()

    def seed() -> int:
        with lock:
            return next(numbers)

    try:
        server.path = f"/models/{MODEL}"
        server.wait(json.dumps({"inputs": DATA_URI}).encode())
        upload(port)
        rates: dict[str, list[tuple[Figure, float]]] = {name: [] for name in SPOKEN}
        with closing(Loop(options.steps)) as loop:
            loop.run(0.1)
            for _ in range(options.rounds):
                before = loop.run(options.seconds / 2)
                for name, spoken in SPOKEN.items():
                    figure = load(server, spoken, options.seconds, options.steps, seed)
                    after = loop.run(options.seconds / 2)
                    bare = statistics.mean((before.rate, after.rate))
                    rates[name].append((figure, figure.rate / bare))
                    before = after
        show(rates, known(server, options.steps, options.known))
        partial = [first_partial(server, 20, seed()) for _ in range(5)]
        first, whole = (statistics.median(part) * 1000 for part in zip(*partial, strict=True))
        print(f"\nfirst partial image of 20 steps: {first:.0f} ms, the whole: {whole:.0f} ms")
    finally:
        server.close()


def show(rates: Mapping[str, list[tuple[Figure, float]]], times: Mapping[str, float]) -> None:
    own = statistics.median(figure.rate for figure, _ in rates[OWN])
    head = (
        "dialect",
        f"requests/s, {CLIENTS} clients",
        "of the bare loop",
        "of our own API",
        "CPU ms a request",
        "known, ms",
        "known, ms over ours",
    )
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, found in rates.items():
        rate = statistics.median(figure.rate for figure, _ in found)
        share = statistics.median(share for _, share in found)
        cpu = statistics.median(figure.cpu for figure, _ in found) * 1000
        print(
            f"| {name} | {rate:.2f} | {share:.1%} | {rate / own:.1%} | {cpu:.1f} |"
            f" {times[name]:.1f} | {times[name] - times[OWN]:+.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each is asked")
    parser.add_argument("--steps", type=int, default=4, help="steps of the denoising loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--known", type=int, default=200, help="requests whose result is known, of each dialect"
    )
    options = parser.parse_args()
    print("load of the machine:", *(f"{value:.1f}" for value in os.getloadavg()))
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))
    print("load of the machine:", *(f"{value:.1f}" for value in os.getloadavg()))


if __name__ == "__main__":
    main()
