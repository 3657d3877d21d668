"""Workflows of ours as ComfyUI's: the form of the file, and that it means the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.importers.comfyui.class_table import CLASSES
from nodes.importers.comfyui.export_rules import RULES
from nodetool_core import WorkflowError
from nodetool_core.importing.draft import Grade
from nodetool_core.importing.exporting import Exported, export, values_of
from nodetool_core.models.diffusers.prompt_syntax import parse
from nodetool_core.workflow import WorkflowDocument
from tests.nodes.importers.conftest import REGISTRY, from_content

GRAPHS = Path(__file__).parents[3] / "graphs"
SAMPLERS = {
    "huggingface.text_to_image.TextToImage",
    "huggingface.image_to_image.ImageToImage",
    "huggingface.image_to_image.Inpainting",
}


def exported(document: WorkflowDocument) -> Exported:
    return export(document, "comfyui", REGISTRY, "workflow")


def check_form(content: dict[str, Any]) -> None:
    """Check a graph as ComfyUI's server does: classes, required inputs, links and their types."""
    for node in json.loads(json.dumps(content)).values():
        described = CLASSES[node["class_type"]]
        kinds = {**described.required, **described.optional}
        assert described.required.keys() <= node["inputs"].keys() <= kinds.keys()
        for name, value in node["inputs"].items():
            kind = kinds[name][0] if isinstance(kinds[name], list) else "COMBO"
            if isinstance(value, list):
                source, index = value
                assert CLASSES[content[source]["class_type"]].gives[index] == kind
            elif isinstance(kind, list):
                assert value in kind
            else:
                expected = {"INT": int, "FLOAT": (int, float), "BOOLEAN": bool}.get(kind, str)
                assert isinstance(value, expected), (node, name)


@dataclass
class Made:
    """A workflow in the making."""

    data: st.DataObject
    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, str]] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)
    masks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def types(self) -> dict[str, str]:
        return {node["id"]: node["type"] for node in self.nodes}

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    def add(self, node_type: str, _id: str = "", **data: Any) -> str:
        """Add a node; a pair as a value is an output that an edge comes from."""
        node_id = _id or f"n{len(self.nodes)}"
        for name, value in list(data.items()):
            if isinstance(value, tuple):
                edge = {"source": value[0], "sourceHandle": value[1], "target": node_id}
                self.edges.append(edge | {"targetHandle": name})
                del data[name]
        self.nodes.append({"id": node_id, "type": node_type, "data": data})
        return node_id

    def image(self) -> tuple[str, str]:
        return self.draw(st.sampled_from(self.images))  # type: ignore[no-any-return]

    def mask(self) -> tuple[str, str]:
        return self.draw(st.sampled_from(self.masks))  # type: ignore[no-any-return]

    def document(self) -> WorkflowDocument:
        return WorkflowDocument.from_json({"graph": {"nodes": self.nodes, "edges": self.edges}})


_WITHOUT_RESULT = {"Output", "ImageInput", "HuggingFaceModelInput", "FromAlpha", "Integer"}
SIDE = st.integers(2, 128).map(lambda side: side * 8)
LEVEL = st.integers(3, 252)
METHOD = st.sampled_from(["lanczos", "bicubic", "bilinear", "area", "nearest"])
WORDS = st.text("ab ,():1.2", max_size=20)
SEED = st.integers(0, 2**63 - 1)
FILES = st.sampled_from(["a.safetensors", "folder/b.safetensors", "c_xl.safetensors"])
SCHEDULERS = st.sampled_from(
    [
        *("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DDIMScheduler"),
        *("DPMSolverMultistepScheduler karras", "DPMSolverMultistepScheduler sde karras"),
        "UniPCMultistepScheduler",
    ]
)


