"""
Each line of the contract of Replicate's API, by the name of what it is about.

Predictions (create, wait, get, list, cancel), files, models and versions, errors, streams. Webhooks
and the clients themselves have files of their own.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import httpx2
import pytest

from nodetool_core.jobs.job import JobState
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.replicate.conftest import (
    ANY,
    TINY,
    ended,
    image_of,
    predict,
    predicted,
)
from tests.server.v1.test_workflows import data_uri

PREDICTIONS = f"{ANY}/predictions"
SECONDS = 20
FIELDS = {
    "id", "model", "version", "status", "input", "output", "logs", "error", "metrics",
    "created_at", "started_at", "completed_at", "data_removed", "urls",
}  # fmt: skip


def begun(client: httpx2.Client, door: str) -> str:
    """Start a prediction that runs until a door is opened, and return its id."""
    response = predict(
        client, "nodetool/wait", {"image": data_uri(png()), "door": door}, wait=False
    )
    assert response.status_code == 201, response.text
    assert nodes.DOORS[door].came.acquire(timeout=SECONDS)
    return str(response.json()["id"])


@pytest.fixture
def waiting(serve: Callable[..., LiveServer]) -> LiveServer:
    return serve({"wait": nodes.wait(""), "draw": nodes.draw()})


# Predictions


def test_create_of_a_model(client: httpx2.Client) -> None:
    found = predicted(client, "nodetool/draw", {"prompt": "four", "width": 20})
    assert found.keys() == FIELDS
    assert found["input"] == {"prompt": "four", "width": 20}
    assert found["metrics"]["predict_time"] > 0
    image = image_of(client, found["output"])
    assert (image.size, image.getpixel((0, 0))) == ((20, 16), (4, 0, 0))


@pytest.mark.parametrize("form", ["{version}", "{model}:{version}", "{model}"])
def test_create_of_a_version(client: httpx2.Client, form: str) -> None:
    model = client.get(f"{ANY}/models/nodetool/draw").json()
    version = form.format(model="nodetool/draw", version=model["latest_version"]["id"])
    body = {"version": version, "input": {"prompt": "abc"}}
    response = client.post(PREDICTIONS, json=body, headers={"Prefer": "wait=30"})
    assert response.status_code == 201, response.text
    assert response.json()["version"] == model["latest_version"]["id"]
    assert image_of(client, response.json()["output"]).getpixel((0, 0)) == (3, 0, 0)


@pytest.mark.parametrize("version", ["0" * 64, "nodetool/draw:" + "0" * 64, ""])
def test_a_version_that_there_is_not(client: httpx2.Client, version: str) -> None:
    refused = client.post(PREDICTIONS, json={"version": version, "input": {}})
    assert refused.status_code == 422
    assert [one["field"] for one in refused.json()["invalid_fields"]] == ["version"]


def test_another_workflow_is_another_version(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()})
    with live.client() as client:
        before = client.get(f"{ANY}/models/nodetool/draw/versions").json()["results"]
        nodes.resize().save(live.state.settings.graphs / "draw.json")
        live.state.catalog.refresh()
        after = client.get(f"{ANY}/models/nodetool/draw/versions").json()["results"]
        assert [len(before), len(after)] == [1, 1] and before[0]["id"] != after[0]["id"]
        gone = client.get(f"{ANY}/models/nodetool/draw/versions/{before[0]['id']}")
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_version")


def test_create_of_a_deployment(client: httpx2.Client) -> None:
    path = f"{ANY}/deployments/nodetool/draw/predictions"
    response = client.post(path, json={"input": {"prompt": "x"}}, headers={"Prefer": "wait"})
    assert response.status_code == 201
    assert image_of(client, response.json()["output"]).getpixel((0, 0)) == (1, 0, 0)


def test_without_prefer_it_is_answered_at_once(waiting: LiveServer) -> None:
    with waiting.client() as client:
        name = begun(client, "replicate-async")
        seen = client.get(f"{PREDICTIONS}/{name}").json()
        assert (seen["status"], seen["output"], seen["completed_at"]) == ("processing", None, None)
        nodes.DOORS["replicate-async"].open.set()
        found = ended(waiting, client, name)
    assert (found["status"], found["error"]) == ("succeeded", None)


def test_what_has_not_ended_after_the_wait_is_starting(waiting: LiveServer) -> None:
    """For clients take every other status for the end, while the run is under way."""
    with waiting.client() as client:
        body = {"input": {"image": data_uri(png()), "door": "replicate-wait"}}
        path = f"{ANY}/models/nodetool/wait/predictions"
        response = client.post(path, json=body, headers={"Prefer": "wait=1"})
        assert (response.status_code, response.json()["status"]) == (201, "starting")
        name = response.json()["id"]
        assert client.get(f"{PREDICTIONS}/{name}").json()["status"] == "processing"
        nodes.DOORS["replicate-wait"].open.set()
        assert ended(waiting, client, name)["status"] == "succeeded"


def test_a_server_that_is_about_to_end_keeps_nobody_waiting(waiting: LiveServer) -> None:
    answers: list[httpx2.Response] = []
    given = {"image": data_uri(png()), "door": "replicate-drain"}
    with waiting.client() as client:
        asking = threading.Thread(
            target=lambda: answers.append(predict(client, "nodetool/wait", given))
        )
        asking.start()
        assert nodes.DOORS["replicate-drain"].came.acquire(timeout=SECONDS)
        waiting.state.draining.set()
        asking.join(SECONDS)
        nodes.DOORS["replicate-drain"].open.set()
    assert (answers[0].status_code, answers[0].json()["status"]) == (201, "starting")


def test_a_failed_run_is_a_prediction(client: httpx2.Client) -> None:
    response = predict(client, "sub/broken", {"image": data_uri(png())})
    found = response.json()
    assert (response.status_code, found["status"], found["output"]) == (201, "failed", None)
    assert "failed on this request" in found["error"] and "hunter2" not in response.text


def test_cancel(waiting: LiveServer) -> None:
    with waiting.client() as client:
        running = begun(client, "replicate-cancel")
        queued = predict(client, "nodetool/draw", {"prompt": "x"}, wait=False).json()["id"]
        for name in (queued, running):
            answer = client.post(f"{PREDICTIONS}/{name}/cancel")
            assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
        assert waiting.state.jobs.get(running).state is JobState.CANCELLED


def test_a_waiting_client_learns_of_a_cancel(waiting: LiveServer) -> None:
    answers: list[httpx2.Response] = []
    given = {"image": data_uri(png()), "door": "replicate-cancelled"}
    with waiting.client() as client:
        asking = threading.Thread(
            target=lambda: answers.append(predict(client, "nodetool/wait", given))
        )
        asking.start()
        assert nodes.DOORS["replicate-cancelled"].came.acquire(timeout=SECONDS)
        (job,) = waiting.state.jobs.list()
        client.post(f"{PREDICTIONS}/{job.id}/cancel")
        asking.join(SECONDS)
    assert answers[0].json()["status"] == "canceled"


def test_list_by_pages(serve: Callable[..., LiveServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodetool_core.server.replicate.predictions.PAGE", 2)
    with serve({"draw": nodes.draw()}).client() as client:
        made = [predicted(client, "nodetool/draw", {"prompt": "x" * n})["id"] for n in range(5)]
        client.post("/v1/workflows/draw/runs", json={"inputs": {}, "wait": False})
        pages, address = [], PREDICTIONS
        while address:
            page = client.get(address).json()
            assert page.keys() == {"results", "next", "previous"}
            pages.append([one["id"] for one in page["results"]])
            address = page["next"]
    assert pages == [made[4:2:-1], made[2:0:-1], made[:1]]


def test_predictions_are_the_clients_own(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="one-token-of-two,other-token-of-two")
    own, other = (
        live.client(Authorization=f"Bearer {name}-token-of-two") for name in ("one", "other")
    )
    with own, other:
        found = predicted(own, "nodetool/draw", {"prompt": "x"})
        assert own.get(f"{PREDICTIONS}/{found['id']}").status_code == 200
        assert len(own.get(PREDICTIONS).json()["results"]) == 1
        assert other.get(PREDICTIONS).json()["results"] == []
        for answer in (
            other.get(f"{PREDICTIONS}/{found['id']}"),
            other.post(f"{PREDICTIONS}/{found['id']}/cancel"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")


# Output and input


def test_outputs_load_without_a_token(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="right-token-of-all")
    with live.client(Authorization="Bearer right-token-of-all") as client:
        url = predicted(client, "nodetool/draw", {"prompt": "x"})["output"]
    for headers in ({}, {"Authorization": "Bearer whatever"}):
        with live.client(**headers) as client:
            assert image_of(client, url).size == (16, 16)


def test_a_list_of_images_and_several_outputs(client: httpx2.Client) -> None:
    given = data_uri(png())
    twins = predicted(client, "nodetool/twins", {"image": given})["output"]
    assert [image_of(client, url).size for url in twins] == [(32, 24)] * 2
    both = predicted(client, "nodetool/several", {"image": given})["output"]
    assert both["text"] == "x" and image_of(client, both["image"]).size == (32, 24)


def test_several_outputs_have_several_seeds(client: httpx2.Client) -> None:
    given: dict[str, object] = {"image": data_uri(png()), "seed": 7}
    urls = predicted(client, "nodetool/paint", given | {"num_outputs": 3})["output"]
    made = [image_of(client, url).getpixel((31, 23)) for url in urls]
    assert [pixel[0] for pixel in made] == [7, 8, 9]
    one = predicted(client, "nodetool/paint", given | {"num_outputs": 1})["output"]
    assert isinstance(one, str)
    twins = predicted(client, "nodetool/twins", given | {"num_outputs": 2})
    assert "num_outputs is not used" in twins["logs"]
    alike = predicted(client, "nodetool/draw", {"prompt": "x", "num_outputs": 2})
    assert len(alike["output"]) == 2 and "its images are alike" in alike["logs"]
    schema = client.get(f"{ANY}/models/nodetool/paint").json()["latest_version"]["openapi_schema"]
    assert schema["components"]["schemas"]["Input"]["properties"]["num_outputs"]["maximum"] == 10


def test_lists_of_deployments_and_of_what_there_is_none_of(client: httpx2.Client) -> None:
    listed = client.get("/replicate/v1/deployments").json()["results"]
    assert "draw" in [one["name"] for one in listed]
    found = client.get("/replicate/v1/deployments/nodetool/draw").json()
    assert found in listed and found["current_release"]["model"] == "nodetool/draw"
    assert client.get("/replicate/v1/deployments/nodetool/nothing").status_code == 404
    for kind in ("collections", "trainings"):
        assert client.get(f"/replicate/v1/{kind}").json()["results"] == []
    assert client.get("/replicate/v1/hardware").json() == []
    refused = client.post("/replicate/v1/trainings", json={})
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("agent", ["replicate-python/1.0.7", "replicate-javascript/1.4.0"])
def test_images_in_the_answer_for_clients_that_read_them_so(
    client: httpx2.Client, agent: str
) -> None:
    """They make a file of `https:` and `data:`, and a mere text of an address without TLS."""
    client.headers["User-Agent"] = agent
    found = predicted(client, "nodetool/draw", {"prompt": "four"})
    assert found["output"].startswith("data:image/png;base64,")
    assert image_of(client, found["output"]).getpixel((0, 0)) == (4, 0, 0)
    (listed, *_) = client.get(PREDICTIONS).json()["results"]
    assert listed["id"] == found["id"] and listed["output"].startswith("http:")


def test_no_images_in_the_answer_behind_tls(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, public_url="https://studio.example")
    with live.client(**{"User-Agent": "replicate-python/1.0.7"}) as client:
        found = predicted(client, "nodetool/draw", {"prompt": "x"})
    assert found["output"].startswith("https://studio.example/results/")


def test_images_by_every_reference(client: httpx2.Client) -> None:
    file = client.post(f"{ANY}/files", files={"content": ("a.png", png())}).json()
    result = predicted(client, "nodetool/several", {"image": data_uri(png())})["output"]["image"]
    for image in (file["urls"]["get"], result, data_uri(png())):
        given = {"image": image, "prompt": "abc", "seed": 7}
        made = image_of(client, predicted(client, "nodetool/paint", given)["output"])
        assert (made.size, made.getpixel((0, 0))) == ((32, 24), (3, 0, 4))
    for image in ("http://127.0.0.1:1/a.png", "file:///etc/passwd", 5):
        refused = predict(client, "nodetool/paint", {"image": image})
        assert refused.status_code in (400, 422), refused.text


def test_an_image_that_was_sent_is_shown_by_its_address(client: httpx2.Client) -> None:
    found = predicted(client, "nodetool/paint", {"image": data_uri(png()), "prompt": "x"})
    assert found["input"]["prompt"] == "x"
    assert image_of(client, found["input"]["image"]).size == (32, 24)


@pytest.mark.parametrize(
    ("model", "given", "pixel"),
    [
        ("paint", {"input_image": 1, "negative_prompt": "ab"}, (6, 2, 4)),
        ("paint", {"image": 1, "steps": 9}, (6, 0, 9)),
        ("resize", {"image": 1}, (96, 144, 192)),
        ("count", {"image_input": 3}, (3, 0, 0)),
    ],
)
def test_what_other_models_call_an_input(
    client: httpx2.Client, model: str, given: dict[str, object], pixel: tuple[int, ...]
) -> None:
    uri, values = data_uri(png()), dict(given)
    for name, value in given.items():
        if "image" in name:
            values[name] = uri if value == 1 else [uri] * 3
    found = predicted(client, f"nodetool/{model}", values)
    assert image_of(client, found["output"]).getpixel((0, 0)) == pixel


def test_what_is_not_used_is_in_the_logs(client: httpx2.Client) -> None:
    found = predicted(client, "nodetool/draw", {"prompt": "x", "go_fast": True, "seed": None})
    assert found["logs"] == "go_fast is not used by draw\n"


def test_a_mark_in_the_input_is_no_mark_of_the_server(
    client: httpx2.Client, server: LiveServer
) -> None:
    """What its client writes keeps no prediction beyond its time."""
    made = predicted(client, "nodetool/draw", {"prompt": "x", "note": {"kept": True}})
    server.state.jobs.files.purge(-1)
    assert client.get(f"{PREDICTIONS}/{made['id']}").status_code == 404


def test_progress_is_in_the_logs_as_clients_read_it(client: httpx2.Client) -> None:
    logs = predicted(client, "nodetool/steps", {"prompt": "x"})["logs"]
    assert logs == "100%|██████████| 4/4\n"


# Files


def test_files(client: httpx2.Client) -> None:
    content = png(5, 6)
    parts = {"content": ("a photo.png", content, "image/png")}
    made = client.post(f"{ANY}/files", files=parts, data={"metadata": '{"of": "me"}'})
    assert made.status_code == 201
    file = made.json()
    assert (file["name"], file["size"], file["metadata"]) == (
        "a photo.png",
        len(content),
        {"of": "me"},
    )
    assert file["content_type"] == "image/png"
    assert file["checksums"] == {"sha256": hashlib.sha256(content).hexdigest()}
    assert file["created_at"] < file["expires_at"]
    assert client.get(file["urls"]["get"]).json() == file
    assert file in client.get(f"{ANY}/files").json()["results"]
    assert client.delete(f"{ANY}/files/{file['id']}").status_code == 204
    for gone in (
        client.get(f"{ANY}/files/{file['id']}"),
        client.delete(f"{ANY}/files/{file['id']}"),
    ):
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_file")
    assert file not in client.get(f"{ANY}/files").json()["results"]


def test_files_by_pages(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodetool_core.server.replicate.files.PAGE", 2)
    made = {
        client.post(f"{ANY}/files", files={"content": png(7, 7, (n, 0, 0))}).json()["id"]
        for n in range(5)
    }
    found, address = set(), f"{ANY}/files"
    while address:
        page = client.get(address).json()
        assert 1 <= len(page["results"]) <= 2
        found |= {one["id"] for one in page["results"]}
        address = page["next"]
    assert made <= found


def test_files_are_the_clients_own(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="one-token-of-two,other-token-of-two")
    own, other = (
        live.client(Authorization=f"Bearer {name}-token-of-two") for name in ("one", "other")
    )
    with own, other:
        file = own.post(f"{ANY}/files", files={"content": png()}).json()
        assert own.get(file["urls"]["get"]).status_code == 200
        assert other.get(file["urls"]["get"]).status_code == 404
        assert other.delete(f"{ANY}/files/{file['id']}").status_code == 404
        assert other.get(f"{ANY}/files").json()["results"] == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {}}, 400),
        ({"files": {"other": png()}}, 422),
        ({"files": {"content": b"no image"}}, 400),
        ({"files": {"content": png()}, "data": {"metadata": "[]"}}, 422),
        ({"files": {"content": bytes(3 * 2**20)}}, 413),
    ],
)
def test_what_is_no_file(client: httpx2.Client, sent: dict[str, object], status: int) -> None:
    assert client.post(f"{ANY}/files", **sent).status_code == status  # type: ignore[arg-type]


# Models and versions


def test_a_model(client: httpx2.Client) -> None:
    model = client.get(f"{ANY}/models/nodetool/paint").json()
    assert (model["owner"], model["name"], model["visibility"]) == ("nodetool", "paint", "private")
    version = model["latest_version"]
    schemas = version["openapi_schema"]["components"]["schemas"]
    given = schemas["Input"]
    assert given["required"] == ["image"]
    assert given["properties"]["image"]["format"] == "uri"
    assert given["properties"]["num_inference_steps"]["maximum"] == 100
    assert given["properties"]["prompt"]["default"] == "a lake"
    orders = [one["x-order"] for one in given["properties"].values()]
    assert orders == list(range(len(orders)))
    file = {"type": "string", "format": "uri"}
    assert schemas["Output"] == {
        "title": "Output",
        "anyOf": [file, {"type": "array", "items": file}],
    }
    found = client.get(f"{ANY}/models/nodetool/paint/versions/{version['id']}").json()
    assert found == version


def test_outputs_of_models(client: httpx2.Client) -> None:
    def output(name: str) -> dict[str, object]:
        model = client.get(f"{ANY}/models/nodetool/{name}").json()
        schemas = model["latest_version"]["openapi_schema"]["components"]["schemas"]
        found: dict[str, object] = schemas["Output"]
        return found

    assert output("twins")["type"] == "array"
    assert "x-cog-array-type" not in output("twins")
    assert output("several")["properties"] == {
        "image": {"type": "string", "format": "uri"},
        "text": {"type": "string"},
    }


def test_every_model_is_run_by_the_name_that_is_listed(client: httpx2.Client) -> None:
    listed = client.get(f"{ANY}/models").json()["results"]
    names = {f"{one['owner']}/{one['name']}" for one in listed}
    assert {"nodetool/paint", "sub/broken", "a/b%2Fdeep%20one", TINY} <= names
    for name in names:
        assert name.count("/") == 1 and ":" not in name
        assert client.get(f"{ANY}/models/{name}").json()["latest_version"]["id"]
    found = predicted(client, "a/b%2Fdeep%20one", {"prompt": "abc"})
    assert found["model"] == "a/b%2Fdeep%20one"


def test_a_model_of_the_hub_does_both_of_its_tasks(client: httpx2.Client) -> None:
    model = client.get(f"{ANY}/models/{TINY}").json()
    given = model["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]
    assert {"prompt", "image", "width", "strength"} <= given["properties"].keys()
    assert "image" not in given.get("required", ())
    words = {"prompt": "a lake", "num_inference_steps": 1, "seed": 3}
    drawn = predicted(client, TINY, words | {"width": 64, "height": 48})
    assert image_of(client, drawn["output"]).size == (64, 48)
    edited = predicted(client, TINY, words | {"image": data_uri(png(128, 128)), "strength": 1.0})
    assert image_of(client, edited["output"]).size == (128, 128)


# Errors


def test_errors_are_problem_details(client: httpx2.Client) -> None:
    refused = predict(client, "nodetool/nothing", {})
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["title"] == "Not Found" and refused.json()["status"] == 404
    assert "nothing" in refused.json()["detail"]
    missing = predict(client, "nodetool/paint", {})
    assert (missing.status_code, missing.json()["title"]) == (422, "Input validation failed")
    (field,) = missing.json()["invalid_fields"]
    assert field["type"] == "missing_input" and "image" in str(field)


def test_busy(serve: Callable[..., LiveServer]) -> None:
    live = serve({"wait": nodes.wait(""), "draw": nodes.draw()}, job_queue=1)
    with live.client() as client:
        first = begun(client, "replicate-busy")
        second = predict(client, "nodetool/draw", {"prompt": "x"}, wait=False)
        refused = predict(client, "nodetool/draw", {"prompt": "y"}, wait=False)
        assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
        assert int(refused.headers["retry-after"]) >= 1
        nodes.DOORS["replicate-busy"].open.set()
        for name in (first, second.json()["id"]):
            assert ended(live, client, name)["status"] == "succeeded"


def test_results_that_find_no_room_are_a_failed_prediction(
    serve: Callable[..., LiveServer],
) -> None:
    with serve({"draw": nodes.draw()}, spare_bytes=2**60).client() as client:
        found = predict(client, "nodetool/draw", {"prompt": "x"}).json()
    assert found["status"] == "failed" and "too few" in found["error"]


def test_an_input_that_is_too_large_to_be_shown(client: httpx2.Client) -> None:
    refused = predict(client, "nodetool/draw", {"prompt": "x", "more": "y" * (2**20 + 1)})
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


# Streams


def events_of(text: str) -> list[tuple[str, str]]:
    """Return the events of a stream, once each of them has what clients need of it."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith(":")]
        if lines:
            fields = [line.partition(": ")[::2] for line in lines]
            named = dict(fields)
            assert named.keys() == {"event", "id", "data"}, block
            found.append((named["event"], "\n".join(v for n, v in fields if n == "data")))
    return found


