"""
From the body of `POST /prompt` to a job.

The graph is checked as ComfyUI's server does it. What its outputs need is read by the importer, and
the workflow that it amounts to is held to the rules for every workflow that a client sends. As
there, a graph is run as far as its outputs can be made, and `node_errors` has the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from nodetool_core.errors import ImageError, NodetoolError, Problem, WorkflowError
from nodetool_core.importing.graphs import WHOLE, GraphReader, ReadGraph
from nodetool_core.jobs.job import JobOptions, JobRequest
from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.comfyui.classes import Classes
from nodetool_core.server.comfyui.errors import NodeErrors, PromptRefused, error_object
from nodetool_core.server.comfyui.files import FileName, NamedFiles
from nodetool_core.server.comfyui.graph import PromptGraph, all_failed
from nodetool_core.server.comfyui.prompts import PNG_INFO, OutputNode, Prompt, note_of
from nodetool_core.server.http.http_errors import HttpError, wrong
from nodetool_core.server.http.json_body import read_object
from nodetool_core.server.security.client_workflows import MAX_NODES, read_client_workflow
from nodetool_core.server.security.json_limits import violation

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState
    from nodetool_core.server.served_workflow import ServedWorkflow
    from nodetool_core.workflow import NodeRecord

LARGEST: Final = 2**20
"""Bytes of a graph as JSON."""

_ID: Final = re.compile(r"[\w.:-]{1,100}", re.ASCII)
_CLIENT_ID: Final = 200
_PREVIEWS: Final = frozenset({"auto", "latent2rgb", "taesd"})
"""Values of `extra_data.preview_method` that ask for previews."""

_RECORD: Final = re.compile(r"nodes\[(\d+)\]")
_NOT_IN_NAMES: Final = re.compile(r"[^\w .()-]+")


@dataclass(frozen=True)
class PromptBody:
    """A request for a prompt, of which only the form was looked at."""

    graph: JsonObject
    prompt_id: str | None
    extra: JsonObject
    """What is kept of what came beside it."""
    previews: bool
    is_first: bool
    """Whether it goes before the client's others."""
    targets: Sequence[str] | None
    """The outputs that are wanted; all where None."""

    @classmethod
    def of(cls, body: bytes) -> PromptBody:
        """
        Read a request; its content type is not looked at, for few clients send one that is right.

        Raises HttpError, and PromptRefused where there is no graph.
        """
        given = read_object(body)
        graph = given.get("prompt")
        if graph is None:
            message = "No prompt provided"
            raise PromptRefused(error_object("no_prompt", message, message), {})
        if not isinstance(graph, dict):
            raise wrong(400, "invalid_prompt", "prompt", "expects an object of nodes.")
        if complaint := violation(graph):
            raise wrong(400, "invalid_prompt", "prompt", complaint)
        if len(graph) > MAX_NODES or len(json.dumps(graph)) > LARGEST:
            message = f"has more than {MAX_NODES} nodes, or than {LARGEST // 2**20} MiB."
            raise wrong(413, "body_too_large", "prompt", message, "Upload images by themselves.")
        extra = _object(given, "extra_data")
        method = extra.get("preview_method")
        number = given.get("number")
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        if number is not None and not is_number:
            raise wrong(400, "invalid_value", "number", "expects a number.")
        return cls(
            graph,
            _prompt_id(given),
            _kept_of(given, extra),
            isinstance(method, str) and method in _PREVIEWS,
            given.get("front") is True or (isinstance(number, (int, float)) and number < 0),
            _targets(given),
        )


@dataclass(frozen=True)
class Accepted:
    """A prompt that will be run."""

    prompt: Prompt
    node_errors: NodeErrors
    """What is wrong with nodes that only other outputs need."""


