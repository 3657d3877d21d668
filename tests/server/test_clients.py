"""
The clients themselves as judges.

They get images from this server with nothing changed but the address.

An old huggingface_hub and the JavaScript client are taken from the folder that NODETOOL_CLIENTS
names; clients/install.sh fills it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, InferenceTimeoutError
from PIL import Image

from tests.server import nodes
from tests.server.live import LiveServer, opened, png

HERE = Path(__file__).parent / "clients"
INSTALLED = Path(os.environ.get("NODETOOL_CLIENTS", HERE / "installed"))
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_javascript = pytest.mark.skipif(
    shutil.which("node") is None or not (INSTALLED / "node_modules").is_dir(),
    reason="needs Node.js and the JavaScript client: see tests/server/clients/install.sh",
)
needs_old_hub = pytest.mark.skipif(
    not (INSTALLED / "old_hub").is_dir(),
    reason="needs an old huggingface_hub: see tests/server/clients/install.sh",
)


def pixel(image: Image.Image) -> Any:
    return image.convert("RGB").getpixel((0, 0))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png())
    return path


@pytest.fixture
def hub(server: LiveServer) -> InferenceClient:
    return InferenceClient(base_url=f"{server.url}/models/paint", api_key="test-token")


def test_bytes_and_a_path(hub: InferenceClient, photo: Path) -> None:
    assert hub.image_to_image(png()).size == (32, 24)
    assert hub.image_to_image(str(photo)).size == (32, 24)
    assert hub.image_to_image(photo).size == (32, 24)


def test_all_that_the_client_can_say(hub: InferenceClient) -> None:
    made = hub.image_to_image(
        png(),
        prompt="ten chars!",
        negative_prompt="xy",
        num_inference_steps=9,
        guidance_scale=3.0,
        target_size={"width": 20, "height": 10},  # type: ignore[arg-type]
        strength=0.5,
        seed=3,
        extra_body={"seed": 4},
    )
    assert pixel(made) == (10, 2, 9)
    assert made.size == (32, 24)


def test_prompts_that_are_empty_or_lists(hub: InferenceClient) -> None:
    assert pixel(hub.image_to_image(png(), prompt=""))[0] == 0
    assert pixel(hub.image_to_image(png(), negative_prompt=["ab", "c"]))[1] == 5  # type: ignore[arg-type]


def test_text_to_image(server: LiveServer) -> None:
    client = InferenceClient(model=f"{server.url}/models/draw", api_key="test-token")
    made = client.text_to_image("cat", width=8, height=9)
    assert (made.size, pixel(made)) == ((8, 9), (3, 0, 0))


def test_errors_show_what_is_wrong(hub: InferenceClient) -> None:
    with pytest.raises(BadRequestError, match="no image that can be read"):
        hub.image_to_image(b"no image")
    with pytest.raises(HfHubHTTPError, match="num_inference_steps") as refused:
        hub.image_to_image(png(), num_inference_steps="many")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 422
    assert refused.value.request_id
    with pytest.raises(HfHubHTTPError, match="finite"):
        hub.image_to_image(png(), guidance_scale=float("nan"))


def test_custom_headers_reach_the_server(server: LiveServer) -> None:
    url = f"{server.url}/models/paint"
    cached = InferenceClient(base_url=url, api_key="x")
    fresh = InferenceClient(base_url=url, api_key="x", headers={"x-use-cache": "false"})
    one = cached.image_to_image(png(40), prompt="h").tobytes()
    assert (
        one
        == cached.image_to_image(png(40), prompt="h").tobytes()
        != fresh.image_to_image(png(40), prompt="h").tobytes()
    )


def test_health_and_info(server: LiveServer) -> None:
    hub = InferenceClient(provider="hf-inference", api_key="test-token")
    assert hub.health_check(model=f"{server.url}/models/paint")
    assert not hub.health_check(model=f"{server.url}/models/nothing")
    assert hub.get_endpoint_info(model=f"{server.url}/models/paint")["model_id"] == "paint"


def test_a_token_that_is_needed(serve: Callable[..., LiveServer]) -> None:
    url = f"{serve(token='right-token').url}/models/paint"
    assert InferenceClient(base_url=url, api_key="right-token").image_to_image(png()).size == (
        32,
        24,
    )
    with pytest.raises(HfHubHTTPError, match="token") as refused:
        InferenceClient(base_url=url, api_key="wrong").image_to_image(png())
    assert refused.value.response.status_code == 401


def test_a_timeout_of_the_client(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("hub")})
    with pytest.raises(InferenceTimeoutError):
        InferenceClient(
            base_url=f"{live.url}/models/wait", api_key="x", timeout=0.5
        ).image_to_image(png())
    assert nodes.DOORS["hub"].left.acquire(timeout=20)


def test_many_at_once_through_the_async_client(server: LiveServer) -> None:
    async def ask() -> list[Any]:
        async with AsyncInferenceClient(
            base_url=f"{server.url}/models/paint", api_key="x"
        ) as client:
            made = await asyncio.gather(
                *(client.image_to_image(png(), prompt="x" * number) for number in range(16))
            )
            with pytest.raises(HfHubHTTPError, match="finite"):
                await client.image_to_image(png(), guidance_scale=float("inf"))
            return [pixel(image)[0] for image in made]

    assert asyncio.run(ask()) == list(range(16))


def test_a_model_by_its_id(serve: Callable[..., LiveServer]) -> None:
    live = serve({}, models=("nodetool/tiny-landscapes",))
    client = InferenceClient(
        base_url=f"{live.url}/models/nodetool/tiny-landscapes",
        api_key="x",
        headers={"x-wait-for-model": "true"},
    )
    made = client.image_to_image(
        png(128, 128), prompt="a lake at night", num_inference_steps=2, strength=1.0, seed=1
    )
    again = client.image_to_image(
        png(128, 128), prompt="a lake at night", num_inference_steps=2, strength=1.0, seed=1
    )
    sized = client.image_to_image(
        png(128, 128),
        num_inference_steps=1,
        strength=1.0,
        target_size={"width": 128, "height": 160},
    )  # type: ignore[arg-type]
    assert made.size == (128, 128)
    assert made.tobytes() == again.tobytes()
    assert sized.size == (128, 160)
    with pytest.raises(HfHubHTTPError, match="num_inference_steps") as refused:
        client.image_to_image(png(128, 128), num_inference_steps=0)
    assert refused.value.response.status_code == 422


@needs_curl
def test_curl(server: LiveServer, photo: Path, tmp_path: Path) -> None:
    url, out = f"{server.url}/models/paint", tmp_path / "out.png"

    def curl(*arguments: str) -> str:
        out.unlink(missing_ok=True)
        command = [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--output",
            str(out),
            "--write-out",
            "%{http_code}",
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert curl(url, "--data-binary", f"@{photo}") == "200"
    assert opened(out.read_bytes()).size == (32, 24)
    assert (
        curl(url, "--upload-file", str(photo), "-X", "POST", "-H", "Transfer-Encoding: chunked")
        == "200"
    )
    body = tmp_path / "body.json"
    body.write_text(
        json.dumps({"inputs": base64.b64encode(png()).decode(), "parameters": {"prompt": "abc"}})
    )
    assert curl(url, "-H", "Content-Type: application/json", "-d", f"@{body}") == "200"
    assert pixel(opened(out.read_bytes()))[0] == 3
    large = tmp_path / "large.bin"
    large.write_bytes(b"\x89PNG" + bytes(4 * 2**20))
    assert curl(url, "--data-binary", f"@{large}") == "413"
    assert "larger" in json.loads(out.read_text())["error"]


@needs_javascript
@pytest.mark.slow
def test_the_javascript_client(server: LiveServer, photo: Path) -> None:
    def ask(model: str, what: str) -> dict[str, Any]:
        command = [
            "node",
            str(HERE / "client.mjs"),
            str(INSTALLED),
            f"{server.url}/models/{model}",
            what,
            str(photo),
        ]
        answer: dict[str, Any] = json.loads(
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        )
        return answer

    plain = ask("paint", "plain")
    assert plain["type"] == "image/png"
    assert opened(base64.b64decode(plain["content"])).size == (32, 24)
    assert pixel(opened(base64.b64decode(ask("paint", "parameters")["content"]))) == (4, 2, 6)
    assert opened(base64.b64decode(ask("draw", "text")["content"])).size == (16, 16)
    wrong = ask("paint", "wrong")
    assert wrong["status"] == 422
    assert "num_inference_steps" in wrong["error"]


OLD = """
import io, sys
from huggingface_hub import InferenceClient
client = InferenceClient(model=sys.argv[1], token="test-token")
made = client.image_to_image(open(sys.argv[2], "rb").read(), prompt="seven..",
    negative_prompt="n", num_inference_steps=3, width=20, height=10)
print(made.size, made.convert("RGB").getpixel((0, 0)))
print(client.image_to_image(open(sys.argv[2], "rb").read()).size)
try:
    client.image_to_image(b"no image")
except Exception as error:
    print("no image that can be read" in str(error))
"""


@needs_old_hub
@pytest.mark.slow
def test_an_old_release(server: LiveServer, photo: Path) -> None:
    command = [
        str(INSTALLED / "old_hub" / "bin" / "python"),
        "-c",
        OLD,
        f"{server.url}/models/paint",
        str(photo),
    ]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    assert said == ["(32, 24) (7, 1, 3)", "(32, 24)", "True"]
