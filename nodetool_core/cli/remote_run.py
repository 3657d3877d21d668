"""A run on a server, from texts on the command line to files here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard, get_args

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.cli.remote import RemoteServer, problems_of
from nodetool_core.cli.results import ImageFile
from nodetool_core.engine.events import Event, NodeFailed, NodePreview, event_type_name
from nodetool_core.errors import NodetoolError, Problem, near_miss
from nodetool_core.json_types import Json, JsonObject

if TYPE_CHECKING:
    from nodetool_core.engine.events import Listener

_INLINE: Final = ("http://", "https://", "data:")
"""How the texts of images begin that the server reads by itself."""
_KINDS: Final = {
    event_type_name(kind): kind for kind in get_args(Event) if kind not in (NodePreview, NodeFailed)
}
_LEFT_OUT: Final[Mapping[str, object]] = {"item": (), "message": "", "seeds": {}, "details": {}}
"""What fields of events are that say nothing, and so are not sent."""
_SUFFIXES: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}

Upload = Callable[[bytes], JsonObject]


@dataclass(frozen=True)
class RemoteResult:
    """How a job ended."""

    job: str
    state: str
    """`done`, `failed`, `cancelled` or `expired`."""
    outputs: Mapping[str, object]
    """By name, with images as their files."""
    report: Mapping[str, Json]
    """Seeds, warnings and seconds, as the server gives them."""
    problems: tuple[Problem, ...]


def read_inputs(schema: Mapping[str, Json], texts: Mapping[str, str], upload: Upload) -> JsonObject:
    """
    Return values of inputs as the server takes them; files of images are sent to it.

    Args:
        schema: The JSON Schema of the workflow's inputs.

    Raises WrongUseError with every name and file that there is not, before anything is sent.
    """
    known = schema.get("properties")
    known = known if isinstance(known, dict) else {}
    problems = [_unknown(name, known) for name in texts if name not in known]
    values: JsonObject = {name: _value(known.get(name), text) for name, text in texts.items()}
    problems += [
        _missing(name, path)
        for name, value in values.items()
        for path in _paths(value, known.get(name))
        if not path.is_file()
    ]
    if problems:
        raise WrongUseError(problems)
    return {name: _sent(value, known.get(name), upload) for name, value in values.items()}


def watch(server: RemoteServer, job: str, listener: Listener) -> RemoteResult:
    """Wait until a job has ended, and fetch its results. Raises RemoteError."""
    for data in server.events(job):
        event = _event(data)
        if event is not None:
            listener(event)
    return result_of(server, job)


def result_of(server: RemoteServer, job: str) -> RemoteResult:
    """Return how a job ended, with its results. Raises RemoteError."""
    found = server.job(job)
    outputs, report = found.get("outputs"), found.get("report")
    return RemoteResult(
        job,
        str(found.get("state")),
        _fetched(outputs, server.file) if isinstance(outputs, dict) else {},
        report if isinstance(report, dict) else {},
        tuple(problems_of(found.get("problems"))),
    )


def _event(data: Mapping[str, Json]) -> Event | None:
    """Return an event of the engine as the command line shows it; None for all others."""
    kind = _KINDS.get(str(data.get("event")))
    if kind is None:
        return None
    fields = {name: data.get(name, _LEFT_OUT.get(name)) for name in kind._fields}
    made: Event = kind(**fields)
    return made


def _fetched(values: Mapping[str, Json], fetch: Callable[[str], bytes]) -> dict[str, object]:
    return {name: _with_files(value, fetch) for name, value in values.items()}


def _with_files(value: Json, fetch: Callable[[str], bytes]) -> object:
    """Return a result with the files of its images in place of the references to them."""
    if isinstance(value, dict):
        if value.get("type") == "image" and isinstance(value.get("asset_id"), str):
            suffix = _SUFFIXES.get(str(value.get("media_type")), ".png")
            size = (_side(value.get("width")), _side(value.get("height")))
            return ImageFile(fetch(str(value["asset_id"])), suffix, size)
        return _fetched(value, fetch)
    if isinstance(value, list):
        return [_with_files(item, fetch) for item in value]
    return value


def _side(found: Json) -> int:
    return found if isinstance(found, int) else 0


def _value(schema: Json, text: str) -> Json:
    """Return a text as a value: read as JSON, except for texts and images."""
    is_reference = _is_image(schema) and text.startswith("{")
    if "string" in _types(schema) and not is_reference:
        return text
    try:
        read: Json = json.loads(text)
    except ValueError:
        return [text] if _is_images(schema) else text
    return read


def _types(schema: Json) -> set[str]:
    """Return the types of JSON that a schema takes."""
    if not isinstance(schema, dict):
        return set()
    found = schema.get("type")
    types = {found} if isinstance(found, str) else set(found if isinstance(found, list) else ())
    choices = schema.get("enum")
    if isinstance(choices, list) and any(isinstance(choice, str) for choice in choices):
        types.add("string")
    members = schema.get("anyOf")
    for member in members if isinstance(members, list) else ():
        types |= _types(member)
    return {str(one) for one in types}


def _is_image(schema: Json) -> bool:
    """Return whether a schema is that of an image: an address, or a file on the server."""
    members = schema.get("anyOf") if isinstance(schema, dict) else None
    return isinstance(members, list) and any(
        isinstance(member, dict)
        and isinstance(properties := member.get("properties"), dict)
        and "asset_id" in properties
        for member in members
    )


def _is_images(schema: Json) -> bool:
    return isinstance(schema, dict) and _is_image(schema.get("items"))


def _paths(value: Json, schema: Json) -> list[Path]:
    """Return the files of this machine in the value of an input for images."""
    texts = value if isinstance(value, list) and _is_images(schema) else [value]
    if not (_is_image(schema) or _is_images(schema)):
        return []
    return [Path(text).expanduser() for text in texts if _is_path(text)]


def _is_path(value: Json) -> TypeGuard[str]:
    """Return whether the value of an image is a file of this machine."""
    return isinstance(value, str) and not value.lower().startswith(_INLINE)


def _sent(value: Json, schema: Json, upload: Upload) -> Json:
    """Return a value with the images that lie on this machine sent to the server."""
    if isinstance(value, list) and _is_images(schema):
        return [_sent(item, schema.get("items"), upload) for item in value]  # type: ignore[union-attr]
    if not (_is_image(schema) and isinstance(value, str) and _is_path(value)):
        return value
    try:
        return upload(Path(value).expanduser().read_bytes())
    except OSError as error:
        message = f"can't be read: {error.strerror or error}."
        raise WrongUseError(Problem("unreadable_file", value, message)) from error
    except NodetoolError as error:
        raise type(error)([_placed(problem, value) for problem in error.problems]) from error


def _placed(problem: Problem, path: str) -> Problem:
    """Return a problem of an upload with the name of its file as the place."""
    return Problem(problem.code, path, problem.message, problem.hint)


def _unknown(name: str, known: Mapping[str, Json]) -> Problem:
    hint = near_miss(name, known) or f"It has {', '.join(known) or 'none'}."
    return Problem("unknown_input", f"--set {name}", "The workflow has no such input.", hint)


def _missing(name: str, path: Path) -> Problem:
    hint = "Give the path of an image, an http(s) address, or a data: URI."
    return Problem("missing_file", f"--set {name}={path}", "There is no such file.", hint)