def add_image_step(made: Made) -> None:
    """Add a node that makes an image of images, or a mask."""
    image = made.image()
    kind = made.draw(st.integers(0, 10))
    if kind == 0:
        width, height, fit = made.draw(SIDE), made.draw(SIDE), made.draw(st.booleans())
        more = {"fit": "crop" if fit else "stretch", "method": made.draw(METHOD)}
        new = made.add("nodetool.image.Resize", image=image, width=width, height=height, **more)
    elif kind == 1:
        scale = made.draw(st.floats(0.01, 8.0))
        new = made.add("nodetool.image.Scale", image=image, scale=scale, method=made.draw(METHOD))
    elif kind == 2:
        left, top = made.draw(st.integers(0, 99)), made.draw(st.integers(0, 99))
        box = {"right": left + made.draw(SIDE), "bottom": top + made.draw(SIDE)}
        new = made.add("nodetool.image.Crop", image=image, left=left, top=top, **box)
    elif kind == 3:
        modes = st.sampled_from(["normal", "multiply", "subtract", "soft_light"])
        alpha, mode = made.draw(st.floats(0, 1)), made.draw(modes)
        layers = {"image1": image, "image2": made.image()}
        new = made.add("lib.pillow.Blend", **layers, alpha=alpha, blend_mode=mode)
    elif kind == 4:
        layers = {"image1": image, "image2": made.image(), "mask": made.mask()}
        new = made.add("lib.pillow.Composite", **layers)
    elif kind == 5:
        at = {"left": made.draw(st.integers(1, 99)), "top": made.draw(st.integers(0, 99))}
        more = {"mask": made.mask()} if made.draw(st.booleans()) else {}
        new = made.add("nodetool.image.Paste", image=image, paste=made.image(), **at, **more)
    elif kind == 6:
        colour = {"type": "color", "value": f"#{made.draw(st.integers(0, 0xFFFFFF)):06x}"}
        size = {"width": made.draw(SIDE), "height": made.draw(SIDE)}
        new = made.add("lib.pillow.draw.Background", **size, color=colour)
    elif kind == 7:
        sides = {name: made.draw(st.integers(0, 99)) for name in ("left", "top", "feather")}
        new = made.add("lib.pillow.mask.PadForOutpainting", image=image, **sides)
        made.masks.append((new, "mask"))
    elif kind == 8:
        levels = {"low_threshold": made.draw(LEVEL), "high_threshold": made.draw(LEVEL)}
        new = made.add("lib.pillow.filter.Canny", image=image, **levels)
    elif kind == 9:
        more = {"by": "longer_side", "side": made.draw(SIDE), "method": made.draw(METHOD)}
        new = made.add("nodetool.image.Resize", image=image, **more)
    else:
        model = {"type": "hf.real_esrgan", "repo_id": made.draw(FILES)}
        new = made.add("huggingface.image_to_image.Upscale", image=image, model=model)
    made.images.append((new, "output"))


def add_mask_step(made: Made) -> None:
    kind = made.draw(st.integers(0, 3))
    if kind == 0:
        channel = made.draw(st.sampled_from("RGB"))
        new = made.add("lib.pillow.filter.GetChannel", image=made.image(), channel=channel)
    elif kind == 1:
        pixels = made.draw(st.integers(-50, 50))
        new = made.add("lib.pillow.mask.Grow", mask=made.mask(), pixels=pixels)
    elif kind == 2:
        new = made.add("lib.pillow.mask.InvertMask", mask=made.mask())
    else:
        level = made.draw(st.integers(1, 255))
        new = made.add("lib.pillow.mask.Threshold", image=made.mask(), threshold=level)
    made.masks.append((new, "output"))


def add_prompts(made: Made, sampler: str) -> tuple[str, str]:
    """Add prompts beside that of a sampler, each in a place; return the list of them."""
    listed: dict[str, Any] = {}
    for number in range(1, made.draw(st.integers(1, 2)) + 1):
        kind = made.draw(st.integers(0, 3))
        more: dict[str, Any] = {"prompt": made.draw(st.text("ab ,", max_size=9)), **listed}
        if kind == 0:
            more |= {"left": 0.25, "bottom": made.draw(st.sampled_from([0.5, 0.75, 1.0]))}
        elif kind == 1:
            more["mask"] = made.mask()
        elif kind == 2:
            more["strength"] = made.draw(st.floats(1.25, 9))
        if kind > 1:
            more |= {"start": 0.25, "end": made.draw(st.floats(0.5, 1.0))}
        node_id = f"{sampler}_prompt_{number}"
        made.add("huggingface.regions.AddPrompt", node_id, **more)
        listed = {"prompts": (node_id, "output")}
    return listed["prompts"]  # type: ignore[no-any-return]


