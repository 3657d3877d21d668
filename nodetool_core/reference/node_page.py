"""The page of one node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nodetool_core.declaration import NodeSpec
from nodetool_core.graph import is_missing_asset
from nodetool_core.node_base import Lane, Node, Role
from nodetool_core.properties import Property
from nodetool_core.reference import markdown
from nodetool_core.reference.bounds import bound_texts, place_text
from nodetool_core.reference.examples import Example, example
from nodetool_core.reference.names import heading
from nodetool_core.reference.site import MARK, MODELS_PAGE, Site, drawing_path, image_path
from nodetool_core.reference.type_page import linked
from nodetool_core.references import ModelRef
from nodetool_core.specialized import SpecializedNode
from nodetool_core.types import choices, union_members

if TYPE_CHECKING:
    from nodetool_core.registry import Registry

_LANES = {
    Lane.INLINE: "on the scheduler's own thread (`inline`)",
    Lane.CPU: "on a worker thread (`cpu`)",
    Lane.DEVICE: "on the one thread of its accelerator (`device`)",
    Lane.NETWORK: "on a thread for work that mostly waits (`network`)",
}

_ROLES = {
    Role.STEP: "step: runs when a result needs it",
    Role.INPUT: "input: a run sets its value by name",
    Role.OUTPUT: "output: its value is a result of the run, by name",
    Role.SINK: "sink: runs for its effect",
    Role.COMMENT: "comment: never runs",
    Role.WORKFLOW: "workflow: the nodes of another workflow take its place",
}

_MOST_OPTIONS = 8
"""Longer lists of choices stand below the table, which they would make narrow and tall."""


def node_page(node_class: type[Node], site: Site) -> str:
    """Return the whole page of a node."""
    spec = node_class.spec
    path = site.paths[spec.node_type]
    parts = [
        markdown.front_matter(
            layout="page",
            title=heading(spec.title),
            node_type=spec.node_type,
            namespace=spec.namespace,
        ),
        f"# {heading(spec.title)}",
        f"**Type:** {markdown.code(spec.node_type)}",
        f"**Namespace:** {markdown.code(spec.namespace)}",
        markdown.image(
            f"The node {spec.title} with its properties and outputs", _beside(drawing_path(path))
        ),
        *_description(spec),
        "## Properties",
        *_properties(node_class, path, site),
        "## Outputs",
        _outputs(node_class, path, site),
        "## Metadata",
        _metadata(node_class, site.registry),
        *_examples(example(node_class, site.registry), path, site),
        "## Related Nodes",
        *_related(spec, path, site),
        MARK,
    ]
    return "\n\n".join(parts) + "\n"


def _description(spec: NodeSpec) -> list[str]:
    parts = ["## Description"]
    if spec.description:
        parts.append(
            "\n".join(line.strip().replace("<", "&lt;") for line in spec.description.splitlines())
        )
    if spec.tags:
        parts.append(f"**Tags:** {', '.join(markdown.text(tag) for tag in spec.tags)}")
    if spec.synonyms:
        called = ", ".join(markdown.text(name) for name in spec.synonyms)
        parts.append(f"**Elsewhere called:** {called}")
    if spec.use_cases:
        parts.append(
            "\n".join(["Use cases:", "", *(f"- {markdown.prose(case)}" for case in spec.use_cases)])
        )
    return parts


def _beside(path: str) -> str:
    return path.rpartition("/")[2]


def _properties(node_class: type[Node], path: str, site: Site) -> list[str]:
    spec = node_class.spec
    rows = [
        [
            markdown.text(prop.name),
            linked(prop.annotation, path, site),
            markdown.prose(prop.description),
            _default(prop),
            _allowed(prop),
            "yes" if is_required(node_class, prop) else "no",
        ]
        for prop in spec.properties.values()
    ]
    header = ["Property", "Type", "Description", "Default", "Allowed", "Required"]
    parts = [markdown.table(header, rows)] if rows else []
    if issubclass(node_class, SpecializedNode):
        parts.append(f"Besides these, it takes those that {_deciding(node_class)} decide.")
    elif node_class.dynamic:
        parts.append(
            "Besides these, it takes properties of any name."
            if rows
            else "It takes properties of any name."
        )
    long = [prop for prop in spec.properties.values() if len(_options(prop)) > _MOST_OPTIONS]
    parts += [
        f"Choices of {markdown.code(prop.name)}: {', '.join(_options(prop))}." for prop in long
    ]
    if site.has_models_page and any(_is_model(prop) for prop in spec.properties.values()):
        page = site.link(path, MODELS_PAGE)
        parts.append(
            f"Not every model honours every property: {markdown.link('models', page)} says which"
            " does."
        )
    return parts or ["It has no properties."]


def _is_model(prop: Property) -> bool:
    return any(
        isinstance(kind, type) and issubclass(kind, ModelRef)
        for kind in union_members(prop.annotation)
    )


def is_required(node_class: type[Node], prop: Property) -> bool:
    """
    Return whether a workflow has to give or connect the property.

    It has no default, or an empty image as its default.
    """
    return prop.required or (
        node_class.role is not Role.COMMENT and is_missing_asset(prop, prop.default)
    )


def _default(prop: Property) -> str:
    return (
        ""
        if prop.required
        else markdown.code(json.dumps(prop.to_json(prop.default), ensure_ascii=False))
    )


def _options(prop: Property) -> list[str]:
    """Return the choices of a property as code, or none where it is not limited to some."""
    found = [
        option for member in union_members(prop.annotation) for option in choices(member) or ()
    ]
    return [markdown.code(json.dumps(option, ensure_ascii=False)) for option in found]


def _allowed(prop: Property) -> str:
    options = _options(prop)
    if len(options) > _MOST_OPTIONS:
        return f"one of {len(options)}, listed below"
    if options:
        return ", ".join(options)
    parts = bound_texts(prop.bounds)
    if prop.max_length is not None:
        parts.append(
            f"at most {prop.max_length}"
            f" {'characters' if str in union_members(prop.annotation) else 'items'}"
        )
    parts += place_text(prop.place)
    if prop.seed:
        parts.append("-1 draws a number, which the run records")
    return "; ".join(parts)


def _deciding(node_class: type[SpecializedNode]) -> str:
    *most, last = (f"`{name}`" for name in node_class.decided_by)
    return f"{', '.join(most)} and {last}" if most else last


def _outputs(node_class: type[Node], path: str, site: Site) -> str:
    spec = node_class.spec
    if node_class.role is Role.WORKFLOW:
        return "The outputs of its workflow, by their names."
    if issubclass(node_class, SpecializedNode):
        return f"Those that {_deciding(node_class)} decide."
    if not spec.outputs:
        return "It has no outputs."
    rows = [
        [
            markdown.text(output.name),
            linked(output.annotation, path, site),
            markdown.prose(output.description),
        ]
        for output in spec.outputs.values()
    ]
    text = markdown.table(["Output", "Type", "Description"], rows)
    return (
        f"{text}\n\nIt gives them item by item: what follows runs once for each."
        if spec.streams
        else text
    )


def _metadata(node_class: type[Node], registry: Registry) -> str:
    spec = node_class.spec
    facts = [("Role", _ROLES[node_class.role])]
    if node_class.role is not Role.COMMENT:
        facts.append(
            (
                "Runs",
                (
                    _LANES[node_class.lane]
                    if not spec.is_async
                    else "as a coroutine on the engine's event loop"
                ),
            )
        )
        facts.append(
            (
                "Result cache",
                (
                    "its result is kept and used again"
                    if node_class.cacheable
                    else "none: it runs every time"
                ),
            )
        )
    if node_class.lazy:
        facts.append(
            (
                "On demand",
                f"{_listed(node_class.lazy)}: what feeds it runs only once the node asks for it",
            )
        )
    if node_class.gathers:
        facts.append(
            ("Gathers", f"{_listed(node_class.gathers)}: takes the items of a loop as one list")
        )
    if node_class.branches:
        facts.append(
            ("Branches", "an output may be not taken; what only it feeds does not run then")
        )
    if node_class.merges:
        facts.append(("Merges", "runs as long as one of its inputs is there"))
    names = sorted(
        old
        for pack in registry.packs
        for old, alias in pack.aliases.items()
        if alias.type == spec.node_type
    )
    if names:
        facts.append(("Also read for", ", ".join(markdown.code(name) for name in names)))
    return "\n".join(f"- **{name}:** {fact}" for name, fact in facts)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(markdown.code(name) for name in sorted(names))


def _examples(shown: Example, path: str, site: Site) -> list[str]:
    parts = ["## Example"]
    if shown.needs:
        parts.append(f"It needs {shown.needs}, so no test runs it as it stands here.")
    parts += [
        (
            "As a file, for `nodetool run`; its paths start from the folder it lies in, here the"
            " root of nodetool's repository:"
        ),
        markdown.block("json", shown.to_json()),
        "The same in Python:",
        markdown.block("python", shown.to_python()),
    ]
    if (image := image_path(path)) in site.images:
        parts += [
            "What it gives:",
            markdown.image("The image that the example gives", _beside(image)),
        ]
    return parts


def _related(spec: NodeSpec, path: str, site: Site) -> list[str]:
    lines = [
        f"- {site.to_node(relation.spec, path)} ({markdown.code(relation.spec.namespace)}):"
        f" {relation.reason}"
        for relation in site.relations.of(spec)
    ]
    browse = (
        f"Browse other nodes in the {markdown.link(markdown.text(spec.namespace), 'index.md')}"
        " namespace."
    )
    return ["\n".join(lines), browse] if lines else [browse]
