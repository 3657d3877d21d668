"""Clients of ComfyUI's API as judges: unmodified, with nothing but the address and the token."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import httpx2
import pytest
from websockets.sync.client import connect

from nodetool_core.server.app import DIALECTS
from nodetool_core.server.comfyui.samples import samples_of
from tests.server import nodes
from tests.server.comfyui.conftest import TINY, broken, colour, ended, images_of, lake
from tests.server.live import LiveServer, opened, png
from tests.server.test_clients import INSTALLED

TOKEN = "token-of-the-clients"

needs_simplified = pytest.mark.skipif(
    not (INSTALLED / "comfy").is_dir(),
    reason="needs comfy_api_simplified: see tests/server/clients/install.sh",
)

SIMPLIFIED = """
import json
import sys
from pathlib import Path

from comfy_api_simplified import ComfyApiError, ComfyApiWrapper, ComfyWorkflowWrapper

url, token, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
api = ComfyApiWrapper(url, user="any" if token else "", password=token)
graph = ComfyWorkflowWrapper(folder / "lake.json")
graph.set_node_param("Sampler", "steps", 4)
said = {"made": [], "stats": api.get_system_stats(), "embeddings": api.get_embeddings()}
for _ in range(2):
    made = api.queue_and_wait_images(graph, "Save Image")
    said["made"].append({name: len(content) for name, content in made.items()})
(name, content), = made.items()
(folder / "made.png").write_bytes(content)
uploaded = api.upload_image(folder / "photo.png")
said["uploaded"] = uploaded
load = ComfyWorkflowWrapper(folder / "load.json")
load.set_node_param("Load Image", "image", f"{uploaded['subfolder']}/{uploaded['name']}")
(_, content), = api.queue_and_wait_images(load, "Save Image").items()
(folder / "inverted.png").write_bytes(content)
try:
    api.queue_and_wait_images(ComfyWorkflowWrapper(folder / "broken.json"), "Save Image")
except (ComfyApiError, KeyError) as error:
    said["failed"] = type(error).__name__
graph.set_node_param("Sampler", "steps", 0)
try:
    api.queue_prompt(graph)
except ComfyApiError as error:
    said["refused"] = str(error)
