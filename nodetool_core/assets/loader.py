"""Finds the pixels behind an `ImageRef`: at hand, in a file, inline, or in an asset store."""

from __future__ import annotations

import base64
import binascii
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, unquote_to_bytes

from nodetool_core.assets.decode import (
    DEFAULT_LIMITS,
    ImageLimits,
    check_bytes,
    decode_bytes,
    decode_file,
    open_image_file,
)
from nodetool_core.assets.image_data import ImageData
from nodetool_core.assets.modes import Warn, ignore_warning, standard_mode
from nodetool_core.errors import ImageError, Problem
from nodetool_core.references import FolderRef

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.references import AssetRef, ImageRef

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_CHUNK: Final = 1024 * 1024
_SETTLED_NS: Final = 2_000_000_000
"""
Age from which a file's time stamp proves that it has not changed since.

Coarser than any file system's clock.
"""


class AssetStore(Protocol):
    """Where assets are kept by id."""

    def read(self, asset_id: str) -> bytes:
        """Return the encoded bytes of an asset. Raises NodetoolError where there is none."""
        ...


class ImageLoader:
    """Opens image references. Safe to use from several threads."""

    def __init__(
        self,
        base: Path | None = None,
        *,
        limits: ImageLimits = DEFAULT_LIMITS,
        store: AssetStore | None = None,
        confined: bool = False,
    ) -> None:
        """
        Make a loader.

        Args:
            store: Where assets are read by their ids.
            confined: No file of this machine is read, whatever names it: only what is inline or in
                the store.
        """
        self.base = base
        """The folder that relative paths start from; the current folder where none is given."""
        self.limits = limits
        self.confined = confined
        self._store = store
        self._digests: dict[tuple[str, int, int, int, int], str] = {}

    def open(self, ref: ImageRef, warn: Warn = ignore_warning) -> Image.Image:
        """
        Return the pixels behind a reference, decoded under the limits.

        The image is the caller's own. Raises ImageError.

        `warn` takes what is lost or guessed in reading them.
        """
        if isinstance(ref, ImageData):
            for note in ref.notes:
                warn(note)
            return standard_mode(ref.image, warn)
        source = self._source(ref)
        if isinstance(source, Path):
            return decode_file(source, self.limits, warn)
        return decode_bytes(*source, self.limits, warn)

    def digest(self, ref: AssetRef) -> str:
        """
        Return the hash of what is behind a reference.

        Of a file's bytes or an image's pixels, never of a name or a time.

        A folder counts by its place: what is in it is the business of the node that reads it.
            Raises ImageError.
        """
        from blake3 import blake3

        if isinstance(ref, ImageData):
            return ref.digest
        source = self._source(ref)
        if isinstance(source, Path):
            if isinstance(ref, FolderRef):
                return f"folder:{source.absolute()}"
            return self._file_digest(source)
        return f"blake3:{blake3(source[0]).hexdigest()}"

    def read(self, ref: AssetRef) -> bytes:
        """
        Return the encoded bytes behind a reference that is no image in memory. Raises ImageError.
        """
        source = self._source(ref)
        if not isinstance(source, Path):
            return source[0]
        with open_image_file(source, self.limits) as file:
            return file.read()

    def path(self, uri: str) -> Path:
        """
        Return where a path or a `file:` URI leads, relative to the base folder.

        `~` at the start is the user's home. Raises ImageError.
        """
        if self.confined:
            raise _error(
                "forbidden_path",
                uri[:200],
                "is a place on this machine, which this workflow may not read.",
                "Upload the image.",
            )
        if uri[:5].lower() == "file:":
            uri = _path_of_file_uri(uri)
        path = Path(uri)
        if uri == "~" or uri.startswith("~/"):
            path = path.expanduser()
        return path if path.is_absolute() or self.base is None else self.base / path

    def _source(self, ref: AssetRef) -> Path | tuple[bytes, str]:
        """Return the file, or the encoded bytes and what to call them in errors."""
        if ref.data:
            return self._inline(ref.data), "inline image"
        if ref.stored_as is not None:
            return self._stored(ref.stored_as), f"asset {ref.stored_as}"
        if ref.uri:
            return self._behind_uri(ref.uri)
        raise _error(
            "no_image", "", "No image was given.", "Give a path, or connect an image to it."
        )

    def _behind_uri(self, uri: str) -> Path | tuple[bytes, str]:
        match = _SCHEME.match(uri)
        scheme = match[1].lower() if match else ""
        if scheme == "data":
            return self._inline(uri), "data: URI"
        if scheme in ("http", "https"):
            raise _error(
                "remote_image",
                uri,
                "is on the web; images are read from this machine only.",
                "Download it and give the file.",
            )
        if scheme != "file" and uri[len(scheme) :].startswith("://"):
            raise _error(
                "unknown_scheme",
                uri,
                f"has the unknown scheme {scheme!r}.",
                "Use a path, or a file: or data: URI.",
            )
        return self.path(uri)

    def _inline(self, text: str) -> bytes:
        """Return the bytes of base64 text or of a `data:` URI."""
        check_bytes(len(text) * 3 // 4, "inline image", self.limits)
        header, comma, payload = text.partition(",")
        if header[:5].lower() == "data:":
            if not comma:
                raise _error(
                    "bad_data_uri",
                    text[:40],
                    "is no data: URI.",
                    "It looks like data:image/png;base64,iVBOR…",
                )
            if not header.lower().endswith(";base64"):
                return unquote_to_bytes(payload)
            text = unquote(payload)
        compact = re.sub(r"\s+", "", text).translate(str.maketrans("-_", "+/")).rstrip("=")
        try:
            return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise _error(
                "bad_base64",
                "inline image",
                f"is no base64: {error}.",
                "Give the encoded file as base64.",
            ) from error

    def _stored(self, asset_id: str) -> bytes:
        if self._store is None:
            raise _error(
                "no_store",
                f"asset {asset_id}",
                "can't be read: this run has no asset store.",
                "Give the image as a file.",
            )
        return self._store.read(asset_id)

    def _file_digest(self, path: Path) -> str:
        from blake3 import blake3

        with open_image_file(path, self.limits) as file:
            found = os.fstat(file.fileno())
            key = (
                str(path.absolute()),
                found.st_size,
                found.st_mtime_ns,
                found.st_ctime_ns,
                found.st_ino,
            )
            if key not in self._digests:
                hasher = blake3()
                while chunk := file.read(_CHUNK):
                    hasher.update(chunk)
                digest = f"blake3:{hasher.hexdigest()}"
                # A file written a moment ago can change again within the same tick of the clock, so
                # it is read again next time.
                if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < _SETTLED_NS:
                    return digest
                self._digests[key] = digest
            return self._digests[key]


def _path_of_file_uri(uri: str) -> str:
    rest = uri[len("file:") :]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise _error(
                "remote_image",
                uri,
                f"is on another machine ({host}).",
                "Give a file on this machine: file:///path/to/image.png",
            )
        rest = slash + rest
    return unquote(rest)


def _error(code: str, where: str, message: str, hint: str) -> ImageError:
    return ImageError(Problem(code, where, message, hint))


__all__ = ["AssetStore", "ImageLimits", "ImageLoader"]
