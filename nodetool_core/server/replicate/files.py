"""
Files that clients upload to use them as inputs.

The id of a file is that of its content, and what its client said of it is a small file beside it,
which the client's table of names leads to. So a file is the client's own, by its token.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Final

from nodetool_core.jobs.job import JobsError, unknown_file
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.forms import is_form, read_form
from nodetool_core.server.http.http_errors import wrong
from nodetool_core.server.http.json_body import read_object
from nodetool_core.server.replicate.answers import PREFIX, iso

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_NAMES: Final = "replicate/"
_CONTENT: Final = "content"
_METADATA: Final = "metadata"
_LONGEST: Final = 2**16
"""Bytes of what a client says of a file."""

PAGE: Final = 100
"""Files of a page."""


class Files:
    """The files of the clients of one server. Its methods block."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def create(self, client: str, body: bytes, content_type: str) -> JsonObject:
        """
        Keep the file in a form.

        Raises HttpError for what is no form or has no file, ImageError for what is no image,
        JobsError where there is no room.
        """
        if not is_form(content_type):
            hint = "Send a form with the file as `content`."
            raise wrong(400, "invalid_value", "content-type", "is no form.", hint)
        parts = {part.name: part for part in read_form(body, content_type)}
        if _CONTENT not in parts:
            raise wrong(422, "missing_input", _CONTENT, "is required.", "Send the file.")
        part, state = parts[_CONTENT], self._state
        metadata: JsonObject = {}
        if _METADATA in parts and parts[_METADATA].content:
            metadata = read_object(parts[_METADATA].content[: _LONGEST + 1])
        state.sanitizer.check_image(part.content, _CONTENT)
        stored = state.jobs.put(part.content)
        about: JsonObject = {
            "id": stored.digest,
            "name": part.filename[:250] or "file",
            "content_type": stored.media_type,
            "size": stored.size,
            "etag": stored.digest,
            "checksums": {"sha256": hashlib.sha256(part.content).hexdigest()},
            "metadata": metadata,
            "created": time.time(),
        }
        kept = state.jobs.put(json.dumps(about).encode(), "application/json")
        state.jobs.names.give(state.names_of(client), _NAMES + stored.digest, kept.digest)
        return about

    def get(self, client: str, file_id: str) -> JsonObject:
        """Return what is known of a file. Raises JobsError where the client has none of that id."""
        names, owner = self._state.jobs.names, self._state.names_of(client)
        digest = names.get(owner, _NAMES + file_id)
        if digest is None:
            raise JobsError(unknown_file(file_id))
        self._state.jobs.file(file_id)
        return read_object(self._state.jobs.read(digest))

    def page(self, client: str, after: str) -> tuple[list[JsonObject], str | None]:
        """Return files in the order of their ids, and what the next page is asked for by."""
        names = self._state.jobs.names.list(self._state.names_of(client))
        found = [name.removeprefix(_NAMES) for name in names if name.startswith(_NAMES)]
        ids = [one for one in found if one > after]
        files = []
        for one in ids[:PAGE]:
            try:
                files.append(self.get(client, one))
            except JobsError as error:
                # It was removed a moment ago.
                if error.problem.code != "unknown_file":
                    raise
        return files, ids[PAGE - 1] if len(ids) > PAGE else None

    def delete(self, client: str, file_id: str) -> None:
        """
        Forget a file; its content goes once nobody needs it.

        Raises JobsError where the client has none of that id.
        """
        if not self._state.jobs.names.remove(self._state.names_of(client), _NAMES + file_id):
            raise JobsError(unknown_file(file_id))

    def shown(self, about: JsonObject, base: str) -> JsonObject:
        """Return a file as their API shows it."""
        created = about["created"]
        assert isinstance(created, float)
        expires = created + self._state.settings.results_seconds
        return {
            **{name: value for name, value in about.items() if name != "created"},
            "created_at": iso(created),
            "expires_at": iso(expires),
            "urls": {"get": f"{base}{PREFIX}/files/{about['id']}"},
        }