class Submissions:
    """Takes prompts for one server. Its methods block."""

    def __init__(
        self, state: AppState, reader: GraphReader, classes: Classes, files: NamedFiles
    ) -> None:
        self._state = state
        self._reader = reader
        self._classes = classes
        self._files = files

    def accept(self, client: str, body: PromptBody) -> Accepted:
        """
        Accept a prompt as a job.

        Raises PromptRefused where no output can be made, JobsError where there is no room.
        """
        graph = PromptGraph.of(body.graph, self._classes.infos())
        if body.targets is not None:
            graph.outputs = [node for node in graph.outputs if node in body.targets]
        errors = graph.check()
        for node, more in self._name_files(client, graph).items():
            errors.setdefault(node, more)
        good = graph.good_outputs(errors)
        read = self._reader.read(graph.part(good), self._state.registry)
        errors |= _left_out(read, graph)
        good = [one for one in graph.good_outputs(errors) if one in good]
        if read.document is None or not good:
            raise PromptRefused(_refused(read.problems.get(WHOLE, ())), errors)
        served = self._checked(read, graph, errors)
        outputs = _output_nodes(served, read, graph, good)
        job = self._state.jobs.submit(self._request(client, body, served, read, outputs))
        prompt = Prompt.of(job)
        assert prompt is not None
        return Accepted(prompt, errors)

    def _request(
        self,
        client: str,
        body: PromptBody,
        served: ServedWorkflow,
        read: ReadGraph,
        outputs: Sequence[OutputNode],
    ) -> JobRequest:
        warnings = {
            node: [note.message for note in notes if note.level == "warning"]
            for node, notes in read.notes.items()
        }
        shown = {node: texts for node, texts in warnings.items() if texts}
        return JobRequest(
            workflow=served.document,
            base=served.base,
            name="ComfyUI",
            client=client,
            priority=1 if body.is_first else 0,
            idempotency_key=body.prompt_id,
            options=JobOptions(
                outputs=[one.output for one in outputs],
                provenance=self._state.settings.provenance,
                confined=served.confined,
                previews=body.previews,
                note=note_of(body.graph, body.extra, outputs, read.origins, shown),
            ),
        )

    def _name_files(self, client: str, graph: PromptGraph) -> NodeErrors:
        """Put stored files in place of the names of uploads; return the nodes that name none."""
        found: NodeErrors = {}
        for node in graph.needed_by(*graph.outputs):
            inputs = graph.nodes[node].inputs
            for name, wanted in graph.info(node).inputs.items():
                value = inputs.get(name)
                if not wanted.folder or not isinstance(value, str):
                    continue
                digest = self._digest(client, value, wanted.folder)
                if digest is None:
                    message = "Custom validation failed for node"
                    details = f"{name} - Invalid image file: {value[:200]}"
                    extra: JsonObject = {"input_name": name, "received_value": value}
                    error = error_object("custom_validation_failed", message, details, extra)
                    found[node] = graph.entry(node, [error])
                else:
                    inputs[name] = f"asset://{digest}"
        return found

    def _digest(self, client: str, value: str, folder: str) -> str | None:
        try:
            return self._files.digest(client, FileName.of(value, folder=folder))
        except HttpError:
            # What is no name names no file.
            return None

    def _checked(self, read: ReadGraph, graph: PromptGraph, errors: NodeErrors) -> ServedWorkflow:
        """Return the workflow, safe to run. Raises PromptRefused where it is not."""
        assert read.document is not None
        state, document = self._state, read.document
        try:
            return read_client_workflow(
                document.to_json(),
                state.registry,
                state.sanitizer,
                state.keep,
                state.settings.data.absolute(),
            )
        except (WorkflowError, ImageError, HttpError) as error:
            if isinstance(error, HttpError) and error.status not in (400, 422):
                raise
            by_node = _by_node(error, document.graph.nodes, read.origins)
            whole = by_node.pop(WHOLE, [])
            refused = errors | {
                node: graph.entry(node, [_node_error(problem) for problem in problems])
                for node, problems in by_node.items()
            }
            raise PromptRefused(
                _refused(whole) if whole else all_failed(refused), refused
            ) from None


