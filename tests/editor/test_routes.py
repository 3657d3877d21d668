"""What the editor's page asks: who may, what is known, what is kept."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from nodetool_core.assets.encode import encode_image
from nodetool_core.workflow import WorkflowDocument
from tests.editor.conftest import LiveEditor
from tests.editor.documents import blur, document
from tests.editor.documents import ended as run

OF_THE_OWNER = [
    ("GET", "/"),
    ("GET", "/metrics"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/uploads"),
    ("POST", "/v1/workflows/blur/runs"),
    ("POST", "/models/blur"),
    ("GET", "/v1/status"),
    ("GET", "/v1/nodes"),
    ("POST", "/v1/check"),
    ("POST", "/v1/runs"),
    ("GET", "/v1/events"),
    ("GET", "/v1/results/00"),
    ("GET", "/v1/results/00/output"),
    ("GET", "/v1/workflows"),
    ("GET", "/v1/workflows/blur/document"),
    ("PUT", "/v1/workflows/blur/document"),
    ("GET", "/v1/workflows/blur/draft"),
    ("PUT", "/v1/workflows/blur/draft"),
    ("DELETE", "/v1/workflows/blur/draft"),
    ("POST", "/v1/workflows/blur/move"),
    ("GET", "/v1/workflows/blur/versions"),
    ("GET", "/v1/workflows/blur/versions/a"),
    ("DELETE", "/v1/workflows/blur"),
    ("POST", "/v1/read"),
    ("POST", "/v1/layout"),
    ("GET", "/v1/workflows/blur/files?path=photo.png"),
    ("GET", "/v1/jobs"),
    ("PATCH", "/v1/jobs/a"),
    ("DELETE", "/v1/jobs/a"),
    ("GET", "/v1/jobs/a/document"),
    ("POST", "/v1/jobs/cancel"),
    ("GET", "/v1/local-models"),
    ("POST", "/v1/local-models/pull"),
    ("DELETE", "/v1/local-models/a/b"),
    ("GET", "/v1/places"),
    ("POST", "/v1/relocate"),
]
BODIES: dict[str, Any] = {
    "/v1/check": {"document": {"graph": {}}},
    "/v1/runs": {"workflow": {"graph": {}}},
    "/v1/jobs/a": {"kept": True},
    "/v1/workflows/blur/document": {"graph": {}},
    "/v1/workflows/blur/draft": {"document": {}, "etag": ""},
    "/v1/workflows/blur/move": {"to": "b"},
    "/v1/layout": {"nodes": [], "edges": []},
    "/v1/relocate": {"nodes": [], "before": "", "after": ""},
    "/v1/local-models/pull": {"id": "a/b"},
}


def checked(client: httpx2.Client, edited: Any, **more: Any) -> dict[str, Any]:
    body = {"document": edited.to_json(), "name": "blur", **more}
    answer = client.post("/v1/check", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def states(found: dict[str, Any]) -> dict[str, str]:
    return {name: node["state"] for name, node in found["nodes"].items()}


@pytest.mark.parametrize(("method", "path"), OF_THE_OWNER)
def test_a_stranger_is_refused(method: str, path: str, stranger: httpx2.Client) -> None:
    answer = stranger.request(method, path, json=BODIES.get(path))
    assert answer.status_code == 401
    assert answer.json()["problems"][0]["code"] == "unauthorized"


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}])
def test_a_page_of_another_site_is_refused_with_the_owners_cookie(
    headers: dict[str, str], owner: httpx2.Client
) -> None:
    assert owner.get("/v1/status", headers=headers).status_code == 403


def test_a_key_opens_one_session(editor: LiveEditor, stranger: httpx2.Client) -> None:
    key = editor.sessions.new_key()
    first = stranger.post("/v1/session", json={"key": key})
    assert first.status_code == 204
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    with editor.stranger() as other:
        assert other.post("/v1/session", json={"key": key}).status_code == 401
        assert other.post("/v1/session", json={"key": "guessed"}).status_code == 401
    assert stranger.get("/v1/status").json()["owner"] is True


def test_the_page_runs_scripts_of_this_server_alone(stranger: httpx2.Client) -> None:
    page = stranger.get("/editor/")
    assert page.status_code == 200 and "<script" in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "require-trusted-types-for 'script'" in policy
    script = page.text.partition('src="/editor/')[2].partition('"')[0]
    asset = stranger.get(f"/editor/{script}")
    assert asset.status_code == 200 and "immutable" in asset.headers["cache-control"]
    assert stranger.get("/editor/..%2froutes.py").status_code == 404


def test_what_a_run_would_do_is_what_it_does(owner: httpx2.Client) -> None:
    edited = blur(3.0)
    before = checked(owner, edited)
    assert before["problems"] == [] and before["will_run"] == 2
    assert states(before)["blur"] == "missing"
    job = run(owner, edited)
    assert job["state"] == "done"
    after = checked(owner, edited)
    assert after["will_run"] == 0 and set(states(after).values()) == {"known"}
    changed = checked(owner, blur(4.0))
    assert states(changed) == {
        "photo": "known",
        "blur": "missing",
        "invert": "missing",
        "out": "missing",
    }
    assert checked(owner, blur(3.0))["nodes"] == after["nodes"], "as it was, so is what is known"


def test_results_are_found_by_key_and_images_have_thumbnails(owner: httpx2.Client) -> None:
    run(owner, blur(5.0))
    key = checked(owner, blur(5.0))["nodes"]["blur"]["key"]
    result = owner.get(f"/v1/results/{key}").json()["outputs"]["output"]
    assert (result["width"], result["height"]) == (48, 32)
    whole = Image.open(BytesIO(owner.get(result["url"]).content))
    small = Image.open(BytesIO(owner.get(f"{result['url']}?side=16").content))
    assert whole.size == (48, 32) and max(small.size) == 16 and small.format == "WEBP"
    assert owner.get("/v1/results/" + "0" * 32).status_code == 404


def test_a_workflow_says_where_the_image_of_an_input_is(owner: httpx2.Client) -> None:
    photo = owner.get("/v1/workflows/blur").json()["inputs"]["properties"]["photo"]
    image = Image.open(BytesIO(owner.get(photo["x-default-image"]).content))
    assert image.size == (48, 32)


def test_a_run_up_to_a_node_computes_no_more(owner: httpx2.Client) -> None:
    edited = blur(6.0)
    assert checked(owner, edited, targets=["blur"])["will_run"] == 1
    assert run(owner, edited, targets=["blur"])["state"] == "done"
    assert states(checked(owner, edited))["blur"] == "known"
    assert states(checked(owner, edited))["invert"] == "missing"


def test_a_mistake_is_told_at_its_node_and_spares_the_rest(owner: httpx2.Client) -> None:
    found = checked(owner, blur("much"))
    (problem,) = found["problems"]
    assert (problem["node"], problem["property"]) == ("blur", "radius")
    assert states(found) == {
        "photo": states(found)["photo"],
        "blur": "broken",
        "invert": "broken",
        "out": "broken",
    }
    assert states(found)["photo"] in ("known", "missing", "unneeded")


def test_a_near_miss_can_be_taken(owner: httpx2.Client) -> None:
    misspelled = document({"a": ("lib.pillow.filter.Blurr", {})}, [])
    (problem,) = checked(owner, misspelled)["problems"]
    assert problem["fix"]["value"] == "lib.pillow.filter.Blur"


def test_a_drawn_seed_is_never_known(owner: httpx2.Client) -> None:
    noise = document(
        {
            "noise": ("lib.pillow.draw.GaussianNoise", {"seed": -1, "width": 8, "height": 8}),
            "out": ("nodetool.output.Output", {"name": "x"}),
        },
        ["noise.output > out.value"],
    )
    for _ in range(2):
        found = checked(owner, noise)["nodes"]["noise"]
        assert (found["state"], found["key"]) == ("volatile", None)
        assert run(owner, noise)["state"] == "done"


def test_a_file_is_saved_as_lines_and_not_over_anothers_changes(
    editor: LiveEditor, owner: httpx2.Client
) -> None:
    new = blur(1.0).to_json()
    made = owner.put("/v1/workflows/mine/night/document", json=new)
    assert made.status_code == 422 or made.status_code == 200, made.text
    first = owner.put("/v1/workflows/mine/document", json=new)
    assert first.status_code == 200 and first.json()["problems"] == []
    assert owner.put("/v1/workflows/mine/document", json=new).status_code == 412, "it exists"
    etag = first.json()["etag"]
    path = editor.graphs / "mine.json"
    assert sum('"type": "lib.pillow' in line for line in path.read_text().splitlines()) == 2
    assert owner.get("/v1/workflows/mine/document").headers["etag"] == etag
    path.write_text(path.read_text().replace("1.0", "9.0"))
    stale = owner.put(
        "/v1/workflows/mine/document", json=blur(2.0).to_json(), headers={"if-match": etag}
    )
    assert stale.status_code == 412 and stale.headers["etag"] != etag
    assert "9.0" in path.read_text()
    saved = owner.put(
        "/v1/workflows/mine/document",
        json=blur(2.0).to_json(),
        headers={"if-match": stale.headers["etag"]},
    )
    assert saved.status_code == 200
    (version,) = owner.get("/v1/workflows/mine/versions").json()["versions"]
    kept = owner.get(f"/v1/workflows/mine/versions/{version['id']}")
    assert "9.0" in kept.text, "what somebody else wrote is not lost"


def test_a_node_that_is_moved_is_one_line_and_no_other_key(
    editor: LiveEditor, owner: httpx2.Client
) -> None:
    """What `git diff` shows of it, and what a run would do."""
    before, moved = blur(1.5).to_json(), blur(1.5).to_json()
    moved["graph"]["nodes"][1]["ui_properties"]["position"] = {"x": 8, "y": 400}
    texts, headers = [], {"if-none-match": "*"}
    for content in (before, moved):
        saved = owner.put("/v1/workflows/line/document", json=content, headers=headers)
        headers = {"if-match": saved.json()["etag"]}
        texts.append((editor.graphs / "line.json").read_text("utf-8").splitlines())
    different = [pair for pair in zip(*texts, strict=True) if len(set(pair)) > 1]
    assert len(different) == 1 and '"x": 8' in different[0][1]
    keys = [
        {name: node["key"] for name, node in found["nodes"].items()}
        for found in (checked(owner, WorkflowDocument.from_json(one)) for one in (before, moved))
    ]
    assert keys[0] == keys[1]


def test_an_error_code_is_explained(owner: httpx2.Client) -> None:
    found = owner.get("/v1/problems/missing_image").json()
    assert found["code"] == "missing_image" and found["do"]
    refused = owner.get("/v1/problems/mising_image")
    assert refused.status_code == 404 and "missing_image" in refused.text


def test_the_document_has_what_the_owner_may_run_beside_what_clients_may(
    owner: httpx2.Client,
) -> None:
    document = owner.get("/v1/openapi.json").json()
    body = document["paths"]["/v1/runs"]["post"]["requestBody"]
    either = body["content"]["application/json"]["schema"]["anyOf"]
    names = [one["$ref"].rpartition("/")[2] for one in either]
    fields = [set(document["components"]["schemas"][name]["properties"]) for name in names]
    assert {"targets", "name", "label"} <= fields[1] - fields[0]
    assert {"idempotency_key", "inline"} <= fields[0] - fields[1]


def test_a_new_file_names_its_packs_and_others_stay_as_they_are(
    editor: LiveEditor, owner: httpx2.Client
) -> None:
    before = (editor.graphs / "blur.json").read_bytes()
    etag = owner.get("/v1/workflows/blur/document").headers["etag"]
    saved = owner.put(
        "/v1/workflows/blur/document", json=json.loads(before), headers={"if-match": etag}
    )
    assert saved.status_code == 200
    assert "packs" not in json.loads((editor.graphs / "blur.json").read_bytes())
    made = owner.put("/v1/workflows/new/document", json=blur().to_json())
    # The page saves what it has, which is without what the server wrote.
    owner.put(
        "/v1/workflows/new/document",
        json=blur(2.0).to_json(),
        headers={"if-match": made.json()["etag"]},
    )
    assert "nodetool-imaging" in json.loads((editor.graphs / "new.json").read_bytes())["packs"]


def test_a_document_with_mistakes_is_saved_too(editor: LiveEditor, owner: httpx2.Client) -> None:
    answer = owner.put("/v1/workflows/wrong/document", json=blur("much").to_json())
    assert answer.status_code == 200 and answer.json()["problems"]
    assert (editor.graphs / "wrong.json").is_file()
    assert "wrong" in owner.get("/v1/workflows").json()["problems"]


@pytest.mark.parametrize(
    "name", ["..%2fout", "a%2f..%2f..%2fout", ".hidden", "con", "a%00b", "a%5cb", "x."]
)
def test_a_name_can_not_lead_out_of_the_folder(name: str, owner: httpx2.Client) -> None:
    answer = owner.put(f"/v1/workflows/{name}/document", json=blur().to_json())
    assert answer.status_code in (404, 422), answer.text


def test_a_link_out_of_the_folder_is_not_followed(
    editor: LiveEditor, owner: httpx2.Client, tmp_path: Any
) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (editor.graphs / "link.json").symlink_to(tmp_path / "secret.json")
    try:
        assert owner.get("/v1/workflows/link/document").status_code == 403
        answer = owner.put("/v1/workflows/link/document", json=blur().to_json())
        assert answer.status_code == 403 and (tmp_path / "secret.json").read_text() == "{}"
    finally:
        (editor.graphs / "link.json").unlink()


def test_drafts_moves_and_deletes(editor: LiveEditor, owner: httpx2.Client) -> None:
    owner.put("/v1/workflows/old/document", json=blur(1.5).to_json())
    assert owner.get("/v1/workflows/old/draft").json() is None
    draft = {"document": blur(7.5).to_json(), "etag": ""}
    assert owner.put("/v1/workflows/old/draft", json=draft).status_code == 204
    assert owner.get("/v1/workflows/old/draft").json()["document"] == draft["document"]
    assert owner.post("/v1/workflows/old/move", json={"to": "renamed"}).status_code == 200
    assert not (editor.graphs / "old.json").exists()
    assert owner.get("/v1/workflows/renamed/draft").json()["document"] == draft["document"]
    assert owner.post("/v1/workflows/renamed/move", json={"to": "blur"}).status_code == 412
    assert owner.delete("/v1/workflows/renamed").status_code == 204
    assert owner.get("/v1/workflows/renamed/document").status_code == 404
    (version,) = owner.get("/v1/workflows/renamed/versions").json()["versions"]
    assert version["bytes"] > 0, "what was deleted can be had back"


def test_files_that_are_dropped_are_told_apart(editor: LiveEditor, owner: httpx2.Client) -> None:
    def read(content: bytes, name: str) -> dict[str, Any]:
        answer = owner.post(f"/v1/read?name={name}", content=content)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert read(blur().to_bytes(), "a.json")["document"]["graph"]["nodes"][1]["id"] == "blur"
    photo = read((editor.graphs / "photo.png").read_bytes(), "p.png")
    assert photo["kind"] == "image" and photo["upload"]["width"] == 48 and "document" not in photo
    job = run(owner, blur(8.0))
    made = read(owner.get(job["outputs"]["result"]["url"]).content, "made.png")
    assert made["kind"] == "image"
    assert made["document"]["graph"]["nodes"], "an image brings the workflow that made it"
    comfy = {"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}
    assert read(json.dumps(comfy).encode(), "c.json")["kind"] in ("comfyui", "unknown")
    comfy |= {"2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}}}
    comfy |= {"3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}}}
    whole = read(json.dumps(comfy).encode(), "my%2Fnight out.json")
    assert whole["grade"] and {one["node"] for one in whole["report"]} >= {"ImageInvert (2)"}
    assert whole["document"]["name"] == "night out", "as the file is called, which has no folder"
    refused = read(json.dumps({"7": {"class_type": "Odd", "inputs": {}}}).encode(), "odd.json")
    assert any("odd.json" in one["where"] for one in refused["notes"]), "not where it was kept"
    assert read(b"nothing", "x.bin")["kind"] == "unknown"
    text = "a lake\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Model: small"
    theirs = encode_image(Image.new("RGB", (8, 8)), "PNG", infotext=text)
    other = read(theirs, "theirs.png")
    assert (
        other["upload"]["width"] == 8 and other["document"]["graph"]["nodes"] and other["notes"]
    ), "both can be taken"


def test_the_stream_tells_of_a_job_from_its_beginning(owner: httpx2.Client) -> None:
    with owner.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        job = owner.post("/v1/runs", json={"workflow": blur(9.0).to_json(), "name": "blur"}).json()[
            "id"
        ]
        found = []
        for line in lines:
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                if event["job"] == job and event["n"]:
                    found.append(event)
            if found and found[-1]["event"] == "job_ended":
                break
    assert [event["n"] for event in found] == list(range(1, len(found) + 1))
    names = [event["event"] for event in found]
    assert names[0] == "job_queued" and names.count("node_finished") == 4


def test_images_of_each_step_are_shown_and_not_stored(owner: httpx2.Client) -> None:
    painted = document(
        {
            "draw": (
                "huggingface.text_to_image.TextToImage",
                {"prompt": "a lake", "num_inference_steps": 4, "seed": 1},
            ),
            "out": ("nodetool.output.Output", {"name": "result"}),
        },
        ["draw.output > out.value"],
    )
    previews = []
    with owner.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        job = owner.post("/v1/runs", json={"workflow": painted.to_json()}).json()["id"]
        for line in lines:
            if not line.startswith("data: "):
                continue
            event = json.loads(line.removeprefix("data: "))
            if event["job"] == job and event["event"] == "node_preview":
                previews.append(event)
            if event["job"] == job and event["event"] == "job_ended":
                assert event["state"] == "done"
                break
    assert previews and {event["node_id"] for event in previews} == {"draw"}
    content = base64.b64decode(previews[-1]["image"].partition(",")[2])
    assert max(Image.open(BytesIO(content)).size) <= 256
    stored = owner.get(f"/v1/jobs/{job}/events").text
    assert "node_preview" not in stored


def test_nodes_are_tidied_from_left_to_right(owner: httpx2.Client) -> None:
    nodes = [{"id": name, "width": 200, "height": 100} for name in "abc"]
    edges = [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]
    places = owner.post("/v1/layout", json={"nodes": nodes, "edges": edges}).json()["positions"]
    assert places["a"]["x"] < places["b"]["x"] < places["c"]["x"]
    circle = [*edges, {"source": "c", "target": "a"}]
    answer = owner.post("/v1/layout", json={"nodes": nodes, "edges": circle})
    assert answer.status_code == 200 and len(answer.json()["positions"]) == 3


def test_the_catalogue_says_what_may_be_connected(owner: httpx2.Client) -> None:
    answer = owner.get("/v1/nodes")
    found = answer.json()
    by_type = {node["type"]: node for node in found["nodes"]}
    node = by_type["lib.pillow.filter.Blur"]
    (output,) = node["outputs"]
    image = next(prop for prop in node["properties"] if prop["name"] == "image")
    radius = next(prop for prop in node["properties"] if prop["name"] == "radius")
    assert found["accepts"][output["type"]][image["type"]] == 1
    assert found["accepts"][output["type"]][radius["type"]] == 0
    assert found["types"][image["type"]]["kind"] == "image" and radius["min"] >= 0
    again = owner.get("/v1/nodes", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


def test_an_image_beside_the_workflow_is_shown_and_none_outside(
    editor: LiveEditor, owner: httpx2.Client, tmp_path: Path
) -> None:
    shown = owner.get("/v1/workflows/blur/files?path=photo.png&side=16")
    assert max(Image.open(BytesIO(shown.content)).size) == 16
    outside = tmp_path / "other.png"
    Image.new("RGB", (4, 4)).save(outside)
    (editor.graphs / "link.png").symlink_to(outside)
    for path in (str(outside), "../photo.png", "link.png", "blur.json", "none.png", "a\0b"):
        answer = owner.get("/v1/workflows/blur/files", params={"path": path})
        assert answer.status_code == 404, path


def test_stored_images_have_thumbnails(owner: httpx2.Client) -> None:
    image = BytesIO()
    Image.new("RGB", (64, 32), "red").save(image, "PNG")
    kept = owner.post("/v1/uploads", content=image.getvalue()).json()
    small = owner.get(f"/v1/files/{kept['asset_id']}?side=16")
    assert Image.open(BytesIO(small.content)).size == (16, 8)
    assert owner.get(f"/v1/files/{kept['asset_id']}").content == image.getvalue()


def test_jobs_are_named_kept_and_removed(owner: httpx2.Client) -> None:
    job = run(owner, blur(8.5), label="soft")["id"]
    changed = owner.patch(f"/v1/jobs/{job}", json={"kept": True}).json()
    assert (changed["label"], changed["kept"]) == ("soft", True)
    kept = owner.get("/v1/jobs?kept=true&with=outputs").json()["jobs"]
    assert [one["id"] for one in kept] == [job] and "result" in kept[0]["outputs"]
    assert owner.delete(f"/v1/jobs/{job}").status_code == 204
    assert owner.get(f"/v1/jobs/{job}").status_code == 404
    assert owner.patch(f"/v1/jobs/{job}", json={}).status_code == 404


def test_the_stream_says_what_a_run_will_compute(owner: httpx2.Client) -> None:
    with owner.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        body = {"workflow": blur(9.25).to_json(), "name": "blur"}
        job = owner.post("/v1/runs", json=body).json()["id"]
        events = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
        needed = next(one for one in events if (one["job"], one["event"]) == (job, "node_needed"))
    assert needed["ids"] == ["blur", "invert", "out"]


def test_a_workflow_node_has_the_ports_of_its_workflow(
    editor: LiveEditor, owner: httpx2.Client
) -> None:
    """Its inputs, with their values and bounds, come before what every such node has."""
    inner = document(
        {
            "photo": ("nodetool.input.ImageInput", {"name": "photo"}),
            "size": ("nodetool.input.FloatInput", {"name": "radius", "value": 3.0, "max": 9.0}),
            "blur": ("lib.pillow.filter.Blur", {}),
            "out": ("nodetool.output.Output", {"name": "soft"}),
        },
        ["photo.output > blur.image", "size.output > blur.radius", "blur.output > out.value"],
    )
    (editor.graphs / "inner.json").write_bytes(inner.to_bytes())
    outer = document(
        {
            "call": ("nodetool.workflows.workflow_node.WorkflowNode", {"path": "inner.json"}),
            "lost": ("nodetool.workflows.workflow_node.WorkflowNode", {"path": "none.json"}),
        },
        [],
    )
    answer = owner.post("/v1/check", json={"document": outer.to_json()}).json()
    ports = answer["nodes"]["call"]["ports"]
    assert [one["name"] for one in ports["properties"]][:2] == ["photo", "radius"]
    assert (ports["properties"][1]["default"], ports["properties"][1]["max"]) == (3.0, 9.0)
    types = {one["id"]: one["name"] for one in owner.get("/v1/nodes").json()["types"]}
    (output,) = ports["outputs"]
    assert (output["name"], types[output["type"]]) == ("soft", "image")
    assert "ports" not in answer["nodes"]["lost"]


def test_a_mistake_behind_a_workflow_node_is_at_its_own_node(owner: httpx2.Client) -> None:
    """Workflow nodes stand for several nodes, which must not shift the places of others."""
    outer = document(
        {
            "call": (
                "nodetool.workflows.workflow_node.WorkflowNode",
                {"workflow_json": blur().to_json()},
            ),
            "wrong": ("lib.pillow.filter.Blur", {"radius": -1}),
        },
        [],
    )
    answer = owner.post("/v1/check", json={"document": outer.to_json()}).json()
    assert {one.get("node") for one in answer["problems"]} == {"wrong"}


def test_a_bypassed_node_is_not_needed(owner: httpx2.Client) -> None:
    made = blur(1.75)
    made.graph.nodes[1].ui_properties["bypassed"] = True
    answer = owner.post("/v1/check", json={"document": made.to_json(), "name": "blur"}).json()
    states = {name: node["state"] for name, node in answer["nodes"].items()}
    assert (states["blur"], states["invert"], answer["total"]) == ("unneeded", "missing", 1)
