"""Other clients of the OpenAI Images API as judges: unmodified, with nothing but the address."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.live import LiveServer, opened, png
from tests.server.test_clients import HERE, INSTALLED, needs_javascript

needs_langchain = pytest.mark.skipif(
    not (INSTALLED / "langchain").is_dir(),
    reason="needs LangChain: see tests/server/clients/install.sh",
)
needs_npm_openai = pytest.mark.skipif(
    not (INSTALLED / "node_modules" / "openai").is_dir(),
    reason="needs the openai SDK of npm: see tests/server/clients/install.sh",
)


def image_of(text: str) -> Any:
    return opened(base64.b64decode(text))


@needs_javascript
@needs_npm_openai
@pytest.mark.slow
def test_the_npm_sdk(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(png())
    command = ["node", str(HERE / "openai.mjs"), str(INSTALLED), f"{server.url}/v1"]
    done = subprocess.run(
        [*command, str(tmp_path / "photo.png")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    said = json.loads(done.stdout)
    assert [image_of(text).getpixel((5, 5))[0] for text in said["made"]] == [7, 8]
    assert image_of(said["edited"]).getpixel((0, 0)) == (7, 0, 4)
    assert image_of(said["several"]).getpixel((0, 0))[0] == 2
    assert image_of(said["varied"]).size == (32, 24)
    partial, completed = "image_generation.partial_image", "image_generation.completed"
    assert said["events"] == [partial, partial, completed]
    assert {"sketch", "paint", "gpt-image-1"} <= set(said["models"])
    assert (said["refused"]["status"], said["refused"]["code"]) == (404, "model_not_found")
    assert "nothing" in said["refused"]["message"]


LANGCHAIN = """
import sys
from langchain_community.utilities.dalle_image_generator import DallEAPIWrapper
wrapper = DallEAPIWrapper(base_url=sys.argv[1], api_key="test-token", n=2)
print(wrapper.run("a lake"))
"""


@needs_langchain
@pytest.mark.slow
def test_langchain(server: LiveServer) -> None:
    """It names dall-e-2, sends no response_format, and reads the addresses."""
    python = str(INSTALLED / "langchain" / "bin" / "python")
    done = subprocess.run(
        [python, "-c", LANGCHAIN, f"{server.url}/v1"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    urls = done.stdout.split()
    assert len(urls) == 2 and len(set(urls)) == 2
    for url in urls:
        assert opened(httpx2.get(url, trust_env=False).content).size == (1024, 1024)


def test_open_webui(server: LiveServer) -> None:
    """
    Ask as Open WebUI does, through aiohttp.

    JSON with every field set, and a form with `image` for one and `image[]` for several, each with
    a name and the type that was guessed for it.
    """
    import aiohttp

    headers = {"Authorization": "Bearer any", "Content-Type": "application/json"}
    body = {
        "model": "sketch",
        "prompt": "a lake",
        "n": 1,
        "size": "512x512",
        "response_format": "b64_json",
        "seed": 7,
    }

    def form(count: int) -> aiohttp.FormData:
        data = aiohttp.FormData()
        for name, value in {"model": "collage", "prompt": "x", "n": "1", "size": "auto"}.items():
            data.add_field(name, value)
        for _ in range(count):
            name = "image" if count == 1 else "image[]"
            data.add_field(name, png(), filename="image.png", content_type="image/png")
        return data

    async def ask() -> list[dict[str, Any]]:
        found = []
        async with aiohttp.ClientSession() as session:
            url = f"{server.url}/v1/images/generations"
            async with session.post(url, json=body, headers=headers) as response:
                found.append(await response.json())
            for count in (1, 2):
                url = f"{server.url}/v1/images/edits?api-version=2025-04-01-preview"
                async with session.post(
                    url, data=form(count), headers={"api-key": "any"}
                ) as response:
                    found.append(await response.json())
        return found

    made, one, two = asyncio.run(ask())
    assert made["data"][0].keys() == {"b64_json"}
    assert image_of(made["data"][0]["b64_json"]).size == (512, 512)
    assert [image_of(answer["data"][0]["b64_json"]).getpixel((0, 0))[0] for answer in (one, two)]
    assert image_of(two["data"][0]["b64_json"]).getpixel((0, 0))[0] == 2


def test_librechat(server: LiveServer) -> None:
    """Ask as LibreChat does: gpt-image-1 whatever is served, no response_format, and base64."""
    body = {
        "model": "gpt-image-1",
        "prompt": "a lake",
        "n": 1,
        "size": "auto",
        "quality": "auto",
        "background": "auto",
        "output_format": "png",
        "user": "someone",
    }
    given = {"model": "gpt-image-1", "prompt": "x", "n": "1", "quality": "auto", "size": "auto"}
    with server.client(Authorization="Bearer any") as client:
        made = client.post("/v1/images/generations", json=body).json()
        files = [("image[]", ("image_0.png", png(), "image/png"))]
        edited = client.post("/v1/images/edits", data=given, files=files).json()
    assert made["data"][0].keys() == edited["data"][0].keys() == {"b64_json"}
    assert image_of(edited["data"][0]["b64_json"]).size == (32, 24)