said["queue"] = api.get_queue()
said["sampler"] = list(api.get_object_info("KSampler"))
api.interrupt()
print(json.dumps(said))
"""


def written(folder: Path) -> None:
    """Write the graphs that the client reads from files, by titles of their nodes."""
    graph = lake(seed=60)
    graph["5"]["_meta"] = {"title": "Sampler"}
    load = {
        "1": {
            "class_type": "LoadImage",
            "inputs": {"image": ""},
            "_meta": {"title": "Load Image"},
        },
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": "ComfyUI"},
            "_meta": {"title": "Save Image"},
        },
    }
    for name, content in {"lake": graph, "load": load, "broken": broken()}.items():
        # The client reads the title of every node.
        for number, node in content.items():
            node.setdefault("_meta", {"title": number})
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "photo.png").write_bytes(png(8, 8, (250, 240, 230)))


@pytest.mark.parametrize("task", ["text-to-image", "image-to-image"])
def test_the_sample_of_a_model(
    server: LiveServer, client: httpx2.Client, tmp_path: Path, task: str
) -> None:
    (tmp_path / "lake.png").write_bytes(png(64, 64))
    samples = samples_of(server.state)
    text = samples.sample(server.url, server.state.catalog.models[TINY][task])  # type: ignore[index]
    smaller = text.replace("512", "64").replace('"steps": 20', '"steps": 2')
    run = ["bash", "-ec", smaller.replace("curl ", "curl -sS ")]
    said = subprocess.run(run, capture_output=True, cwd=tmp_path, timeout=60, check=True).stdout
    (prompt_id,) = re.findall(r'"prompt_id":"([^"]+)"', said.decode())
    (image,) = images_of(client, ended(server, client, prompt_id), "7")
    assert opened(image).size == ((64, 64) if task == "text-to-image" else (128, 128))


def test_a_model_has_a_sample_of_each_task_in_every_dialect(server: LiveServer) -> None:
    """What its node takes besides, such as an image to be like, is no reason to leave one out."""
    for name in ("nodetool", "openai", "a1111", "huggingface", "comfyui", "replicate", "mcp"):
        samples = DIALECTS[name](server.state).samples  # type: ignore[index]
        for served in server.state.catalog.models[TINY].values():
            assert server.url in samples.sample(server.url, served), (name, served.task)


def test_workflows_that_no_graph_can_name_have_no_sample(server: LiveServer) -> None:
    assert samples_of(server.state).sample(server.url, server.state.catalog.workflow("paint")) == ""


def test_the_sample_says_who_allows_graphs(tmp_path: Path) -> None:
    with LiveServer(tmp_path, {"paint": nodes.paint()}, nodes=nodes.NODES) as live:
        assert "client_workflows" in samples_of(live.state).guide(live.url)


@needs_simplified
@pytest.mark.slow
@pytest.mark.parametrize("token", ["", TOKEN], ids=["open", "token"])
def test_comfy_api_simplified(
    serve_graphs: Callable[..., LiveServer], tmp_path: Path, token: str
) -> None:
    live = serve_graphs(models=(TINY,), **({"token": token} if token else {}))
    written(tmp_path)
    done = subprocess.run(
        [str(INSTALLED / "comfy" / "bin" / "python"), "-c", SIMPLIFIED, live.url, token, tmp_path],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    first, second = said["made"]
    assert len(first) == len(second) == 1 and [*first.values()] == [*second.values()]
    assert opened((tmp_path / "made.png").read_bytes()).size == (64, 64)
    assert said["uploaded"]["name"] == "photo.png"
    assert opened((tmp_path / "inverted.png").read_bytes()).getpixel((0, 0)) == (5, 15, 25)
    assert said["failed"] in ("ComfyApiError", "KeyError")
    assert "400" in said["refused"]
    assert said["queue"] == {"queue_running": [], "queue_pending": []}
    assert said["sampler"] == ["KSampler"] and said["embeddings"] == []
    assert said["stats"]["system"]["comfyui_version"]


def test_a_script_of_urllib_and_websockets(server: LiveServer) -> None:
    """As most scripts do: a socket first, bytes without a type, the history, each file."""
    address, client_id = f"127.0.0.1:{server.port}", "5f0c6ffd-b58c-45a9-8a24-1dd61a4e1b8e"

    def get(path: str) -> bytes:
        with urlopen(f"http://{address}{path}", timeout=30) as response:
            content: bytes = response.read()
            return content

    with connect(f"ws://{address}/ws?clientId={client_id}", open_timeout=30) as socket:
        body = json.dumps({"prompt": lake(seed=61), "client_id": client_id}).encode()
        with urlopen(Request(f"http://{address}/prompt", body), timeout=30) as response:
            prompt_id = json.load(response)["prompt_id"]
        while True:
            received = socket.recv(timeout=60)
            if isinstance(received, str):
                reported = json.loads(received)
                about = reported["data"]
                if reported["type"] == "executing" and about["node"] is None:
                    assert about["prompt_id"] == prompt_id
                    break
    history = json.loads(get(f"/history/{prompt_id}"))[prompt_id]
    images = [image for node in history["outputs"].values() for image in node["images"]]
    contents = [get(f"/view?{urlencode(image)}") for image in images]
    assert [opened(content).size for content in contents] == [(64, 64)]


def test_open_webui(serve_graphs: Callable[..., LiveServer]) -> None:
    """
    Ask as Open WebUI does, through aiohttp.

    The models first, a photo to /api, then a socket before the prompt, on which it waits without
    a limit, for an edit that works and one that does not.
    """
    import aiohttp

    live = serve_graphs(token=TOKEN, models=(TINY,))
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def ask() -> dict[str, Any]:
        found: dict[str, Any] = {}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{live.url}/object_info") as response:
                info = await response.json()
                loader = info["CheckpointLoaderSimple"]["input"]["required"]
                found["models"] = loader["ckpt_name"][0]
            form = aiohttp.FormData()
            form.add_field(
                "image", png(6, 6, (1, 2, 3)), filename="a.png", content_type="image/png"
            )
            form.add_field("type", "input")
            async with session.post(f"{live.url}/api/upload/image", data=form) as response:
                found["uploaded"] = await response.json()
            graph = {
                "1": {"class_type": "LoadImage", "inputs": {"image": found["uploaded"]["name"]}},
                "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
            }
            for name, prompt in {"edit": graph, "broken": broken()}.items():
                url = f"{live.url.replace('http', 'ws')}/ws?clientId={name}"
                async with session.ws_connect(url) as socket:
                    body = {"prompt": prompt, "client_id": name}
                    async with session.post(f"{live.url}/prompt", json=body) as response:
                        prompt_id = (await response.json())["prompt_id"]
                    async for message in socket:
                        reported = json.loads(message.data)
                        about = reported["data"]
                        if reported["type"] == "executing" and about["node"] is None:
                            break
                async with session.get(f"{live.url}/history/{prompt_id}") as response:
                    found[name] = (await response.json())[prompt_id]
            (image,) = found["edit"]["outputs"]["2"]["images"]
            async with session.get(f"{live.url}/view", params=image) as response:
                found["image"] = await response.read()
        return found

    found = asyncio.run(asyncio.wait_for(ask(), 120))
    assert found["models"] == [TINY]
    assert opened(found["image"]).getpixel((0, 0)) == (1, 2, 3)
    assert found["broken"]["status"]["status_str"] == "error"


def test_sillytavern(server: LiveServer, client: httpx2.Client) -> None:
    """It pings, reads lists of names, and looks at the whole history until its prompt is there."""
    assert client.get("/system_stats").is_success
    info = client.get("/object_info").json()
    required = info["KSampler"]["input"]["required"]
    assert required["sampler_name"][0] and required["scheduler"][0]
    assert isinstance(info["VAELoader"]["input"]["required"]["vae_name"][0], list)
    body = {"client_id": "st", "prompt": lake(seed=62)}
    prompt_id = client.post("/prompt", json=body).json()["prompt_id"]
    until, looks = time.monotonic() + 60, 0
    while (entry := client.get("/history").json().get(prompt_id)) is None:
        assert time.monotonic() < until
        looks += 1
    (image,) = next(iter(entry["outputs"].values()))["images"]
    assert opened(client.get("/view", params=image).content).size == (64, 64)
    refused = client.post("/prompt", json={"client_id": "st", "prompt": colour(width=0)})
    assert refused.status_code == 400 and "width" in refused.text
