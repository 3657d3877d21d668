"""
The file in a form (`multipart/form-data`, RFC 7578), as browsers and `curl --form` send it.

Parts are cut at the boundary, which no part may hold; nothing is decoded or copied to disk: a body
is bounded before it is read.
"""

from __future__ import annotations

import re
from typing import Final

from nodetool_core.server.http.http_errors import wrong

FORM: Final = "multipart/form-data"

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_FILE: Final = re.compile(
    rb"^content-disposition\s*:.*;\s*filename\*?=", re.IGNORECASE | re.MULTILINE
)
_ONE: Final = (
    "Send one file: curl --form file=@photo.jpg, or the file itself as the body: curl --data-binary"
    " @photo.jpg."
)


def is_form(content_type: str) -> bool:
    """Return whether a body of that type is a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


def file_in_form(body: bytes, content_type: str) -> bytes:
    """
    Return the content of the one file in a form.

    Raises HttpError: 400 for what is no form, 422 for no file or several.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise wrong(
            400, "invalid_value", "content-type", "names no boundary of the form's parts.", _ONE
        )
    # Each part is between two boundaries, and ends with the line break before the second.
    pieces = (b"\r\n" + body).split(b"\r\n--" + (found[1] or found[2]).encode())
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise wrong(
            400, "invalid_value", "body", "is no whole form: its last boundary is missing.", _ONE
        )
    files = []
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        if blank and _FILE.search(head):
            files.append(content)
    if len(files) != 1:
        raise wrong(
            422,
            "invalid_value",
            "body",
            f"holds {len(files) or 'no'} files, and one is expected.",
            _ONE,
        )
    return files[0]
