"""
As much of the Hugging Face Hub as fetching a model needs, on this machine.

Answers what huggingface_hub 2 asks: the facts of a repository at a revision, its tree, the head and
content of a file.
"""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer:
    """
    A Hub with repositories by name: path in the repository to content.

    `refusals` maps names to a status and error code.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.commits: dict[str, str] = {}
        """What the branch `main` of a repository is at, where that is not COMMIT."""
        self.fetched: list[str] = []
        """Paths whose content was asked for."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self)

            do_HEAD = do_GET  # noqa: N815 - named by http.server

            def log_message(self, *arguments: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer nobody from now on."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if not self._thread.is_alive():
            # Stopped; connections that are kept alive have threads of their own.
            request.close_connection = True
            return None
        path = unquote(urlsplit(request.path).path).strip("/")
        is_api = path.startswith("api/models/")
        parts = path.removeprefix("api/models/").split("/")
        repo_id, rest = "/".join(parts[:2]), parts[2:]
        if repo_id in self.refusals or repo_id not in self.repositories:
            status, code = self.refusals.get(repo_id, (404, "RepoNotFound"))
            return _send(request, status, b"{}", {"X-Error-Code": code, "X-Error-Message": code})
        files, commit = self.repositories[repo_id], self.commits.get(repo_id, COMMIT)
        if (
            len(rest) > 1
            and rest[0] in ("revision", "tree", "resolve")
            and rest[1] not in ("main", commit)
        ):
            return _send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if is_api and rest[:1] == ["tree"]:
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": _etag(name, content)}
                for name, content in files.items()
            ]
            return _send(request, 200, json.dumps(tree).encode())
        if is_api:
            facts = {
                "id": repo_id,
                "sha": commit,
                "siblings": [{"rfilename": name} for name in files],
            }
            return _send(request, 200, json.dumps(facts).encode())
        content = files["/".join(rest[2:])]
        if request.command == "GET":
            self.fetched.append("/".join(rest[2:]))
        return _send(
            request,
            200,
            content,
            {"ETag": f'"{_etag("/".join(rest[2:]), content)}"', "X-Repo-Commit": commit},
        )


def _etag(name: str, content: bytes) -> str:
    """Return the hash by which the Hub knows a file: SHA-256 of weights, git's of the rest."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(
        f"blob {len(content)}\0".encode() + content, usedforsecurity=False
    ).hexdigest()


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    content: bytes,
    headers: dict[str, str] | None = None,
) -> None:
    request.send_response(status)
    for name, value in {
        "Content-Length": str(len(content)),
        "Content-Type": "application/json",
        **(headers or {}),
    }.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(content)