def test_a_stream(client: httpx2.Client) -> None:
    found = predicted(client, "nodetool/steps", {"prompt": "abc", "go_fast": True})
    # Without a token: clients in JavaScript send none.
    response = client.get(found["urls"]["stream"])
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.text)
    assert [name for name, _ in events] == ["logs", "logs", "output", "done"]
    assert events[0][1] == "go_fast is not used by steps\n" and "4/4" in events[1][1]
    assert events[2][1] == found["output"] and events[3][1] == "{}"


def test_a_stream_of_what_runs(waiting: LiveServer) -> None:
    with waiting.client() as client:
        name = begun(client, "replicate-stream")
        address = client.get(f"{PREDICTIONS}/{name}").json()["urls"]["stream"]
        with client.stream("GET", address) as response:
            assert response.status_code == 200, "before anything has happened"
            nodes.DOORS["replicate-stream"].open.set()
            text = "".join(response.iter_text())
    assert [event for event, _ in events_of(text)] == ["output", "done"]


@pytest.mark.parametrize(
    ("how", "expected"), [("failed", ["error", "done"]), ("canceled", ["done"])]
)
def test_the_end_of_a_stream(waiting: LiveServer, how: str, expected: list[str]) -> None:
    nodes.broken().save(waiting.state.settings.graphs / "broken.json")
    waiting.state.catalog.refresh()
    with waiting.client() as client:
        if how == "failed":
            found = predict(client, "nodetool/broken", {"image": data_uri(png())}).json()
        else:
            name = begun(client, f"replicate-stream-{how}")
            found = client.post(f"{PREDICTIONS}/{name}/cancel").json()
        events = events_of(client.get(found["urls"]["stream"]).text)
    assert [name for name, _ in events] == expected
    assert ("canceled" if how == "canceled" else "error") in events[-1][1]


