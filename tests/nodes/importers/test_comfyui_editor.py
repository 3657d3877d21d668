"""The format of ComfyUI's editor: subgraphs, what only leads links, and what it looks like."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from nodetool_core import WorkflowError
from nodetool_core.importing.draft import Grade
from tests.nodes.importers.conftest import content_of, edges, from_content, said, values

SUBGRAPH = "5f1b2c52-0000-4000-8000-000000000001"
OUTER = "5f1b2c52-0000-4000-8000-000000000002"


def node(node_id: int, kind: str, inputs: Any = (), outputs: Any = (), **more: Any) -> Any:
    """Return a node; an input is `name:TYPE=link`, with `!` behind it where it is a widget."""
    slots = []
    for given in inputs:
        name, _, rest = given.partition(":")
        of_type, _, link = rest.rstrip("!").partition("=")
        slot: dict[str, Any] = {"name": name, "type": of_type, "link": int(link) if link else None}
        slots.append(slot | ({"widget": {"name": name}} if given.endswith("!") else {}))
    given_out = [{"name": kind_of, "type": kind_of, "links": []} for kind_of in outputs]
    return {"id": node_id, "type": kind, "inputs": slots, "outputs": given_out, **more}


def link(number: int, origin: int, slot: int, target: int, at: int) -> dict[str, Any]:
    """Return a link as schema version 1 writes it."""
    ends = {"origin_id": origin, "origin_slot": slot, "target_id": target, "target_slot": at}
    return {"id": number, **ends, "type": "*"}


def generate() -> dict[str, Any]:
    """Return a subgraph: prompt, width and seed in, image out."""
    return {
        "id": SUBGRAPH,
        "name": "Generate",
        "inputNode": {"id": -10},
        "outputNode": {"id": -20},
        "inputs": [
            {"name": name, "type": "*", "linkIds": [number]}
            for name, number in (("text", 1), ("width", 2), ("seed", 3))
        ],
        "outputs": [{"name": "IMAGE", "type": "IMAGE", "linkIds": [20]}],
        "nodes": [
            node(
                1,
                "CheckpointLoaderSimple",
                outputs=("MODEL", "CLIP", "VAE"),
                widgets_values=["a.safetensors"],
                pos=[0, 0],
                size=[200, 100],
            ),
            node(
                2,
                "CLIPTextEncode",
                ("clip:CLIP=5", "text:STRING=1!"),
                ("CONDITIONING",),
                widgets_values=["a lake"],
                pos=[300, 0],
            ),
            node(
                3,
                "ConditioningZeroOut",
                ("conditioning:CONDITIONING=6",),
                ("CONDITIONING",),
                widgets_values=[],
            ),
            node(
                4,
                "EmptyLatentImage",
                ("width:INT=2!",),
                ("LATENT",),
                widgets_values=[512, 256, 1],
            ),
            node(
                5,
                "KSampler",
                (
                    *("model:MODEL=7", "positive:CONDITIONING=8", "negative:CONDITIONING=9"),
                    *("latent_image:LATENT=10", "seed:INT=3!"),
                ),
                ("LATENT",),
                widgets_values=[9, "randomize", 20, 7, "euler", "normal", 1],
                pos=[600, 0],
            ),
            node(6, "VAEDecode", ("samples:LATENT=11", "vae:VAE=12"), ("IMAGE",)),
        ],
        "links": [
            link(1, -10, 0, 2, 1),
            link(2, -10, 1, 4, 0),
            link(3, -10, 2, 5, 4),
            link(5, 1, 1, 2, 0),
            link(6, 2, 0, 3, 0),
            link(7, 1, 0, 5, 0),
            link(8, 2, 0, 5, 1),
            link(9, 3, 0, 5, 2),
            link(10, 4, 0, 5, 3),
            link(11, 5, 0, 6, 0),
            link(12, 1, 2, 6, 1),
            link(20, 6, 0, -20, 0),
        ],
    }


def workflow(instance: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a file that uses the subgraph once and saves its image."""
    inputs = ("text:STRING!", "width:INT!", "seed:INT!")
    used = node(57, SUBGRAPH, inputs, ("IMAGE",), widgets_values=[], pos=[50, 60], size=[200, 80])
    saved = node(9, "SaveImage", ("images:IMAGE=62",), widgets_values=["lake"], pos=[400, 60])
    return {
        "nodes": [used | (instance or {}), saved],
        "links": [[62, 57, 0, 9, 0, "IMAGE"], None],
        "definitions": {"subgraphs": [generate()]},
        "version": 0.4,
    }


def test_a_subgraph_is_put_in_place_with_the_values_inside() -> None:
    result = from_content(workflow())
    wanted = {"prompt": "a lake", "width": 512, "height": 256, "seed": 9, "negative_prompt": ""}
    assert values(result, "57:5") | wanted == values(result, "57:5")
    assert edges(result) == {"57:1.output > 57:5.model", "57:5.output > 9.value"}
    assert any(
        note.where == "CheckpointLoaderSimple (57:1) in Generate" for note in result.notes
    ), "messages name the subgraph"


