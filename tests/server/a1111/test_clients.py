"""Clients of the web UI as judges: with nothing but the address, and as they were seen to ask."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.server.a1111.conftest import PREFIX, live_server
from tests.server.live import LiveServer, opened
from tests.server.openai.conftest import TINY
from tests.server.test_clients import HERE, INSTALLED

needs_webuiapi = pytest.mark.skipif(
    not (INSTALLED / "webui").is_dir(), reason="needs webuiapi: see tests/server/clients/install.sh"
)
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def image_of(text: str) -> Any:
    return opened(base64.b64decode(text))


@needs_webuiapi
@pytest.mark.slow
def test_webuiapi(tmp_path: Path) -> None:
    python = str(INSTALLED / "webui" / "bin" / "python")
    with live_server(tmp_path, token="right-token") as live:
        command = [python, str(HERE / "webui.py"), live.url, "somebody", "right-token"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["before"], said["after"]) == (TINY, "sketch")
    assert {TINY, "sketch", "paint"} <= set(said["models"])
    assert "Euler a" in said["samplers"] and "karras" in said["schedulers"]
    assert [image_of(text).getpixel((5, 5)) for text in said["made"]] == [(7, 5, 0), (8, 5, 0)]
    assert said["info"]["all_seeds"] == [7, 8]
    assert said["written"] == said["info"]["infotexts"][0]
    edited = image_of(said["edited"])
    assert [edited.getpixel((x, 32)) for x in (2, 60)] == [(255, 255, 255), (96, 144, 192)]
    assert (image_of(said["real"]).size, image_of(said["large"]).size) == ((128, 128), (128, 128))
    assert image_of(said["second"]).size == (192, 192)
    last = said["second_info"]["infotexts"][0].split("\n").pop()
    assert (
        "Clip skip: 2" in last and "Hires upscale: 1.5" in last and "Hires upscaler: Latent" in last
    )
    assert said["several"] == [[128, 128], [128, 128]]
    assert said["progress"]["progress"] == 0.0 and said["ended"] == [{}, {}]
    (unknown, _), (wrong, text) = said["refused"]
    assert (unknown, wrong) == (404, 422) and json.loads(text)["detail"][0]["loc"] == [
        "body",
        "steps",
    ]


@needs_curl
def test_librechat(tmp_path: Path) -> None:
    """It sends five fields, reads the image up to a comma, and the last line of the infotext."""
    with live_server(tmp_path, models=()) as live:
        curl(live, "options", json.dumps({"sd_model_checkpoint": "sketch"}))
        body = {"prompt": "a lake", "negative_prompt": "people", "cfg_scale": 4.5, "steps": 12}
        answer = curl(live, "txt2img", json.dumps(body | {"width": 1024, "height": 1024}))
    image = image_of(answer["images"][0].split(",", 1)[0])
    info = json.loads(answer["info"])
    assert (info["width"], info["height"]) == image.size
    assert isinstance(info["seed"], int)
    assert "Steps: 12" in info["infotexts"][0].split("\n").pop()


@needs_curl
def test_open_webui_by_curl(server: LiveServer) -> None:
    """Its three calls: the options, the checkpoints, and images with `batch_size`."""
    assert curl(server, "options")["sd_model_checkpoint"]
    listed = [(one["title"], one["model_name"]) for one in curl(server, "sd-models")]
    assert (TINY, TINY) in listed
    body = {"prompt": "x", "batch_size": 2, "width": 128, "height": 128, "steps": 1}
    assert len(curl(server, "txt2img", json.dumps(body))["images"]) == 2


def curl(live: LiveServer, path: str, body: str | None = None) -> Any:
    command = ["curl", "-sSf", "-u", "user:", f"{live.url}{PREFIX}/{path}"]
    command += ["-H", "Content-Type: application/json", "-d", body] if body else []
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def test_open_webui_sets_a_model(server: LiveServer) -> None:
    """Through aiohttp: it sends all options back with another checkpoint among them."""
    import aiohttp

    headers = {"authorization": "Basic " + base64.b64encode(b"user:pass").decode()}

    async def ask() -> list[Any]:
        url = f"{server.url}{PREFIX}/options"
        async with aiohttp.ClientSession() as session:
            async with session.get(url, headers=headers) as response:
                options = await response.json()
            before = options["sd_model_checkpoint"]
            found = []
            for title in ("sketch", before):
                body = options | {"sd_model_checkpoint": title}
                async with session.post(url, json=body, headers=headers) as response:
                    response.raise_for_status()
                async with session.get(url, headers=headers) as response:
                    found.append((await response.json())["sd_model_checkpoint"])
            return [before, *found]

    before, changed, back = asyncio.run(ask())
    assert (changed, back) == ("sketch", before)


SILLY_TAVERN = {
    "url": "http://studio.lan:7860",
    "auth": "user:a-secret",
    "prompt": "a lake",
    "negative_prompt": "people",
    "sampler_name": "Euler a",
    "scheduler": "karras",
    "steps": 20,
    "cfg_scale": 7,
    "width": 128,
    "height": 128,
    "restore_faces": False,
    "enable_hr": False,
    "hr_upscaler": "Latent",
    "hr_scale": 1.0,
    "denoising_strength": 0.7,
    "hr_second_pass_steps": 0,
    "override_settings": {"CLIP_stop_at_last_layers": 1},
    "override_settings_restore_afterwards": True,
    "clip_skip": 1,
    "save_images": True,
    "send_images": True,
    "do_not_save_grid": False,
    "do_not_save_samples": False,
}


def test_sillytavern(server: LiveServer, caplog: pytest.LogCaptureFixture) -> None:
    """It asks for the lists one by one, waits for the model, and sends its whole form."""
    with server.client(Authorization="Basic Og==") as client:
        for path in ("options", "upscalers", "latent-upscale-modes", "sd-vae", "schedulers"):
            assert client.get(f"{PREFIX}/{path}").status_code == 200
        for path, key in (("samplers", "name"), ("sd-models", "title")):
            assert all(one[key] for one in client.get(f"{PREFIX}/{path}").json())
        assert client.post(f"{PREFIX}/options", json={"sd_model_checkpoint": TINY}).is_success
        state = client.get(f"{PREFIX}/progress").json()
        assert state["progress"] == 0.0 and state["state"]["job_count"] == 0
        answer = client.post(f"{PREFIX}/txt2img", json=SILLY_TAVERN)
    assert image_of(answer.json()["images"][0]).size == (128, 128)
    assert "a-secret" not in answer.text + caplog.text


def test_a_route_for_every_path_of_the_contract(server: LiveServer) -> None:
    with server.client() as client:
        paths = client.get("/v1/openapi.json").json()["paths"]
    wanted = "txt2img img2img options progress interrupt skip sd-models samplers schedulers "
    wanted += "upscalers latent-upscale-modes sd-vae loras embeddings scripts cmd-flags memory "
    wanted += "png-info extra-single-image"
    assert {f"{PREFIX}/{path}" for path in wanted.split()} <= paths.keys()
