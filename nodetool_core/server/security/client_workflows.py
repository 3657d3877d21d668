"""
Workflows that clients send: checked until they can do no more than a workflow that is served.

A node is refused where a property of its names a place (a path, a folder, an address), or where it
asks other machines. Every reference in a value goes through the sanitizer, so images are inline,
uploaded, or fetched from public addresses, and are kept as uploads; models are listed ones. What
only shows at run time is refused there: a path that a text turns into, as the run is confined, and
a model that is not listed, by the weights manager.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.graph import GraphNode
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.node_base import Lane, Node
from nodetool_core.properties import jsonable
from nodetool_core.registry import Registry
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.security.json_limits import violation
from nodetool_core.server.security.sanitize import InputSanitizer, Put
from nodetool_core.server.served_workflow import ServedWorkflow, served_workflow
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument

MAX_NODES: Final = 1000


def require_allowed(allowed: bool) -> None:
    """Raise HttpError 403 where the operator does not allow workflows of clients."""
    if not allowed:
        hint = "The operator allows them with `client_workflows`."
        message = "Workflows of clients are not run here."
        raise HttpError(403, Problem("not_allowed", "workflow", message, hint))


def read_client_workflow(
    content: Json,
    registry: Registry,
    sanitizer: InputSanitizer,
    put: Put,
    base: Path,
) -> ServedWorkflow:
    """
    Return the workflow in a client's JSON, safe to run.

    `put` keeps an image and gives the reference to it. Blocks.

    Raises WorkflowError with every problem, HttpError and ImageError where a reference may not be
    followed.
    """
    complaint = violation(content)
    if complaint:
        raise WorkflowError(Problem("invalid_document", "workflow", complaint))
    document = WorkflowDocument.from_json(content)
    if len(document.graph.nodes) > MAX_NODES:
        raise WorkflowError(
            Problem(
                "too_many_nodes",
                "workflow",
                f"has {len(document.graph.nodes)} nodes, at most {MAX_NODES} are taken.",
            )
        )
    _check_types(document, registry)
    graph = build_graph(document, registry)
    by_id = {node.id: node for node in graph.nodes}
    for record in document.graph.nodes:
        record.data = dict(record.data) | _resolved(by_id[record.id], sanitizer, put)
    return replace(
        served_workflow("", document, build_graph(document, registry), base), confined=True
    )


def _check_types(document: WorkflowDocument, registry: Registry) -> None:
    problems = []
    for index, record in enumerate(document.graph.nodes):
        alias = registry.alias(record.type)
        node_class = registry.get(alias.type if alias else record.type)
        if node_class is not None and _reaches_out(node_class):
            message = (
                f"{record.type} reads, writes or asks at a place of its own, which a client's"
                " workflow may not."
            )
            problems.append(
                Problem(
                    "forbidden_node",
                    f"nodes[{index}].type",
                    message,
                    "Upload images, and give them to an ImageInput.",
                )
            )
    if problems:
        raise WorkflowError(problems)


def _reaches_out(node_class: type[Node]) -> bool:
    return node_class.lane is Lane.NETWORK or any(
        prop.place is not None for prop in node_class.spec.properties.values()
    )


def _resolved(node: GraphNode, sanitizer: InputSanitizer, put: Put) -> JsonObject:
    """Return the values of a node that changed, with their images in the storage."""
    found = {}
    for name, value in (node.values | node.dynamic).items():
        resolved = sanitizer.kept(value, f"{node.place}.data.{name}", put)
        if resolved is not value and resolved != value:
            found[name] = jsonable(resolved)
    return found