def test_a_stream_goes_on_where_it_broke_off(client: httpx2.Client) -> None:
    found = predicted(client, "nodetool/steps", {"prompt": "abc", "go_fast": True})
    again = client.get(found["urls"]["stream"], headers={"Last-Event-ID": "999999"})
    assert again.status_code == 200


def test_the_address_of_a_stream_is_a_secret(serve: Callable[..., LiveServer]) -> None:
    live = serve({"draw": nodes.draw()}, token="right-token-of-all")
    with live.client(Authorization="Bearer right-token-of-all") as client:
        url = predicted(client, "nodetool/draw", {"prompt": "x"})["urls"]["stream"]
    with live.client() as stranger:
        assert stranger.get(url).status_code == 200
        for wrong in (url[:-1] + ("0" if url[-1] != "0" else "1"), f"{url}x"):
            assert stranger.get(wrong).status_code == 404
        assert stranger.get(PREDICTIONS).status_code == 401


def test_the_address_of_a_stream_holds_for_all_servers_of_a_token(
    serve: Callable[..., LiveServer],
) -> None:
    from nodetool_core.server.replicate.signatures import Signatures

    live = serve({"draw": nodes.draw()}, token="right-token-of-all")
    with live.client(Authorization="Bearer right-token-of-all") as client:
        found = predicted(client, "nodetool/draw", {"prompt": "x"})
    signature = Signatures(["other", "right-token-of-all"])
    assert signature.fits(live.state.jobs.get(found["id"]), found["urls"]["stream"][-32:])
