"""What the OpenAPI document says of the editor's routes: every answer keeps to it."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import jsonschema
import pytest

from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document


class Described:
    """A client of the owner's that validates every answer against the document."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self.document: dict[str, Any] = client.get("/v1/openapi.json").json()
        self.seen = set[tuple[str, str]]()

    def ask(self, method: str, route: str, status: int = 200, **given: Any) -> Any:
        """
        Return the answer of a route.

        Args:
            given: What stands in the place of the names in its path, and the rest of a request.
        """
        names = {name: given.pop(name) for name in [*given] if f"{{{name}}}" in route}
        answer = self._client.request(method, route.format(**names), **given)
        assert answer.status_code == status, answer.text
        said = self.document["paths"][route][method.lower()]["responses"][str(status)]
        self.seen.add((method, route))
        if not answer.content:
            assert status in (204, 304) and "content" not in said
            return answer.headers
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in said["content"], f"{method} {route} answers {media_type}"
        if media_type != "application/json":
            return answer.content
        self.validate(answer.json(), said["content"][media_type]["schema"])
        return answer.json()

    def validate(self, found: object, schema: Any) -> None:
        """Raise where something is not as a schema says, or has what the schema does not name."""
        whole = {**_closed(schema), "components": _closed(self.document["components"])}
        jsonschema.Draft202012Validator(whole).validate(found)


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    more = {"additionalProperties": False} if isinstance(part.get("properties"), dict) else {}
    return {name: _closed(one) for name, one in part.items()} | more


@pytest.fixture
def described(owner: httpx2.Client) -> Described:
    return Described(owner)


def test_every_answer_is_as_the_document_says(editor: LiveEditor, described: Described) -> None:
    ask = described.ask
    of_files(ask, editor)
    of_runs(ask, editor)
    of_the_rest(ask, editor)
    of_models(ask)
    key = editor.sessions.new_key()
    ask("POST", "/v1/session", 204, json={"key": key})
    ask("DELETE", "/v1/session", 204)
    written = {
        (method.upper(), path)
        for path, methods in described.document["paths"].items()
        for method, operation in methods.items()
        if "Editor" in operation.get("tags", ())
    }
    assert written - described.seen == {("GET", "/v1/events")}


def of_files(ask: Any, editor: LiveEditor) -> None:
    """Ask all that is there of workflows."""
    of_one = "/v1/workflows/{name}"
    saved = ask("PUT", f"{of_one}/document", name="a", json=blur("much").to_json())
    assert saved["problems"][0]["node"] == "blur"
    ask("PUT", f"{of_one}/document", 412, name="a", json=blur().to_json())
    again = {"if-match": saved["etag"]}
    ask("PUT", f"{of_one}/document", name="a", json=blur().to_json(), headers=again)
    ask("GET", f"{of_one}/document", name="a")
    assert ask("GET", f"{of_one}/draft", name="a") is None
    draft = {"document": blur(3.0).to_json(), "etag": ""}
    ask("PUT", f"{of_one}/draft", 204, name="a", json=draft)
    assert ask("GET", f"{of_one}/draft", name="a")["saved"] > 0
    ask("DELETE", f"{of_one}/draft", 204, name="a")
    (version,) = ask("GET", f"{of_one}/versions", name="a")["versions"]
    ask("GET", f"{of_one}/versions/{{version}}", name="a", version=version["id"])
    ask("GET", f"{of_one}/files", name="a", params={"path": "photo.png"})
    ask("GET", f"{of_one}/files", 404, name="a", params={"path": "none.png"})
    none = {"path": "none.png", "quiet": True}
    ask("GET", f"{of_one}/files", 204, name="a", params=none)
    (editor.graphs / "sub").mkdir()
    ask("POST", f"{of_one}/move", name="a", json={"to": "sub/b"})
    ask("DELETE", of_one, 204, name="sub/b")
    assert ask("GET", "/v1/places")["files"]
    nodes = blur().to_json()["graph"]["nodes"]
    moved = {"nodes": nodes, "before": "a", "after": "sub/b"}
    (change,) = ask("POST", "/v1/relocate", json=moved)["changes"]
    assert change["value"] == "../photo.png"


