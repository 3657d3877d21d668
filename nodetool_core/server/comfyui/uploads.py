"""The forms of `/upload/image` and `/upload/mask`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nodetool_core.server.comfyui.files import FileName
from nodetool_core.server.http.forms import is_form, read_form
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.json_body import read_object

_YES: Final = frozenset({"true", "1"})


@dataclass(frozen=True)
class Upload:
    """A file with the name that its client wants for it."""

    name: FileName
    content: bytes
    replaces: bool
    """Whether another file of that name is this one from now on."""
    original: FileName | None
    """Whose alpha channel it is, for a mask."""

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Upload:
        """Read a form. Raises HttpError for what is none, or has no file."""
        if not is_form(content_type):
            hint = "Send a form with the file as `image`, as a client of HTTP makes it."
            raise wrong(400, "invalid_value", "content-type", "is no form.", hint)
        texts: dict[str, str] = {}
        file: tuple[str, bytes] | None = None
        for part in read_form(body, content_type):
            if part.is_file and part.name == "image":
                file = part.filename, part.content
            elif not part.is_file:
                texts[part.name] = part.text()
        if file is None or not file[0]:
            raise wrong(400, "invalid_value", "image", "expects a file with a name.")
        name = FileName.of(file[0], texts.get("subfolder", ""), texts.get("type") or "input")
        replaces = texts.get("overwrite", "").lower() in _YES
        original = texts.get("original_ref")
        return cls(name, file[1], replaces, None if original is None else _original(original))


def _original(text: str) -> FileName:
    given = read_object(text.encode())
    parts = {name: given.get(name, "") for name in ("filename", "subfolder", "type")}
    found = {name: value for name, value in parts.items() if isinstance(value, str)}
    if len(found) < len(parts):
        raise wrong(400, "invalid_value", "original_ref", "expects a name of a file in texts.")
    return FileName.of(found["filename"], found["subfolder"], found["type"] or "output")