def add_controls(made: Made, sampler: str) -> tuple[str, str]:
    """Add ControlNets to lead a sampler; return the list of them."""
    listed: dict[str, Any] = {}
    for number in range(1, made.draw(st.integers(1, 2)) + 1):
        share = made.draw(st.floats(0.1, 0.4))
        more = {"scale": made.draw(st.floats(0, 2)), "start": share, "end": 2 * share, **listed}
        more |= {"image": made.image(), "mode": made.draw(st.integers(-1, 7))}
        network = {"type": "hf.controlnet", "repo_id": made.draw(FILES)}
        node_id = f"{sampler}_controlnet_{number}"
        made.add("huggingface.loaders.ApplyControlNet", node_id, controlnet=network, **more)
        listed = {"controlnets": (node_id, "output")}
    return listed["controlnets"]  # type: ignore[no-any-return]


def add_sampler(made: Made, model: str) -> None:
    node_type = made.draw(st.sampled_from(sorted(SAMPLERS)))
    data: dict[str, Any] = {
        "model": (model, "output"),
        "prompt": made.draw(WORDS),
        "negative_prompt": made.draw(WORDS),
        "prompt_syntax": made.draw(st.sampled_from(["plain", "weighted"])),
        "num_inference_steps": made.draw(st.integers(4, 60)),
        "guidance_scale": made.draw(st.floats(0, 20)),
        "seed": made.draw(SEED),
        "scheduler": made.draw(SCHEDULERS),
        "clip_skip": made.draw(st.integers(0, 3)),
        "loras": [
            {"type": "hf.lora", "repo_id": file, "scale": scale, **more}
            for file, scale, more in made.draw(
                st.lists(
                    st.tuples(
                        FILES,
                        st.floats(-2, 2),
                        st.sampled_from([{}, {"text_encoder_scale": 9.0}]),
                    ),
                    max_size=2,
                )
            )
        ],
    }
    if made.draw(st.booleans()):
        seed = made.add("nodetool.constant.Integer", value=made.draw(SEED))
        data["seed"] = (seed, "output")
    # The nodes that lead it are named after it when they are imported.
    sampler_id = f"n{len(made.nodes)}"
    if "Inpainting" not in node_type and made.draw(st.booleans()):
        data["prompts"] = add_prompts(made, sampler_id)
    if made.draw(st.booleans()):
        data["free_u"] = made.draw(st.lists(st.floats(0.1, 9), min_size=4, max_size=4))
    led = made.draw(st.sampled_from(["no", "by one", "by some"]))
    if led == "by some":
        data["controlnets"] = add_controls(made, sampler_id)
    if led == "by one":
        data["controlnet"] = {"type": "hf.controlnet", "repo_id": made.draw(FILES)}
        data |= {"control_image": made.image(), "control_mode": made.draw(st.integers(-1, 7))}
        data["controlnet_conditioning_scale"] = made.draw(st.floats(0, 2))
    if "TextToImage" in node_type:
        data |= {"width": made.draw(SIDE), "height": made.draw(SIDE)}
    else:
        data |= {"image": made.image(), "strength": made.draw(st.sampled_from([0.25, 0.7, 1.0]))}
    if "Inpainting" in node_type:
        data["mask_image"] = made.mask()
        data["mask_grow"] = made.draw(st.integers(0, 64)) if data["strength"] == 1 else 0
    if "ImageToImage" in node_type and made.draw(st.booleans()):
        data["strength_mask"] = made.mask()
    if made.draw(st.booleans()):
        # Of which family a model is taken to be goes by its name.
        value = next(one["data"]["value"] for one in made.nodes if one["id"] == model)
        folder, family = ("sdxl_models", "xl") if "xl" in value["repo_id"] else ("models", "sd15")
        file = {"xl": "ip-adapter_sdxl.safetensors", "sd15": "ip-adapter-plus_sd15.safetensors"}
        ref = {"repo_id": "h94/IP-Adapter", "path": f"{folder}/{file[family]}"}
        data["ip_adapter_model"] = {"type": "hf.ip_adapter", **ref}
        data["ip_adapter_image"] = made.image()
        data["ip_adapter_scale"] = made.draw(st.floats(0, 1))
    several = made.draw(st.booleans())
    data["num_images"] = made.draw(st.integers(2, 4)) if several else 1
    sampler = made.add(node_type, sampler_id, **data)
    if several:
        made.add("nodetool.output.Output", name=f"all_{sampler}", value=(sampler, "images"))
    else:
        made.images.append((sampler, "output"))


