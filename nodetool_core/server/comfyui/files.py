"""
Files by the names that clients give them.

A name is a folder (`input`, `output`, `temp`), folders below it, and a file's name. It is a text in
a table of the client's own and no path of this machine. Results have names that are made of the job
and the number of the image, which those may read who may see the job.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from nodetool_core.assets.image_data import ImageData
from nodetool_core.references import ImageRef
from nodetool_core.server.comfyui.history import History, named_result
from nodetool_core.server.comfyui.prompts import Prompts
from nodetool_core.server.http.http_errors import HttpError, wrong
from nodetool_core.server.http.images import encode_image_data

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

FOLDERS: Final = ("input", "output", "temp")
LONGEST: Final = 250
"""Characters of a name, its folders included."""

_NOTED: Final = re.compile(r"(.*) \[(input|output|temp)\]", re.DOTALL)
"""A name that says its folder, as inputs of graphs have it."""

_MOST_TRIES: Final = 1000
"""Numbers that are tried for a name that is taken."""


@dataclass(frozen=True)
class FileName:
    """The name of a file."""

    folder: str
    subfolder: str
    name: str

    def __str__(self) -> str:
        """Return the name as the table has it."""
        return "/".join(part for part in (self.folder, self.subfolder, self.name) if part)

    @classmethod
    def of(cls, filename: str, subfolder: str = "", folder: str = "input") -> FileName:
        """
        Return the name that a client means.

        Raises HttpError: 400 for what is no name, 403 where it leads out of its folder.
        """
        if noted := _NOTED.fullmatch(filename):
            filename, folder = noted[1], noted[2]
        if folder not in FOLDERS:
            raise wrong(400, "invalid_value", "type", f"is not one of {', '.join(FOLDERS)}.")
        path = PurePosixPath(filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise wrong(400, "invalid_value", "filename", "is no name of a file.")
        below = PurePosixPath(subfolder.replace("\\", "/"))
        if below.is_absolute() or ".." in below.parts:
            raise wrong(403, "not_allowed", "subfolder", "leads out of its folder.")
        whole = below / path
        found = cls(folder, "" if str(whole.parent) == "." else str(whole.parent), whole.name)
        if len(str(found)) > LONGEST or not str(found).isprintable():
            message = f"has to be at most {LONGEST} printable characters."
            raise wrong(400, "invalid_value", "filename", message)
        return found

    def numbered(self, number: int) -> FileName:
        """Return another name for the same, as it is given where this one is taken."""
        path = PurePosixPath(self.name)
        return FileName(self.folder, self.subfolder, f"{path.stem} ({number}){path.suffix}")


class NamedFiles:
    """The files of the clients of one server. Its methods block."""

    def __init__(self, state: AppState, prompts: Prompts, history: History) -> None:
        self._state = state
        self._prompts = prompts
        self._history = history

    def uploads(self, client: str) -> list[str]:
        """Return the names of a client's files in the folder of inputs."""
        prefix = "input/"
        names = self._state.jobs.names.list(self._state.names_of(client))
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    def digest(self, client: str, name: FileName) -> str | None:
        """Return which stored file has a name; None where none has that the client may read."""
        found = self._state.jobs.names.get(self._state.names_of(client), str(name))
        result = named_result(name.name)
        if found is not None or result is None or name.folder == "input":
            return found
        prompt = self._prompts.get(client, result[0])
        file = None if prompt is None else self._history.file(prompt, result[1])
        return None if file is None else file.digest

    def keep(self, client: str, name: FileName, data: bytes, *, replace: bool) -> FileName:
        """
        Keep an upload, and return the name that it has got.

        Args:
            replace: Whether the name is this file's though another has it; else it gets a number.

        Raises ImageError for what is no image, and JobsError where there is no room.
        """
        self._state.sanitizer.check_image(data, "image")
        digest, names = self._state.jobs.put(data).digest, self._state.jobs.names
        for number in range(_MOST_TRIES):
            tried = name.numbered(number) if number else name
            if names.give(self._state.names_of(client), str(tried), digest, replace=replace):
                return tried
        raise wrong(400, "invalid_value", "filename", "is taken, with every number behind it.")

    def masked(self, client: str, original: FileName, mask: bytes) -> bytes:
        """
        Return a file as PNG with the alpha channel of another image.

        Raises HttpError 404 where there is no such file, ImageError for what is no image.
        """
        sanitizer, found = self._state.sanitizer, self.digest(client, original)
        if found is None:
            raise missing(str(original))
        sanitizer.check_image(mask, "image")
        ref = ImageRef(asset_id=self._state.jobs.put(mask).digest)
        with sanitizer.image(ref, "image") as given:
            alpha = given.image.convert("RGBA").getchannel("A")
        with sanitizer.image(ImageRef(asset_id=found), "original_ref") as image:
            whole = image.image.convert("RGBA")
        if alpha.size != whole.size:
            message = (
                f"is {alpha.width} x {alpha.height}, and the image {whole.width} x {whole.height}."
            )
            raise wrong(400, "invalid_mask", "image", message)
        whole.putalpha(alpha)
        return encode_image_data(ImageData.of(whole), "PNG")


def missing(name: str) -> HttpError:
    """Return the failure of a file that there is not."""
    hint = "Upload it first; files are kept for a time only."
    return wrong(404, "unknown_file", name[:80], "There is no such file.", hint)
