"""
Images of other tools, read by what they state of their making.

`nodetool import photo.png` writes a workflow that makes such an image again, as far as the file
says how. Each field of the file has an entry in the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodes.importers.metadata import fooocus, invokeai, novelai, swarm, web_ui
from nodes.importers.metadata.fields import Fields
from nodes.importers.metadata.hidden import hidden_texts
from nodes.importers.metadata.recipe import Recipe, Writer
from nodetool_core.assets.infotext import read_texts
from nodetool_core.errors import ImageError, Problem, WorkflowError
from nodetool_core.importing import NotRecognizedError
from nodetool_core.importing.draft import Draft, Imported, Unsupported

if TYPE_CHECKING:
    from nodetool_core import Registry

MAX_BYTES: Final = 256 * 1024 * 1024
_LONGEST_TEXT: Final = 4_000_000
_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
"""How PNG, JPEG and WEBP begin."""
_WANTED: Final = "Give an image as its tool wrote it: what edits or shares images often clears it."

Reader = Callable[[Fields], Recipe]


def import_file(path: Path, registry: Registry) -> Imported:
    """
    Read an image, or a text beside one, by what it states of its making.

    Raises NotRecognizedError where it states nothing, WorkflowError where no node takes its values.
    """
    where = str(path)
    values, read = _stated(path)
    draft = Draft(registry)
    fields = Fields(values, draft)
    recipe = read(fields)
    try:
        Writer(recipe, fields, draft).write()
    except Unsupported as error:
        message = f"states what no node takes: {error}."
        raise WorkflowError(Problem("nothing_imported", where, message)) from None
    fields.close()
    return draft.imported(path.stem, where)


def _stated(path: Path) -> tuple[Mapping[str, object], Reader]:
    """Return the fields of a file, and what reads them."""
    where = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refused(where, "is larger than 256 MiB.")
        data = path.read_bytes()
        is_image = data.startswith(_IMAGES)
        text, others = (
            read_texts(data, where, longest=_LONGEST_TEXT)
            if is_image
            else (data.decode("utf-8-sig"), {})
        )
    except (OSError, UnicodeDecodeError, ImageError) as error:
        raise _refused(where, f"can't be read: {error}.") from None
    if is_image and not (text or others):
        others = hidden_texts(data, where)
        text = others.pop("parameters", "")
    for dialect in (invokeai, novelai):
        if found := dialect.fields_of(others):
            return found, dialect.recipe_of
    if content := _object(text):
        for of_object in (fooocus, swarm):
            if found := of_object.fields_of(content):
                return found, of_object.recipe_of
    elif text:
        found = web_ui.fields_of(text)
        if is_image or "Steps" in found:
            return found, web_ui.recipe_of
    raise _refused(where, "states nothing of its making that is known.")


def _object(text: str) -> dict[str, object]:
    """Return the object of JSON that a text is; an empty one for others."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(where: str, message: str) -> NotRecognizedError:
    return NotRecognizedError(Problem("invalid_document", where, message, _WANTED))