@st.composite
def workflows(draw: Any) -> WorkflowDocument:
    """Return a workflow of nodes that have an exact counterpart."""
    made = Made(draw(st.data()))
    for name in ("image", "image_2"):
        value = {"type": "image", "uri": draw(st.sampled_from(["lake.png", "photos/sea.jpg"]))}
        made.images.append(
            (made.add("nodetool.input.ImageInput", name=name, value=value), "output")
        )
    value = {"type": "hf.model", "repo_id": draw(FILES)}
    model = made.add("nodetool.input.HuggingFaceModelInput", name="model", value=value)
    image, _ = made.images[0]
    alpha = made.add(
        "lib.pillow.mask.FromAlpha", f"{image}_mask", image=(image, "output"), select="transparent"
    )
    made.masks.append((alpha, "output"))
    made.add("nodetool.output.Output", name="alpha", value=(alpha, "output"))
    for step in draw(st.lists(st.sampled_from("imms"), max_size=6)):
        if step == "s":
            add_sampler(made, model)
        else:
            (add_image_step if step == "i" else add_mask_step)(made)
    used = {edge["source"] for edge in made.edges}
    ends = [node["id"] for node in made.nodes if node["id"] not in used]
    for node_id in ends:
        if made.types[node_id].rpartition(".")[2] not in _WITHOUT_RESULT:
            made.add("nodetool.output.Output", name=f"of_{node_id}", value=(node_id, "output"))
    return made.document()


def read(values: dict[str, Any]) -> dict[str, Any]:
    """Return what a sampler is given: texts by weight as they are read, and steps that are run."""
    read = dict(values)
    is_weighted = read.pop("prompt_syntax") == "weighted"
    for name in ("prompt", "negative_prompt"):
        text = read[name]
        sections = parse(text) if is_weighted else ()
        pairs = [[(one.text, round(one.weight, 9)) for one in section] for section in sections]
        plain = [(text, 1.0)] if text else []
        read[name] = pairs if is_weighted else [plain]
    steps = read.pop("num_inference_steps")
    return {**read, "steps_run": int(steps * values.get("strength", 1.0))}


def meaning(document: WorkflowDocument) -> dict[str, dict[str, Any]]:
    """Return the values of nodes by id, as far as they make a difference."""
    found = {}
    for node in document.graph.nodes:
        values: dict[str, Any] = values_of(node, REGISTRY)[0]
        found[node.id] = {
            "type": node.type,
            **(read(values) if node.type in SAMPLERS else values),
        }
    return found


def edges_of(document: WorkflowDocument) -> set[tuple[str, str, str, str]]:
    return {
        (edge.source, edge.sourceHandle, edge.target, edge.targetHandle)
        for edge in document.graph.edges
    }


@given(document=workflows())
@settings(max_examples=60, deadline=None)
def test_what_is_exported_is_imported_as_the_same(document: WorkflowDocument) -> None:
    made = exported(document)
    assert made.grade is Grade.WHOLE, made.notes
    check_form(made.content)
    back = from_content(made.content)
    assert back.grade is Grade.WHOLE, back.notes
    assert meaning(back.document) == meaning(document)
    assert edges_of(back.document) == edges_of(document)


def types_in(path: Path) -> set[str]:
    return {node.type for node in WorkflowDocument.load(path).graph.nodes}


EXAMPLES = [
    path
    for path in sorted(GRAPHS.glob("*.json"))
    if types_in(path) <= RULES.keys() and types_in(path) & SAMPLERS
]


def given_to(document: WorkflowDocument, node_type: str) -> dict[str, Any]:
    """Return what the one node of a type is given; values of inputs and constants in place."""
    nodes = {node.id: node for node in document.graph.nodes}
    (node,) = (node for node in nodes.values() if node.type == node_type)
    values: dict[str, Any] = values_of(node, REGISTRY)[0]
    for edge in document.graph.edges:
        if edge.target == node.id:
            source = nodes[edge.source].data
            values[edge.targetHandle] = source.get("value", edge.source)
    return read(values)