@pytest.mark.parametrize(
    "instance",
    [
        {"widgets_values": ["a storm", 640, 77]},
        {
            "widgets_values": [77, "a storm", 640],
            "properties": {"proxyWidgets": [["5", "seed"], ["-1", "text"], ["4", "width"]]},
        },
    ],
    ids=["by the inputs of its definition", "by the nodes inside"],
)
def test_values_in_the_form_of_a_subgraph_stand_above_those_inside(
    instance: dict[str, Any],
) -> None:
    made = values(from_content(workflow(instance)), "57:5")
    assert made | {"prompt": "a storm", "width": 640, "seed": 77} == made


def test_a_link_to_a_subgraph_stands_above_its_form() -> None:
    content = workflow({"widgets_values": ["a storm", 640, 77]})
    content["nodes"][0]["inputs"][1]["link"] = 70
    content["nodes"].append(node(8, "PrimitiveInt", (), ("INT",), widgets_values=[768, "fixed"]))
    content["links"].append([70, 8, 0, 57, 1, "INT"])
    result = from_content(content)
    assert "8.output > 57:5.width" in edges(result) and values(result, "8") == {"value": 768}


def nested(depth: int = 1) -> dict[str, Any]:
    """Return a file whose subgraph is inside of others, so many deep."""
    content = workflow()
    inner = SUBGRAPH
    for level in range(depth):
        outer = f"{OUTER}-{level}"
        content["definitions"]["subgraphs"].append(
            {
                "id": outer,
                "name": f"Outer {level}",
                "inputs": [{"name": "prompt", "type": "STRING"}],
                "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
                "nodes": [node(3, inner, (f"{_input(level)}:STRING=1!",), ("IMAGE",))],
                "links": [link(1, -10, 0, 3, 0), link(2, 3, 0, -20, 0)],
            }
        )
        inner = outer
    content["nodes"][0] |= {"type": inner, "inputs": [{"name": "prompt", "link": None}]}
    return content


def _input(level: int) -> str:
    return "prompt" if level else "text"


def test_nested_subgraphs_and_the_outermost_value() -> None:
    content = nested(3)
    result = from_content(content)
    assert values(result, "57:3:3:3:5")["prompt"] == "a lake"
    assert any(
        note.where.endswith(" in Outer 2, Outer 1, Outer 0, Generate") for note in result.notes
    )
    content["nodes"][0]["widgets_values"] = ["a storm"]
    assert values(from_content(content), "57:3:3:3:5")["prompt"] == "a storm"


def test_two_instances_of_a_subgraph_are_two() -> None:
    content = workflow()
    other = copy.deepcopy(content["nodes"][0]) | {"id": 58, "widgets_values": ["a storm", 1, 2]}
    content["nodes"] += [other, node(10, "PreviewImage", ("images:IMAGE=63",))]
    content["links"].append([63, 58, 0, 10, 0, "IMAGE"])
    result = from_content(content)
    assert values(result, "57:5")["prompt"] == "a lake"
    assert values(result, "58:5")["prompt"] == "a storm"
    places = {
        made.id: made.ui_properties["position"]
        for made in result.document.graph.nodes
        if "position" in made.ui_properties
    }
    assert places["57:5"]["y"] != places["58:5"]["y"], "they do not lie on one another"
    assert places["57:5"]["x"] - places["57:1"]["x"] == 600


def test_a_subgraph_that_is_bypassed_or_muted() -> None:
    content = workflow({"mode": 4})
    content["nodes"][0]["inputs"].append({"name": "image", "type": "IMAGE", "link": 71})
    content["nodes"].append(node(8, "LoadImage", (), ("IMAGE", "MASK"), widgets_values=["a.png"]))
    content["links"].append([71, 8, 0, 57, 3, "IMAGE"])
    result = from_content(content)
    assert edges(result) == {"8.output > 9.value"}
    assert any(note.where == "Generate (57)" for note in result.notes)
    with pytest.raises(WorkflowError, match="has no output"):
        from_content(workflow({"mode": 2}))


def test_set_and_get_nodes_and_reroutes_only_lead_links() -> None:
    content = content_of("faults/base")
    nodes = {item["id"]: item for item in content["nodes"]}
    content["nodes"] += [
        node(20, "SetNode", ("MODEL:MODEL=90",), ("*",), widgets_values=["the model"]),
        node(21, "GetNode", (), ("MODEL",), widgets_values=["the model"]),
        node(22, "Reroute", (":*=91",), ("*",)),
    ]
    nodes[5]["inputs"][0]["link"] = 92
    content["links"] += [
        [90, 1, 0, 20, 0, "MODEL"],
        [91, 21, 0, 22, 0, "MODEL"],
        [92, 22, 0, 5, 0, "MODEL"],
    ]
    result = from_content(content)
    assert "1.output > 5.model" in edges(result) and said(result) == []


