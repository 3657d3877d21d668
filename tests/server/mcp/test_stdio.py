"""`nodetool mcp`: the Model Context Protocol over stdin and stdout, by the official SDKs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.stdio import stdio_client
from mcp_types import ResourceLink

from tests.server import nodes
from tests.server.live import opened, png
from tests.server.mcp.test_http import needs_npm_sdk
from tests.server.test_clients import HERE, INSTALLED, needs_javascript

ROOT = Path(__file__).parents[3]
PROGRAM = "from nodetool_core.cli import main; main()"


def command(folder: Path) -> StdioServerParameters:
    (folder / "graphs").mkdir(exist_ok=True)
    nodes.resize().save(folder / "graphs" / "resize.json")
    (folder / "open").mkdir(exist_ok=True)
    (folder / "open" / "photo.png").write_bytes(png())
    (folder / "closed.png").write_bytes(png())
    arguments = ["-c", PROGRAM, "mcp", "--data", str(folder / "data"), "--root", "open"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NODETOOL_CACHE_DIR": str(folder / "cache"),
        "NODETOOL_SERVE_PRELOAD": "false",
    }
    return StdioServerParameters(
        command=sys.executable, args=arguments, env=environment, cwd=folder
    )


async def look(client: Any, folder: Path) -> None:
    tools = (await client.list_tools()).tools
    assert "resize" in [tool.name for tool in tools]
    given = {"photo": "open/photo.png", "width": 20, "height": 10}
    small = await client.call_tool("resize", given)
    assert not small.is_error, small.content
    (link,) = (one for one in small.content if isinstance(one, ResourceLink))
    made = Path(unquote(urlsplit(link.uri).path))
    assert made.is_relative_to(folder / "data") and opened(made.read_bytes()).size == (20, 10)
    again = await client.call_tool("resize", {"photo": link.uri, "width": 5, "height": 5})
    assert not again.is_error, again.content
    for photo in ("closed.png", "open/../closed.png", "/etc/passwd", "file:///etc/passwd"):
        refused = await client.call_tool("resize", {"photo": photo})
        assert refused.is_error and "outside" in str(refused.content)
    gone = await client.call_tool("resize", {"photo": "open/nothing.png"})
    assert gone.is_error and "No such file" in str(gone.content)


@pytest.mark.slow
@pytest.mark.parametrize("era", ["modern", "older"])
def test_a_host_of_python(tmp_path: Path, era: str) -> None:
    async def host() -> None:
        if era == "modern":
            async with Client(command(tmp_path)) as client:
                await look(client, tmp_path)
            return
        async with (
            stdio_client(command(tmp_path)) as streams,
            ClientSession(streams[0], streams[1]) as session,
        ):
            await session.initialize()
            await look(session, tmp_path)

    asyncio.run(host())


@needs_javascript
@needs_npm_sdk
@pytest.mark.slow
def test_a_host_of_node(tmp_path: Path) -> None:
    started = command(tmp_path)
    given = json.dumps({"photo": "open/photo.png", "width": 20, "height": 10})
    script = [str(HERE / "mcp.mjs"), str(INSTALLED), "resize", given, "stdio"]
    script += [started.command, *started.args]
    done = subprocess.run(
        ["node", *script],
        capture_output=True,
        text=True,
        env=started.env,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "resize" in said["tools"] and said["unknown"] == -32602
    assert len(said["progress"]) >= 3