def test_examples_of_such_nodes_alone_are_there() -> None:
    names = {path.stem for path in EXAMPLES}
    assert names >= {"image_to_image", "fill_in", "stable_diffusion", "sdxl", "kandinsky"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_mean_the_same(path: Path) -> None:
    document = WorkflowDocument.load(path)
    (node_type,) = {node.type for node in document.graph.nodes} & SAMPLERS
    try:
        made = exported(document)
    except WorkflowError as error:
        assert "is a flow-matching model" in str(error)
        return
    check_form(made.content)
    back = from_content(made.content)
    assert back.grade is not Grade.LOSSES
    before, after = given_to(document, node_type), given_to(back.document, node_type)
    said = " ".join(note.message for note in made.notes)
    for name in before.keys() | after.keys():
        if before.get(name) != after.get(name) and name not in ("model", "image", "mask_image"):
            assert name in said, f"{name} differs: {before.get(name)!r}, {after.get(name)!r}"


def test_what_has_no_counterpart_is_named_and_refused() -> None:
    with pytest.raises(WorkflowError) as raised:
        exported(WorkflowDocument.load(GRAPHS / "film_looks.json"))
    problems = raised.value.problems
    assert problems[-1].code == "nothing_exported" and problems[-1].where == "workflow"
    named = [problem for problem in problems if "FilmLook" in problem.where]
    assert len(named) == 6 and all("has no counterpart" in one.message for one in named)


def test_the_page_names_every_node_that_is_exported() -> None:
    page = (GRAPHS.parent / "docs" / "guides" / "coming-from.md").read_text()
    table = page.partition("| here | ComfyUI |")[2].partition("\n\n")[0]
    assert [name for name in RULES if f"`{name.rpartition('.')[2]}`" not in table] == []


def test_a_tool_that_is_not_known() -> None:
    document = WorkflowDocument.load(GRAPHS / "fill_in.json")
    with pytest.raises(WorkflowError, match=r"invoke: is no tool .*comfyui"):
        export(document, "invoke", REGISTRY, "workflow")


OTHER_VALUES: dict[str, Any] = {
    "ip_adapter_model": {"type": "hf.ip_adapter", "repo_id": "h94/IP-Adapter"},
    "ip_adapters": [{"scale": 0.7}],
    "controlnets": [{"scale": 0.7}],
    "shift": 3.0,
    "guess_mode": True,
    "prompt_2": "a boat",
    "max_sequence_length": 256,
    "keep_size": "resize",
    "mask_blur": 4,
    "crop_to_mask": True,
    "ip_adapter_scale": 0.7,
    "scheduler": "DPMSolverSinglestepScheduler",
    "seed": -1,
}


@pytest.mark.parametrize("node_type", sorted(SAMPLERS))
@pytest.mark.parametrize("name", OTHER_VALUES)
def test_no_value_is_lost_in_silence(node_type: str, name: str) -> None:
    node_class = REGISTRY.get(node_type)
    assert node_class is not None
    if name not in node_class.spec.properties:
        return
    image, mask = (
        {"id": one, "type": "nodetool.input.ImageInput", "data": {"name": one, "value": "a.png"}}
        for one in ("photo", "mask")
    )
    file = {"type": "hf.model", "repo_id": "a.safetensors"}
    sampler = {"id": "s", "type": node_type, "data": {"model": file, name: OTHER_VALUES[name]}}
    control = {"type": "hf.controlnet", "repo_id": "b.safetensors"}
    sampler["data"]["controlnet"] = control
    end = {"id": "end", "type": "nodetool.output.Output", "data": {"name": "end"}}
    wanted = {"image": "photo", "mask_image": "mask", "control_image": "photo"}
    edges = [
        {"source": source, "sourceHandle": "output", "target": "s", "targetHandle": prop}
        for prop, source in wanted.items()
        if prop in node_class.spec.properties
    ]
    edges.append(
        {"source": "s", "sourceHandle": "output", "target": "end", "targetHandle": "value"}
    )
    nodes = [image, mask, sampler, end]
    made = exported(WorkflowDocument.from_json({"graph": {"nodes": nodes, "edges": edges}}))
    check_form(made.content)
    assert any(name in note.message and note.level == "warning" for note in made.notes)
