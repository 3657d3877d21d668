"""
What is served, as models of an owner with one version each.

A workflow in no folder is `nodetool/name`; every other name begins with its owner. What does not
fit into `owner/name` is percent-encoded, and so its client can put it into a path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.input_schemas import inputs_schema
from nodetool_core.server.input_schemas import output_schema as schema_of_output
from nodetool_core.server.served_workflow import ServedWorkflow, Task
from nodetool_core.server.uses import image_inputs, images_input

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

OWNER: Final = "nodetool"
"""Who has the workflows in no folder."""

FILE: Final[JsonObject] = {"type": "string", "format": "uri"}
"""Schema of an image, in inputs and outputs."""

FIRST_IMAGE: Final = ("image", "input_image", "init_image")
IMAGES: Final = ("image_input", "input_images", "images")
"""What clients call the images to start from, whatever the workflow's inputs are named."""

COUNT: Final = "num_outputs"
"""How clients say how many images they want, whatever inputs there are."""

MOST_OUTPUTS: Final = 10
_COUNT_SCHEMA: Final[JsonObject] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_OUTPUTS,
    "default": 1,
    "description": "Number of images; the output is a list where it is more than one.",
}

_COG_VERSION: Final = "1.0.0"
"""Before 0.3.9, clients take every list of outputs for one that grows."""


