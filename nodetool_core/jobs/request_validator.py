"""
From a request to a job spec.

Everything that can be known to be wrong is reported before the job is accepted.

The workflow is kept as it is now, images that came inline go to the storage, seeds of -1 are drawn.
So a job that is begun again does what it did the first time, and finds in the result cache what it
had finished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nodetool_core import inputs as given_inputs
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.engine.compiler import compile_plan
from nodetool_core.engine.result import RunResult
from nodetool_core.engine.seeds import draw_seeds
from nodetool_core.errors import Problem, WorkflowError
from nodetool_core.jobs.files import describe
from nodetool_core.jobs.job import JobOptions, JobRequest, JobsError
from nodetool_core.jobs.queue import JobSpec
from nodetool_core.jobs.records import to_text
from nodetool_core.jobs.workflow_cache import workflow_digest
from nodetool_core.properties import jsonable
from nodetool_core.references import AssetRef, ModelRef
from nodetool_core.types import union_members
from nodetool_core.values import PLAIN_TYPES, leaves
from nodetool_core.workflow import WorkflowDocument

if TYPE_CHECKING:
    from nodetool_core.engine.plan import Plan
    from nodetool_core.graph import Graph
    from nodetool_core.jobs.files import Files
    from nodetool_core.jobs.workflow_cache import WorkflowCache
    from nodetool_core.properties import Property


LONGEST_NAME = 250
"""Characters of the names of clients, keys and workflows."""


class Source(Protocol):
    """A workflow that is served: what a name stands for."""

    @property
    def document(self) -> WorkflowDocument: ...

    @property
    def base(self) -> Path: ...


Find = Callable[[str], Source | None]
"""Returns what a name stands for, or None."""


@dataclass(frozen=True)
class RequestValidator:
    """Checks requests. Safe to use from several threads."""

    find: Find
    workflows: WorkflowCache
    files: Files

    def validate(self, request: JobRequest) -> JobSpec:
        """
        Return the job spec that a request stands for.

        Its inline images are in the storage when this returns.

        Raises JobsError for an unknown workflow or file, WorkflowError for a workflow or inputs
        that can't be run.
        """
        _check_names(request)
        name, read, base = self._source(request)
        document, folder = to_text(read.to_json()), str(base)
        digest = workflow_digest(document, folder)
        graph = self.workflows.get(digest, document, folder).graph
        given = _json_inputs(request.inputs)
        values = {key: self._without_inline(graph, key, value) for key, value in given.items()}
        applied = given_inputs.apply(graph, values)
        plan = compile_plan(applied, request.options.outputs)
        given_inputs.check_given(plan.inputs)
        options = to_text(asdict(request.options))
        drawn = _drawn_seeds(plan, request.options)
        return JobSpec(
            name=name,
            workflow=digest,
            document=document,
            base=folder,
            inputs=to_text(values),
            options=to_text(asdict(replace(request.options, seeds=drawn))),
            request=hashlib.blake2b(
                to_text([digest, given, options]).encode(), digest_size=32
            ).hexdigest(),
            client=request.client,
            priority=request.priority,
            deadline=request.deadline,
            idempotency_key=request.idempotency_key,
            model=_model(plan),
            files=sorted(_stored_files(applied)),
        )

    def _source(self, request: JobRequest) -> tuple[str, WorkflowDocument, Path]:
        wanted = request.workflow
        if isinstance(wanted, str):
            found = self.find(wanted)
            if found is None:
                raise JobsError(
                    Problem(
                        "unknown_workflow", "workflow", f"Nothing is served as {wanted[:200]!r}."
                    )
                )
            return wanted, found.document, found.base
        document = (
            wanted if isinstance(wanted, WorkflowDocument) else WorkflowDocument.from_json(wanted)
        )
        return request.name, document, request.base or Path.cwd()

    def _without_inline(self, graph: Graph, name: str, value: object) -> object:
        """
        Return the value with references into the storage in place of images that came with it.
        """
        found = given_inputs.find(name, graph)
        return (
            value
            if isinstance(found, Problem) or not _takes_assets(found[1])
            else self._moved(value)
        )

    def _moved(self, value: object) -> object:
        if isinstance(value, list):
            return [self._moved(item) for item in value]
        reference = {"uri": value} if isinstance(value, str) else value
        if not isinstance(reference, dict):
            return value
        data, uri = reference.get("data"), reference.get("uri", "")
        if not isinstance(data, str | None) or not isinstance(uri, str):
            return value
        named = AssetRef(data=data, uri=uri)
        digest = named.stored_as
        if data or uri[:5].lower() == "data:":
            content = ImageLoader().read(named)
            file = describe(content)
            self.files.put([(file, content)])
            digest = file.digest
        if digest is None:
            return value
        return {name: part for name, part in reference.items() if name not in ("data", "uri")} | {
            "asset_id": digest
        }


def _check_names(request: JobRequest) -> None:
    """Check that names are a line of text that any database can keep."""
    for where, text in (
        ("client", request.client),
        ("idempotency_key", request.idempotency_key or ""),
        ("name", request.name),
    ):
        if len(text) > LONGEST_NAME or not text.isprintable():
            message = f"has to be at most {LONGEST_NAME} printable characters."
            raise JobsError(
                Problem("invalid_value", where, message, "Use a shorter one, such as a UUID.")
            )


def _json_inputs(given: Mapping[str, object]) -> dict[str, object]:
    try:
        values: dict[str, object] = jsonable(given)
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WorkflowError(
            Problem(
                "invalid_value", "inputs", f"are no JSON values: {error}.", "Upload images first."
            )
        ) from None
    return values


def _takes_assets(prop: Property) -> bool:
    """Return whether a property takes an image or file, or a list of them."""
    pending = list(union_members(prop.annotation))
    while pending:
        member = pending.pop()
        if isinstance(member, type) and issubclass(member, AssetRef):
            return True
        pending.extend(
            part for argument in getattr(member, "__args__", ()) for part in union_members(argument)
        )
    return False


def _drawn_seeds(plan: Plan, options: JobOptions) -> dict[str, dict[str, int]]:
    """Return numbers for the seeds that are -1: whoever runs the job again has the same."""
    result = RunResult("")
    draw_seeds(plan, result, options.seeds)
    return result.seeds


def _model(plan: Plan) -> str | None:
    """Return the first model that a run will need: what jobs are routed by."""
    for step in plan.node_steps():
        for value in step.node.values.values():
            if isinstance(value, ModelRef) and not value.is_empty():
                return model_name(value)
    return None


def model_name(ref: ModelRef) -> str:
    """Return what a model is called when workers say which they hold."""
    return ref.label


def _stored_files(graph: Graph) -> set[str]:
    """Return the digests of the stored files that a graph names."""
    # Nearly all values are numbers and texts, which are no files.
    values = [
        value
        for node in graph.nodes
        for value in chain(node.values.values(), node.dynamic.values())
        if type(value) not in PLAIN_TYPES
    ]
    return {ref.stored_as for ref in leaves(values, AssetRef) if ref.stored_as}
