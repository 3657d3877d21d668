"""Our own API: workflows, runs, jobs, events, uploads, files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from tests.server import nodes
from tests.server.live import LiveServer, opened, png


def data_uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def run(client: httpx2.Client, name: str = "paint", **body: Any) -> httpx2.Response:
    body = {"inputs": {"image": data_uri(png())}} | body
    return client.post(f"/v1/workflows/{name}/runs", json=body)


def ended(client: httpx2.Client, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()
    return job


def problem_of(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    problem: dict[str, Any] = response.json()["problems"][0]
    assert response.json()["error"]
    return problem


def stream(
    client: httpx2.Client, job_id: str, **headers: str
) -> list[tuple[int, str, dict[str, Any]]]:
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line and not line.startswith(":")]
    parts = [line.partition(": ")[2] for line in lines]
    return [
        (int(parts[at]), parts[at + 1], json.loads(parts[at + 2])) for at in range(0, len(parts), 3)
    ]


def test_workflows_are_listed_with_schemas_that_are_valid(client: httpx2.Client) -> None:
    listed = {one["name"]: one for one in client.get("/v1/workflows").json()["workflows"]}
    assert set(listed) == {"paint", "resize", "draw", "sub/broken"}
    assert (listed["paint"]["task"], listed["draw"]["task"]) == ("image-to-image", "text-to-image")
    for one in listed.values():
        jsonschema_rs.meta.validate(one["inputs"])
        jsonschema_rs.meta.validate(one["outputs"])
    schema = listed["paint"]["inputs"]
    assert schema["required"] == ["image"]
    assert schema["properties"]["num_inference_steps"]["maximum"] == 100
    valid = jsonschema_rs.validator_for(schema)
    assert valid.is_valid({"image": data_uri(png()), "strength": 0.5})
    assert not valid.is_valid({"image": data_uri(png()), "strength": "much"})
    assert not valid.is_valid({"strength": 0.5})


def test_one_workflow_and_one_that_is_none(client: httpx2.Client) -> None:
    assert client.get("/v1/workflows/sub/broken").json()["name"] == "sub/broken"
    assert "paint" in problem_of(client.get("/v1/workflows/pain"), 404)["hint"]


def test_a_workflow_that_cannot_be_read_is_told(
    serve: Callable[..., LiveServer], tmp_path: Any
) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "wrong.json").write_text(
        '{"graph": {"nodes": [{"id": "a", "type": "no.such.Node"}], "edges": []}}'
    )
    with serve().client() as client:
        found = client.get("/v1/workflows").json()
        assert [one["name"] for one in found["workflows"]] == ["paint"]
        assert found["problems"]["wrong"][0]["code"] == "unknown_type"


def test_a_run_that_is_waited_for(client: httpx2.Client) -> None:
    response = run(
        client,
        inputs={"image": data_uri(png()), "prompt": "abc", "num_inference_steps": 9},
        image_format="WEBP",
    )
    assert response.status_code == 200
    answer = response.json()
    image = answer["outputs"]["image"]
    assert (image["type"], image["media_type"], image["width"], image["height"]) == (
        "image",
        "image/webp",
        32,
        24,
    )
    assert answer["seeds"]
    fetched = client.get(image["url"])
    assert fetched.headers["content-type"] == "image/webp"
    assert len(fetched.content) == image["size"]
    assert opened(fetched.content).size == (32, 24)


def test_the_answer_fits_the_schema_of_the_outputs(client: httpx2.Client) -> None:
    schema = client.get("/v1/workflows/paint").json()["outputs"]
    jsonschema_rs.validate(schema, run(client).json()["outputs"])


def test_an_upload_is_an_input_and_so_is_a_result(client: httpx2.Client) -> None:
    uploaded = client.post("/v1/uploads", content=png(50, 20))
    assert uploaded.status_code == 201
    file = uploaded.json()
    assert client.get(file["url"]).content == png(50, 20)
    given = {"type": "image", "asset_id": file["asset_id"]}
    made = run(client, inputs={"image": given}).json()["outputs"]["image"]
    assert (made["width"], made["height"]) == (50, 20)
    for same in (f"asset:{made['asset_id']}", made, file):
        for wait in (True, False):
            assert run(client, inputs={"image": same}, wait=wait).status_code in (200, 202)
    problem_of(run(client, inputs={"image": made | {"data": "aGk="}}), 422)


@pytest.mark.parametrize("content", [b"", b"text", b"<svg/>", png()[:50]])
def test_an_upload_that_is_no_image(client: httpx2.Client, content: bytes) -> None:
    problem_of(client.post("/v1/uploads", content=content), 400)


WRONG = [
    ({"imge": "x"}, "imge"),
    ({"image": data_uri(png()), "strength": 2}, "strength"),
    ({"image": data_uri(png()), "num_inference_steps": "9"}, "num_inference_steps"),
    ({"image": 5}, "image"),
    ({"image": {"type": "image", "colour": 1}}, "image"),
]


@pytest.mark.parametrize(("inputs", "place"), WRONG)
@pytest.mark.parametrize("wait", [True, False])
def test_inputs_that_do_not_fit(client: httpx2.Client, inputs: Any, place: str, wait: bool) -> None:
    assert problem_of(run(client, inputs=inputs, wait=wait), 422)["where"].startswith(place)


@pytest.mark.parametrize("wait", [True, False])
def test_an_input_that_is_missing(client: httpx2.Client, wait: bool) -> None:
    problem = problem_of(run(client, inputs={}, wait=wait), 422)
    assert problem["code"] == "missing_input"
    assert "'image'" in problem["message"]
    assert problem["hint"] == "Give it in `inputs`."


@pytest.mark.parametrize("wait", [True, False])
def test_a_name_that_is_no_text(client: httpx2.Client, wait: bool) -> None:
    body = json.dumps({"inputs": {"\ud800": 1}, "wait": wait}).encode()
    assert b"\\ud800" in body
    response = client.post(
        "/v1/workflows/paint/runs", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem_of(response, 422)["code"] == "unknown_input"


@pytest.mark.parametrize(
    "body", [b'{"priority": 1' + b"0" * 5000 + b"}", b'{"inputs":' + b"[" * 100_000 + b"}"]
)
def test_json_beyond_all_measure(client: httpx2.Client, body: bytes) -> None:
    response = client.post(
        "/v1/workflows/paint/runs", content=body, headers={"Content-Type": "application/json"}
    )
    assert "JSON" in problem_of(response, 400)["hint"]


@pytest.mark.parametrize(
    "body",
    [{"inputs": 5}, {"wait": "yes"}, {"unknown": 1}, {"outputs": ["nothing"]}, {"priority": 1000}],
)
def test_a_request_that_does_not_fit(client: httpx2.Client, body: Any) -> None:
    problem_of(run(client, **body), 422)


def test_a_body_that_is_no_json(client: httpx2.Client) -> None:
    response = client.post(
        "/v1/workflows/paint/runs", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert problem_of(response, 422)["code"] == "invalid_json"


def test_a_job_from_acceptance_to_result(client: httpx2.Client) -> None:
    accepted = run(client, wait=False, inputs={"image": data_uri(png()), "prompt": "a job"})
    assert accepted.status_code == 202
    job = accepted.json()
    assert accepted.headers["location"].endswith(f"/v1/jobs/{job['id']}")
    done = ended(client, job["id"])
    assert (done["state"], done["workflow"], done["problems"]) == ("done", "paint", [])
    image = opened(client.get(done["outputs"]["image"]["url"]).content)
    assert image.convert("RGB").getpixel((0, 0)) == (5, 0, 4)
    assert "nodetool" not in image.info
    assert job["id"] in [
        one["id"] for one in client.get("/v1/jobs", params={"state": "done"}).json()["jobs"]
    ]


def test_jobs_by_pages(client: httpx2.Client) -> None:
    made = [run(client, wait=False).json()["id"] for _ in range(3)]
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    second = client.get("/v1/jobs", params={"limit": 2, "before": first["next"]}).json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]][:3] == made[::-1]


def test_the_same_idempotency_key_gives_the_same_job(client: httpx2.Client) -> None:
    body = {"inputs": {"image": data_uri(png())}, "wait": False}
    made = [
        client.post(
            "/v1/workflows/paint/runs", json=body, headers={"Idempotency-Key": "once"}
        ).json()["id"]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    other = client.post(
        "/v1/workflows/paint/runs",
        json=body | {"priority": 1, "use_cache": False},
        headers={"Idempotency-Key": "once"},
    )
    assert problem_of(other, 409)["code"] == "idempotency_conflict"


def test_a_job_that_fails_says_why_and_can_be_tried_again(client: httpx2.Client) -> None:
    job = run(client, "sub/broken", wait=False).json()
    failed = ended(client, job["id"])
    assert failed["state"] == "failed"
    assert failed["problems"]
    told = json.dumps(stream(client, job["id"]))
    assert "hunter2" not in json.dumps(failed) + told
    assert "Traceback" not in told
    again = client.post(f"/v1/jobs/{job['id']}/retry")
    assert again.status_code == 202
    assert again.json()["retry_of"] == job["id"]
    assert ended(client, again.json()["id"])["state"] == "failed"


def test_cancelling_a_job_that_runs(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("cancel")})
    with live.client() as client:
        job = run(client, "wait", wait=False).json()
        assert nodes.DOORS["cancel"].came.acquire(timeout=20)
        assert problem_of(client.post(f"/v1/jobs/{job['id']}/retry"), 409)["code"] == "not_ended"
        assert client.post(f"/v1/jobs/{job['id']}/cancel").json()["cancel_requested"]
        assert ended(client, job["id"])["state"] == "cancelled"


def test_a_job_with_a_deadline(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("deadline")})
    with live.client() as client:
        job = run(client, "wait", wait=False, deadline_seconds=0.3).json()
        assert ended(client, job["id"])["state"] == "expired"


def test_events_live_and_again_from_where_they_broke_off(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("events")})
    door = nodes.DOORS["events"]
    with live.client() as client, live.client() as other:
        job = run(client, "wait", wait=False).json()
        with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
            lines = response.iter_lines()
            first = [next(lines) for _ in range(4)]
            assert first[0] == "id: 1"
            assert door.came.acquire(timeout=20)
            door.open.set()
            rest = list(lines)
        assert "event: job_ended" in rest
        everything = stream(other, job["id"])
        assert [number for number, _, _ in everything] == list(range(1, len(everything) + 1))
        assert everything[-1][1] == "job_ended"
        assert stream(other, job["id"], **{"Last-Event-ID": "2"}) == everything[2:]
        assert all(event["event"] == name for _, name, event in everything)
        for nonsense in ("9" * 10, "9" * 30, "-1", "two"):
            assert stream(other, job["id"], **{"Last-Event-ID": nonsense}) == everything


def test_what_is_not_there(client: httpx2.Client) -> None:
    for method, path in [("GET", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/events")]:
        assert (
            problem_of(client.request(method, f"/v1/jobs/nothing{path}"), 404)["code"]
            == "unknown_job"
        )
    problem_of(client.get(f"/v1/files/{'0' * 64}"), 404)
    problem_of(client.get("/v1/files/..%2f..%2fetc%2fpasswd"), 404)
    problem_of(client.get("/v1/nothing"), 404)
    problem_of(client.delete("/v1/workflows"), 405)


def test_jobs_belong_to_the_token_that_asked(serve: Callable[..., LiveServer]) -> None:
    live = serve(token=("one", "two"))
    with (
        live.client(Authorization="Bearer one") as one,
        live.client(Authorization="Bearer two") as two,
    ):
        job = run(one, wait=False).json()
        assert ended(one, job["id"])["state"] == "done"
        problem_of(two.get(f"/v1/jobs/{job['id']}"), 404)
        problem_of(two.post(f"/v1/jobs/{job['id']}/cancel"), 404)
        assert two.get("/v1/jobs").json()["jobs"] == []


def test_free_lets_go_of_models_and_answers(client: httpx2.Client) -> None:
    client.post("/models/paint", content=png(33))
    assert client.post("/models/paint", content=png(33)).headers["x-cache"] == "hit"
    assert client.post("/v1/free").json() == {"freed_bytes": 0}
    assert client.post("/models/paint", content=png(33)).headers["x-cache"] == "miss"


def test_a_full_queue_of_jobs(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait("jobs")}, job_queue=1)
    with live.client() as client:
        run(client, "wait", wait=False)
        assert nodes.DOORS["jobs"].came.acquire(timeout=20)
        assert run(client, "wait", wait=False).status_code == 202
        refused = run(client, "wait", wait=False)
        assert problem_of(refused, 429)["code"] == "queue_full"
        assert refused.headers["retry-after"]
        nodes.DOORS["jobs"].open.set()


def test_the_openapi_document_has_examples_that_work(client: httpx2.Client) -> None:
    document = client.get("/v1/openapi.json").json()
    operation = document["paths"]["/models/{model}"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["examples"]["image-to-image"][
        "value"
    ]
    assert client.post("/models/paint", json=example).status_code == 200
    for wanted in document["components"]["schemas"]["RunRequest"]["examples"]:
        body = wanted | {
            "inputs": wanted["inputs"] | {"image": example["inputs"] and data_uri(png())}
        }
        assert client.post("/v1/workflows/paint/runs", json=body).status_code in (200, 202)


@pytest.mark.parametrize(
    ("content", "kind", "hint"),
    [
        (b'{"input": {}}', "application/json", "openapi.json"),
        (b"[]", "application/json", "Content-Type"),
        (b"{}", "text/plain", "Content-Type"),
    ],
)
def test_a_body_of_another_form_is_refused_with_what_to_send(
    client: httpx2.Client, content: bytes, kind: str, hint: str
) -> None:
    workflow = client.get("/v1/workflows").json()["workflows"][0]["name"]
    response = client.post(
        f"/v1/workflows/{workflow}/runs", content=content, headers={"Content-Type": kind}
    )
    assert response.status_code == 422
    assert hint in response.json()["problems"][0]["hint"]