@dataclass(frozen=True)
class Model:
    """A workflow, or a model with its tasks."""

    name: str
    """What it is served as."""
    tasks: Mapping[Task | None, ServedWorkflow]

    @property
    def owner_and_name(self) -> tuple[str, str]:
        """Its owner and its name, as they stand in a path."""
        owner, slash, name = self.name.partition("/")
        whole = (owner, name) if slash and owner.strip(".") and name else (OWNER, self.name)
        return quote(whole[0], safe=""), quote(whole[1], safe="")

    @property
    def id(self) -> str:
        """`owner/name`."""
        return "/".join(self.owner_and_name)

    @property
    def first(self) -> ServedWorkflow:
        """The workflow that describes it."""
        return next(iter(self.tasks.values()))

    def for_input(self, given: Mapping[str, object]) -> ServedWorkflow:
        """Return what serves an input: of a model with two tasks, the one that fits its images."""
        text = self.tasks.get("text-to-image", self.first)
        starts = next((one for one in self.tasks.values() if _takes(one, given)), None)
        return starts or text

    def version(self) -> str:
        """Return the id of its version: another one whenever the workflow is another."""
        documents = [served.document.to_json() for served in self.tasks.values()]
        text = json.dumps([self.name, *documents], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _takes(served: ServedWorkflow, given: Mapping[str, object]) -> bool:
    names = {*image_inputs(served), images_input(served)} - {None}
    return bool(names and (names | {*FIRST_IMAGE, *IMAGES}) & given.keys())


class Models:
    """The models of one server."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._versions: dict[str, tuple[ServedWorkflow, str]] = {}

    def __iter__(self) -> Iterator[Model]:
        catalog = self._state.catalog
        for name in [*catalog.workflows, *catalog.models]:
            if tasks := catalog.models.get(name) or catalog.tasks(name):
                yield Model(name, tasks)

    def find(self, owner: str, name: str) -> Model:
        """Return a model. Raises HttpError 404."""
        catalog, whole = self._state.catalog, f"{owner}/{name}"
        is_served = whole in catalog.workflows or whole in catalog.models
        tasks = catalog.tasks(name if owner == OWNER and not is_served else whole)
        served = next(iter(tasks.values()))
        return Model(served.name, tasks)

    def named(self, text: str) -> Model:
        """
        Return the model that `version` of a request names: by a version's id, or by its own.

        Raises HttpError 422.
        """
        path, _, version = text.rpartition(":") if "/" in text else ("", "", text)
        path, version = (path, version) if path or "/" not in version else (version, "")
        if path:
            owner, _, name = path.partition("/")
            model = self.find(owner, name)
            if version in ("", self.version(model)):
                return model
        else:
            found = next((one for one in self if self.version(one) == version), None)
            if found is not None:
                return found
        message = f"There is no version {version[:80]!r}."
        hint = (
            "GET …/models/{owner}/{name} says which is the newest; a changed workflow has another."
        )
        raise wrong(422, "unknown_version", "version", message, hint)

    def version(self, model: Model) -> str:
        """Return the id of a model's version, which is made once for each that is read."""
        known = self._versions.get(model.name)
        if known is None or known[0] is not model.first:
            known = self._versions[model.name] = (model.first, model.version())
        return known[1]

    def check_version(self, model: Model, version: str) -> None:
        """Raise HttpError 404 where a model has no such version."""
        if version != self.version(model):
            message = f"{model.id} has no version {version[:80]!r}."
            raise wrong(404, "unknown_version", "", message, "GET …/versions lists the one it has.")


def makes_several(served: ServedWorkflow) -> bool:
    """Return whether a client may ask for several images of a workflow, which makes one."""
    return len(served.outputs) == len(served.image_outputs) == 1 and COUNT not in served.inputs


def input_schema(model: Model) -> JsonObject:
    """Return the schema of a model's input; what only one of its tasks needs is optional."""
    properties: JsonObject = {}
    needed: list[set[str]] = []
    for served in model.tasks.values():
        schema = inputs_schema(served, image=FILE)
        found, required = schema["properties"], schema.get("required", ())
        assert isinstance(found, dict) and isinstance(required, (list, tuple))
        needed.append({str(name) for name in required})
        for name, one in found.items():
            assert isinstance(one, dict)
            order: JsonObject = {"x-order": len(properties), "title": name}
            properties.setdefault(name, {**order, **one})
    if any(makes_several(served) for served in model.tasks.values()):
        order = {"x-order": len(properties), "title": COUNT}
        properties[COUNT] = {**order, **_COUNT_SCHEMA}
    in_all = set.intersection(*needed)
    return {
        "type": "object",
        "title": "Input",
        "properties": properties,
        **({"required": [name for name in properties if name in in_all]} if in_all else {}),
    }


def output_schema(served: ServedWorkflow) -> JsonObject:
    """Return the schema of a workflow's output: one value, or several by name."""
    schemas = {name: schema_of_output(one, FILE) for name, one in served.outputs.items()}
    if len(schemas) == 1:
        one = next(iter(schemas.values()))
        if makes_several(served):
            return {"title": "Output", "anyOf": [one, {"type": "array", "items": one}]}
        return {"title": "Output", **one}
    return {"title": "Output", "type": "object", "properties": schemas}


def openapi_schema(model: Model) -> JsonObject:
    """Return what clients and forms read of a model: an OpenAPI document with two schemas."""
    served = model.first
    prediction: JsonObject = {
        "type": "object",
        "properties": {
            "input": {"$ref": "#/components/schemas/Input"},
            "output": {"$ref": "#/components/schemas/Output"},
        },
    }
    content: JsonObject = {"application/json": {"schema": prediction}}
    answer: JsonObject = {"200": {"description": "The prediction.", "content": content}}
    post: JsonObject = {"requestBody": {"content": content}, "responses": answer}
    schemas: JsonObject = {"Input": input_schema(model), "Output": output_schema(served)}
    return {
        "openapi": "3.1.0",
        "info": {"title": served.document.name or model.name, "version": "1"},
        "paths": {"/predictions": {"post": post}},
        "components": {"schemas": schemas},
    }


def version_json(model: Model, version: str, created: str) -> JsonObject:
    """Return a version as their API has it."""
    return {
        "id": version,
        "created_at": created,
        "cog_version": _COG_VERSION,
        "openapi_schema": openapi_schema(model),
    }


def deployment_json(model: Model, version: str, created: str) -> JsonObject:
    """Return a model as a deployment of the same name."""
    owner, name = model.owner_and_name
    by: JsonObject = {"type": "organization", "username": owner, "name": owner}
    return {
        "owner": owner,
        "name": name,
        "current_release": {
            "number": 1,
            "model": model.id,
            "version": version,
            "created_at": created,
            "created_by": by | {"avatar_url": None, "github_url": None},
            "configuration": {"hardware": "", "min_instances": 1, "max_instances": 1},
        },
    }


def model_json(model: Model, version: JsonObject, url: str) -> JsonObject:
    """Return a model as their API has it; nothing is known of who ran it how often."""
    owner, name = model.owner_and_name
    return {
        "url": url,
        "owner": owner,
        "name": name,
        "description": model.first.document.description or None,
        "visibility": "private",
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": 0,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": version,
    }
