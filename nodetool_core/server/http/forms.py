"""
Forms (`multipart/form-data`, RFC 7578), as browsers and `curl --form` send it.

Parts are cut at the boundary, which no part may hold; nothing is decoded or copied to disk: a body
is bounded before it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nodetool_core.server.http.http_errors import wrong

FORM: Final = "multipart/form-data"

MOST_PARTS: Final = 200
"""Parts of a form; no client of an image API sends as many."""

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_DISPOSITION: Final = re.compile(rb"^content-disposition\s*:(.*)$", re.IGNORECASE | re.MULTILINE)
_NAME: Final = re.compile(rb';\s*name=(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_FILE: Final = re.compile(rb';\s*filename(?:="([^"]*)"|\*?=([^\s;"]*))', re.IGNORECASE)
_FORM: Final = "Send a whole form, as a client of HTTP makes it."
_ONE: Final = (
    "Send one file: curl --form file=@photo.jpg, or the file itself as the body: curl --data-binary"
    " @photo.jpg."
)


def is_form(content_type: str) -> bool:
    """Return whether a body of that type is a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form."""

    name: str
    content: bytes
    is_file: bool
    """Whether it has the name of a file, as the parts of files have."""
    filename: str = ""

    def text(self) -> str:
        """Return the content as a text. Raises HttpError 400 for what is no UTF-8."""
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            raise wrong(400, "invalid_value", self.name, "is no text in UTF-8.") from None


def read_form(body: bytes, content_type: str) -> list[Part]:
    """
    Return the parts of a form in their order.

    Raises HttpError 400 for what is no form, or has too many parts.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise wrong(
            400, "invalid_value", "content-type", "names no boundary of the form's parts.", _FORM
        )
    # Each part is between two boundaries, and ends with the line break before the second.
    boundary = b"\r\n--" + (found[1] or found[2]).encode()
    pieces = (b"\r\n" + body).split(boundary, MOST_PARTS + 1)
    if boundary in pieces[-1]:
        raise wrong(
            400, "invalid_value", "body", f"has more than {MOST_PARTS} parts.", "Send fewer."
        )
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise wrong(
            400, "invalid_value", "body", "is no whole form: its last boundary is missing.", _FORM
        )
    parts = []
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        disposition = _DISPOSITION.search(head) if blank else None
        if disposition is not None:
            name = _NAME.search(disposition[1])
            label = (name[1] or name[2] or b"") if name else b""
            file = _FILE.search(disposition[1])
            filename = (file[1] or file[2] or b"") if file else b""
            parts.append(
                Part(
                    label.decode("utf-8", "replace"),
                    content,
                    file is not None,
                    filename.decode("utf-8", "replace"),
                )
            )
    return parts


def file_in_form(body: bytes, content_type: str) -> bytes:
    """
    Return the content of the one file in a form.

    Raises HttpError: 400 for what is no form, 422 for no file or several.
    """
    files = [part.content for part in read_form(body, content_type) if part.is_file]
    if len(files) != 1:
        raise wrong(
            422,
            "invalid_value",
            "body",
            f"holds {len(files) or 'no'} files, and one is expected.",
            _ONE,
        )
    return files[0]