def _left_out(read: ReadGraph, graph: PromptGraph) -> NodeErrors:
    """
    Return the nodes that the importer leaves out, but for those that only need one of them.
    """
    bad = read.problems.keys() - {WHOLE}
    return {
        node: graph.entry(node, [_node_error(problem) for problem in read.problems[node]])
        for node in bad
        if not (graph.needed_by(node) - {node}) & bad
    }


def _node_error(problem: Problem) -> JsonObject:
    message = "Custom validation failed for node"
    details = f"{problem.message} {problem.hint}".strip()
    return error_object("custom_validation_failed", message, details, {"code": problem.code})


def _refused(problems: Sequence[Problem]) -> JsonObject:
    """Return what is wrong with a graph as a whole."""
    if not problems:
        return error_object("prompt_no_outputs", "Prompt has no outputs")
    first, *more = problems
    details = "\n".join([first.hint, *(str(problem) for problem in more)]).strip()
    return error_object("invalid_prompt", f"The prompt {first.message}", details)


def _by_node(
    error: NodetoolError, records: Sequence[NodeRecord], origins: Mapping[str, str]
) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for problem in error.problems:
        place = _RECORD.match(problem.where)
        index = int(place[1]) if place else len(records)
        node = origins.get(records[index].id, WHOLE) if index < len(records) else WHOLE
        found.setdefault(node, []).append(problem)
    return found


def _output_nodes(
    served: ServedWorkflow, read: ReadGraph, graph: PromptGraph, good: Sequence[str]
) -> list[OutputNode]:
    found = []
    for name, node in served.graph.outputs().items():
        origin = read.origins.get(node.id, WHOLE)
        if origin in good:
            prefix = graph.nodes[origin].inputs.get("filename_prefix")
            is_kept = isinstance(prefix, str)
            path = PurePosixPath(str(prefix).replace("\\", "/") if is_kept else "ComfyUI_temp")
            parts = [_plain(part) for part in path.parts if part not in ("/", "..")]
            found.append(
                OutputNode(
                    origin,
                    name,
                    parts[-1] if parts else "ComfyUI",
                    "/".join(parts[:-1]),
                    "output" if is_kept else "temp",
                )
            )
    return found


def _plain(part: str) -> str:
    return _NOT_IN_NAMES.sub("_", part)[:60].strip(" .") or "_"


def _object(given: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise wrong(400, "invalid_value", name, "expects an object.")
    return value or {}


def _prompt_id(given: JsonObject) -> str | None:
    value = given.get("prompt_id")
    if value is None:
        return None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        message = "expects letters, digits and signs of ASCII, such as a UUID."
        raise wrong(400, "invalid_value", "prompt_id", message)
    return value


def _kept_of(given: JsonObject, extra: Mapping[str, Json]) -> JsonObject:
    """Return what the queue and the history show beside a graph."""
    client_id, about = _client_id(given, extra), _object(extra, PNG_INFO)
    if complaint := violation(about):
        raise wrong(400, "invalid_value", PNG_INFO, complaint)
    if about and len(json.dumps(about)) > LARGEST:
        raise wrong(413, "body_too_large", PNG_INFO, f"has more than {LARGEST // 2**20} MiB.")
    kept: JsonObject = {"client_id": client_id} if client_id else {}
    return kept | ({PNG_INFO: dict(about)} if about else {})


def _client_id(given: JsonObject, extra: Mapping[str, Json]) -> str:
    value = given.get("client_id", extra.get("client_id"))
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _CLIENT_ID or not value.isprintable():
        raise wrong(400, "invalid_value", "client_id", "expects a short text, such as a UUID.")
    return value


def _targets(given: JsonObject) -> list[str] | None:
    value = given.get("partial_execution_targets")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong(400, "invalid_value", "partial_execution_targets", "expects a list of ids.")
    return [str(one) for one in value]
