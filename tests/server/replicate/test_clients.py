"""Replicate's own clients as judges: unmodified, with nothing but the address."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server import nodes
from tests.server.live import LiveServer, opened, png
from tests.server.replicate.conftest import predict
from tests.server.replicate.test_webhooks import SECONDS, Receiver
from tests.server.test_clients import HERE, INSTALLED, needs_javascript

needs_python = pytest.mark.skipif(
    not (INSTALLED / "replicate").is_dir(),
    reason="needs replicate: see tests/server/clients/install.sh",
)
needs_npm = pytest.mark.skipif(
    not (INSTALLED / "node_modules" / "replicate").is_dir(),
    reason="needs the replicate SDK of npm: see tests/server/clients/install.sh",
)
PYTHON = str(INSTALLED / "replicate" / "bin" / "python")


def said(command: list[str], stdin: str | None = None) -> Any:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pixels(texts: list[str]) -> list[Any]:
    return [opened(base64.b64decode(text)).convert("RGB").getpixel((0, 0)) for text in texts]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png())
    return path


def check(found: dict[str, Any]) -> None:
    """See to what both clients say alike."""
    assert found["pages"] >= 5
    assert "failed on this request" in str(found["failures"][0])
    assert "404" in str(found["failures"][1]) and "nothing" in str(found["failures"][1])
    assert {"nodetool/draw", "sub/broken", "a/b%2Fdeep%20one"} <= set(found["models"])
    assert found["versions"] == 1
    assert found["secret"].startswith("whsec_")
    assert found["events"] == ["logs", "output", "done"]


@needs_python
@pytest.mark.slow
def test_the_python_sdk(server: LiveServer, photo: Path) -> None:
    script = str(HERE / "replicate_client.py")
    found = said([PYTHON, script, f"{server.url}/replicate", str(photo)])
    blue = (96, 144, 192)
    assert pixels(found["images"]) == [
        *[(4, 0, 0), (7, 0, 4), (1, 0, 4), (3, 0, 0), (2, 0, 0)],
        *[blue, blue, (5, 0, 0)],
    ]
    assert found["inputs"] == ["prompt", "width", "height", "num_outputs"]
    assert found["deployed"] == "succeeded"
    assert found["running"] in ("canceled", "succeeded")
    assert found["progress"] == [1.0, 4, 4]
    assert found["of_one"] == ["logs", "output", "done"]
    assert found["files"] == [True, True, True, "photo.png", {"of": "me"}]
    assert [kind for kind, _ in found["failures"]] == ["ModelError", "ReplicateError"]
    check(found)


@needs_javascript
@needs_npm
@pytest.mark.slow
def test_the_npm_sdk(server: LiveServer, photo: Path) -> None:
    script = str(HERE / "replicate.mjs")
    found = said(["node", script, str(INSTALLED), f"{server.url}/replicate/v1", str(photo)])
    assert pixels(found["images"]) == [(4, 0, 0), (7, 0, 4), (2, 0, 0), (3, 0, 0), (1, 0, 4)]
    assert found["done"] == "succeeded"
    assert found["cancelled"] in ("canceled", "succeeded")
    assert found["uploaded"]["metadata"] == {"of": "me"}
    assert found["uploaded"]["id"] in found["files"] and found["deleted"] is True
    assert found["progress"] == {"percentage": 1, "current": 4, "total": 4}
    check(found)


VALIDATE = """
import json, sys
from replicate.webhook import Webhooks, WebhookSigningSecret
given = json.load(sys.stdin)
secret = WebhookSigningSecret(key=given["secret"])
Webhooks.validate(headers=given["headers"], body=given["body"], secret=secret, tolerance=300)
print(json.dumps("valid"))
"""


@needs_python
@pytest.mark.slow
def test_the_python_sdk_takes_a_webhook_for_valid(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, webhook_hosts="127.0.0.1", token="right-token-of-all")
    with Receiver() as receiver, live.client(Authorization="Bearer right-token-of-all") as client:
        secret = client.get("/replicate/v1/webhooks/default/secret").json()["key"]
        predict(client, "nodetool/draw", {"prompt": "x"}, webhook=receiver.url)
        headers, body = receiver.came.get(timeout=SECONDS)
    given = {"secret": secret, "headers": headers, "body": body.decode()}
    assert said([PYTHON, "-c", VALIDATE], json.dumps(given)) == "valid"