def test_the_app_mode_of_a_file_becomes_inputs() -> None:
    content = workflow()
    shown = [["57", "text"], ["57", "seed"], ["9", "filename_prefix"]]
    content["extra"] = {"linearData": {"inputs": shown, "outputs": ["9"]}}
    result = from_content(content)
    assert {"input_text.output > 57:5.prompt", "input_seed.output > 57:5.seed"} <= edges(result)
    assert values(result, "input_text") == {"name": "text", "value": "a lake"}
    assert values(result, "input_seed") == {"name": "seed", "value": 9}
    assert values(result, "57:5")["width"] == 512


def test_places_sizes_titles_colours_and_groups_are_kept() -> None:
    content = content_of("faults/base")
    sampler = next(item for item in content["nodes"] if item["id"] == 5)
    sampler |= {"title": "The fox", "color": "#232", "bgcolor": "#353"}
    sampler |= {"pos": {"0": 4, "1": 5}, "size": {"0": 300, "1": 200}}
    content["groups"] = [{"title": "Step 1", "bounding": [1, 2, 3, 4], "color": "#3f789e"}]
    made = {item.id: item for item in from_content(content).document.graph.nodes}
    assert made["5"].ui_properties == {
        **{"title": "The fox", "position": {"x": 4.0, "y": 5.0}, "color": "#232"},
        **{"bgcolor": "#353", "width": 300.0, "height": 200.0},
    }
    assert made["group_0"].data["headline"] == "Step 1"
    assert made["group_0"].ui_properties["position"] == {"x": 1.0, "y": 2.0}


def test_groups_become_frames_around_their_nodes() -> None:
    """A node is in the smallest group around its middle; a group without nodes is a note."""
    content = content_of("faults/base")
    by_id = {item["id"]: item for item in content["nodes"]}
    by_id[5] |= {"pos": [100, 100], "size": [200, 100]}
    by_id[7] |= {"pos": [-150, 300], "size": [200, 100]}
    content["groups"] = [
        {"title": "All", "bounding": [-500, -500, 5000, 5000], "color": "#3f789e"},
        {"title": "Sample", "bounding": [90, 60, 220, 150]},
        {"title": "Far", "bounding": {"0": 9000, "1": 9000, "2": 10, "3": 10}},
    ]
    document = from_content(content).document.to_json()
    ids = {item["id"] for item in document["graph"]["nodes"]}
    first, second = document["editor"]["frames"]
    assert (first["title"], first["color"]) == ("All", "#3f789e")
    assert (second["title"], second["nodes"]) == ("Sample", ["5"])
    assert "5" not in first["nodes"] and set(first["nodes"]) <= ids
    assert "group_2" in ids and not {"group_0", "group_1"} & ids


def test_addresses_of_files_become_references_to_the_hub() -> None:
    content = content_of("faults/base")
    loader = next(item for item in content["nodes"] if item["id"] == 1)
    address = "https://huggingface.co/owner/name/resolve/main/folder/sd_xl_base_1.0.safetensors"
    loader["properties"] = {"models": [{"name": "sd_xl_base_1.0.safetensors", "url": address}]}
    result = from_content(content)
    assert values(result, "1")["value"] == {
        "type": "hf.model",
        "repo_id": "owner/name",
        "path": "folder/sd_xl_base_1.0.safetensors",
    }
    assert any(
        "nodetool models pull owner/name --path folder/sd_xl_base_1.0.safetensors" in note.hint
        for note in result.notes
    )


def circle_of_reroutes() -> dict[str, Any]:
    content = workflow()
    content["nodes"] += [node(30, "Reroute", (":*=81",)), node(31, "Reroute", (":*=80",))]
    content["links"] += [[80, 30, 0, 31, 0, "*"], [81, 31, 0, 30, 0, "*"]]
    content["nodes"][1]["inputs"][0]["link"] = 80
    return content


def containing_itself() -> dict[str, Any]:
    content = workflow()
    content["definitions"]["subgraphs"][0]["nodes"].append(node(99, SUBGRAPH))
    return content


def doubling() -> dict[str, Any]:
    """Return a file of sixty subgraphs, each with two of the next: 2 ** 60 nodes."""
    content = nested(60)
    for definition in content["definitions"]["subgraphs"][1:]:
        definition["nodes"].append(definition["nodes"][0] | {"id": 4})
    return content


REFUSED = {
    "circle": (circle_of_reroutes, "its links run in a circle"),
    "itself": (containing_itself, "the subgraph 'Generate' contains itself"),
    "deep": (lambda: nested(1000), "nested more than 64 deep"),
    "many": (doubling, "it has more than 20000 nodes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_subgraphs_that_can_not_be(name: str) -> None:
    make, says = REFUSED[name]
    with pytest.raises(WorkflowError, match=says):
        from_content(make())


def test_links_to_nothing_are_said() -> None:
    content = workflow()
    content["nodes"].append(node(11, "PreviewImage", ("images:IMAGE=64",)))
    content["links"].append([64, 404, 0, 11, 0, "IMAGE"])
    result = from_content(content)
    assert result.grade is Grade.LOSSES
    assert "it needs node 404, which is not in the file" in said(result)[0]