def of_runs(ask: Any, editor: LiveEditor) -> None:
    """Ask all that is there of checks, runs and results."""
    inner = {"size": ("nodetool.input.FloatInput", {"name": "radius", "max": 9.0})}
    (editor.graphs / "inner.json").write_bytes(document(inner, []).to_bytes())
    edited = document(
        {
            "part": ("nodetool.workflows.workflow_node.WorkflowNode", {"path": "inner.json"}),
            "wrong": ("lib.pillow.filter.Blurr", {}),
        },
        [],
    )
    found = ask("POST", "/v1/check", json={"document": edited.to_json(), "name": "blur"})
    assert found["problems"][0]["fix"]["value"] == "lib.pillow.filter.Blur"
    assert found["nodes"]["part"]["ports"]["properties"][0]["max"] == 9.0
    body = {"workflow": blur(2.5).to_json(), "name": "blur"}
    job = ask("POST", "/v1/runs", 202, json=body)["id"]
    ask("GET", "/v1/jobs/{job_id}", job_id=job, params={"wait": 60})
    ask("GET", "/v1/jobs/{job_id}/document", job_id=job)
    ask("PATCH", "/v1/jobs/{job_id}", job_id=job, json={"kept": True})
    checked = ask("POST", "/v1/check", json={"document": blur(2.5).to_json(), "name": "blur"})
    key = checked["nodes"]["blur"]["key"]
    ask("GET", "/v1/results/{key}", key=key)
    ask("GET", "/v1/results/{key}/{output}", key=key, output="output")
    ask("GET", "/v1/results/{key}/{output}", key=key, output="output", params={"side": 16})
    one = {"key": key, "output": "output", "index": 0}
    ask("GET", "/v1/results/{key}/{output}/{index}", 404, **one)
    ask("GET", "/v1/results/{key}/{output}/{index}", 204, **one, params={"quiet": True})
    ask("DELETE", "/v1/jobs/{job_id}", 204, job_id=job)
    ask("DELETE", "/v1/jobs/{job_id}", 404, job_id=job)
    ask("POST", "/v1/jobs/cancel", 204)
    ask("GET", "/v1/problems/{code}", code="missing_image")


def of_the_rest(ask: Any, editor: LiveEditor) -> None:
    """Ask what the server is, which nodes there are, what a file is, where nodes go."""
    assert ask("GET", "/v1/status")["owner"] is True
    assert len(ask("GET", "/v1/nodes")["nodes"]) > 100
    photo = (editor.graphs / "photo.png").read_bytes()
    assert ask("POST", "/v1/read", content=photo)["upload"]["width"] == 48
    assert ask("POST", "/v1/read", content=blur().to_bytes())["kind"] == "workflow"
    assert ask("POST", "/v1/read", content=b"nothing")["kind"] == "unknown"
    comfy = {"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}
    assert ask("POST", "/v1/read", content=json.dumps(comfy).encode())["notes"]
    nodes = [{"id": name, "width": 200, "height": 100} for name in "ab"]
    edges = [{"source": "a", "target": "b"}]
    ask("POST", "/v1/layout", json={"nodes": nodes, "edges": edges})
    ask("POST", "/v1/layout", 422, json={"nodes": nodes})


def of_models(ask: Any) -> None:
    """Ask what is there of models; nothing is fetched where the Hub is away."""
    assert ask("GET", "/v1/local-models")["models"]
    ask("POST", "/v1/local-models/pull", 202, json={"id": "nodetool/none"})
    ask("DELETE", "/v1/local-models/pull/{model}", 204, model="nodetool/none")
    ask("DELETE", "/v1/local-models/{model}", 409, model="nodetool/tiny-landscapes")


def test_the_events_of_the_page_are_as_the_document_says(
    owner: httpx2.Client, described: Described
) -> None:
    responses = described.document["paths"]["/v1/events"]["get"]["responses"]
    item = responses["200"]["content"]["text/event-stream"]["itemSchema"]
    schemas = {
        one["properties"]["event"]["const"]: one
        for one in item["properties"]["data"]["contentSchema"]["oneOf"]
    }
    painting = {"prompt": "a lake", "num_inference_steps": 4, "seed": 1}
    painted = document(
        {
            "draw": ("huggingface.text_to_image.TextToImage", painting),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["draw.output > out.value"],
    )
    names = set()
    with owner.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        owner.post("/v1/runs", json={"workflow": painted.to_json()})
        for line in lines:
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                described.validate(event, schemas[event["event"]])
                names.add(event["event"])
                if event["event"] == "job_ended":
                    break
    assert {"job_queued", "node_needed", "node_preview", "node_finished"} <= names


def test_what_may_answer_nothing_says_so(owner: httpx2.Client) -> None:
    document = owner.get("/v1/openapi.json").json()
    quiet = [
        operation["responses"]
        for operations in document["paths"].values()
        for operation in operations.values()
        if any(one["name"] == "quiet" for one in operation.get("parameters", ()))
    ]
    assert len(quiet) > 3 and all("204" in responses for responses in quiet)
