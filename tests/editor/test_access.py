"""Who may do what: the owner, a client with a token, a stranger, and the page of another site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nodetool_core.server.app import create_app
from tests.editor.conftest import LiveEditor
from tests.server.routes import every_route
from tests.server.security.test_access import ANSWERED, REFUSED, filled, problem

TOKEN, OWNER_TOKEN = "token-of-a-client", "token-of-the-owner"
FREE = {"/", "/livez", "/readyz", "/editor", "/editor/paint", "/v1/session"}
"""Paths that a stranger is answered at: `/` only as a browser."""

FOR_ALL = {"/v1/status", "/v1/nodes", "/v1/events", "/v1/jobs/cancel", "/v1/problems/any"}
"""Addresses of the editor that clients have, too; all others are the owner's."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEditor]:
    """Return `nodetool serve` with a client's and an owner's token."""
    folder = tmp_path_factory.mktemp("served")
    with LiveEditor(folder, token=TOKEN, owner_token=OWNER_TOKEN) as live:
        yield live


def routes(live: LiveEditor) -> list[tuple[str, str]]:
    return sorted(set(every_route(create_app(live.state, live.routers, live.sessions))))


SIGNED = ("/results/", "/replicate/streams/")
"""Where addresses begin that are secrets themselves, and need no token."""


def signed_in(live: LiveEditor, token: str) -> httpx2.Client:
    given = {"token": token}
    answer = httpx2.post(f"{live.url}/v1/session", json=given, trust_env=False)
    assert answer.status_code == 204
    client = live.stranger()
    client.cookies.update(answer.cookies)
    return client


def ask(client: httpx2.Client, method: str, path: str, **more: Any) -> httpx2.Response:
    """Return the answer without reading a stream to its end."""
    with client.stream(method, path, **more) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
        return answer


def test_a_stranger_gets_the_page_and_nothing_else(served: LiveEditor) -> None:
    with served.stranger() as stranger:
        for method, path in routes(served):
            status = ask(stranger, method, path).status_code
            if path in FREE - {"/"}:
                assert status != 401 or path == "/v1/session", path
            elif not path.startswith(SIGNED):
                assert status == 401, (method, path)
        page = stranger.get("/", headers={"Accept": "text/html"}, follow_redirects=True)
        assert page.status_code == 200 and "<script" in page.text
        assert "blur" not in page.text, "what is served is no stranger's business"


def test_a_dialect_whose_package_is_missing_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra `serve` alone brings no `mcp`; `nodetool serve` starts without it."""
    monkeypatch.setattr("nodetool_core.server.app.find_spec", lambda name: None)
    with LiveEditor(tmp_path) as live, live.owner() as owner:
        names = {one["name"] for one in owner.get("/v1/status").json()["dialects"]}
    assert "huggingface" in names and "mcp" not in names


def test_a_client_is_refused_what_is_the_owners(served: LiveEditor) -> None:
    own = {path for _, path in every_route(create_app(served.state))}
    with signed_in(served, TOKEN) as client:
        assert client.get("/v1/status").json()["owner"] is False
        for method, path in routes(served):
            if path in own or path in FREE | FOR_ALL:
                continue
            answer = ask(client, method, path, json={})
            assert answer.status_code == 401 and problem(answer) == "unauthorized", (method, path)


@pytest.mark.parametrize("by", ["cookie", "header"])
def test_a_client_has_what_is_served(served: LiveEditor, by: str) -> None:
    with signed_in(served, TOKEN) if by == "cookie" else served.stranger() as client:
        if by == "header":
            client.headers["Authorization"] = f"Bearer {TOKEN}"
        names = [one["name"] for one in client.get("/v1/workflows").json()["workflows"]]
        assert names == ["blur"]
        body = {"inputs": {}, "wait": False, "previews": True}
        job = client.post("/v1/workflows/blur/runs", json=body).json()
        done = client.get(f"/v1/jobs/{job['id']}?wait=60").json()
        assert done["state"] == "done" and done["outputs"]["result"]["width"] == 48
        assert job["id"] in [one["id"] for one in client.get("/v1/jobs").json()["jobs"]]


def test_jobs_of_another_client_are_not_seen(served: LiveEditor) -> None:
    with signed_in(served, OWNER_TOKEN) as owner, signed_in(served, TOKEN) as client:
        body = {"inputs": {}, "wait": False}
        mine = owner.post("/v1/workflows/blur/runs", json=body).json()["id"]
        theirs = client.post("/v1/workflows/blur/runs", json=body).json()["id"]
        assert client.get(f"/v1/jobs/{mine}").status_code == 404
        assert mine not in [one["id"] for one in client.get("/v1/jobs").json()["jobs"]]
        assert {mine, theirs} <= {one["id"] for one in owner.get("/v1/jobs").json()["jobs"]}
        assert owner.get(f"/v1/jobs/{theirs}").status_code == 200
        with client.stream("GET", "/v1/events?after=1") as events:
            seen = ""
            for line in events.iter_lines():
                seen += line
                if theirs in line and "job_ended" in line:
                    break
        assert mine not in seen


def test_the_tokens_are_told_apart(served: LiveEditor) -> None:
    with served.stranger() as stranger:
        for given in ({"token": "guessed"}, {"token": ""}, {"key": TOKEN}, {}):
            assert stranger.post("/v1/session", json=given).status_code == 401
        wrong = {"Authorization": f"Bearer {OWNER_TOKEN}"}
        assert stranger.get("/v1/status", headers=wrong).status_code == 401
    with signed_in(served, OWNER_TOKEN) as owner:
        assert owner.get("/v1/status").json()["owner"] is True
        assert owner.delete("/v1/session").status_code == 204
        assert owner.get("/v1/status").status_code == 401, "the session has ended at the server"


@pytest.mark.parametrize("who", ["owner", "client", "stranger"])
def test_no_route_answers_the_page_of_another_site(served: LiveEditor, who: str) -> None:
    tokens = {"owner": OWNER_TOKEN, "client": TOKEN}
    port = int(served.url.rpartition(":")[2])
    with signed_in(served, tokens[who]) if who in tokens else served.stranger() as client:
        for method, path in routes(served):
            for status, headers in REFUSED:
                answer = ask(client, method, path, headers=filled(headers, port))
                assert answer.status_code == status, (method, path, headers)
                assert "access-control-allow-origin" not in answer.headers


def test_every_route_answers_its_own_pages(served: LiveEditor) -> None:
    port = int(served.url.rpartition(":")[2])
    with signed_in(served, OWNER_TOKEN) as owner:
        for method, path in routes(served):
            if (method, path) == ("DELETE", "/v1/session"):
                continue
            for headers in ANSWERED:
                status = ask(owner, method, path, headers=filled(headers, port)).status_code
                assert status not in (403, 421), (method, path, headers)


def test_every_route_is_in_the_document_with_its_errors(served: LiveEditor) -> None:
    with signed_in(served, OWNER_TOKEN) as owner:
        paths = owner.get("/v1/openapi.json").json()["paths"]
    shown = {path: operations for path, operations in paths.items() if path.startswith("/v1/")}
    assert {"/v1/check", "/v1/status", "/v1/events", "/v1/workflows/{name}/document"} <= set(shown)
    for path, operations in shown.items():
        for method, operation in operations.items():
            assert operation.get("description"), (method, path)
            expected = {"403", "405", "421", "500"} | (
                {"401"} if path != "/v1/openapi.json" else set()
            )
            assert expected <= operation["responses"].keys(), (method, path)
