"""An image that was looked at a moment ago is not looked at again."""

from __future__ import annotations

import pytest

from nodetool_core.assets.decode import DEFAULT_LIMITS
from nodetool_core.errors import ImageError
from nodetool_core.json_types import JsonObject
from nodetool_core.references import ImageRef
from nodetool_core.server.security import recent_images
from nodetool_core.server.security.sanitize import InputSanitizer
from tests.server.live import png


class Stored:
    """A store of one file, which counts what is done with it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.done: list[str] = []

    def read(self, asset_id: str) -> bytes:
        self.done.append(f"read {asset_id}")
        return self.content

    def put(self, data: bytes) -> JsonObject:
        self.done.append("put")
        return {"type": "image", "asset_id": "of-the-store"}


def kept(sanitizer: InputSanitizer, store: Stored, name: str) -> object:
    return sanitizer.kept(ImageRef(asset_id=name), "image", store.put)


def sanitizer_of(store: Stored) -> InputSanitizer:
    def fetch(url: str) -> bytes:
        raise AssertionError(url)

    return InputSanitizer((), DEFAULT_LIMITS, fetch, store)


def test_a_stored_image_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Stored(png())
    sanitizer = sanitizer_of(store)
    first, again = (kept(sanitizer, store, "lake") for _ in range(2))
    assert first == again == {"type": "image", "asset_id": "of-the-store"}
    assert store.done == ["read lake", "put"]
    kept(sanitizer, store, "hill")
    assert store.done[2:] == ["read hill", "put"]
    monkeypatch.setattr(recent_images, "_SECONDS", 0.0)
    kept(sanitizer, store, "lake")
    assert store.done[4:] == ["read lake", "put"]


def test_what_is_no_image_is_refused_each_time() -> None:
    store = Stored(b"no image")
    sanitizer = sanitizer_of(store)
    for _ in range(2):
        with pytest.raises(ImageError):
            kept(sanitizer, store, "text")
    assert store.done == ["read text"] * 2


def test_only_so_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_images, "_MOST", 2)
    recent = recent_images.RecentImages()
    for name in "abc":
        recent.note(name, {"asset_id": name})
    assert [recent.get(name) for name in "abc"] == [None, {"asset_id": "b"}, {"asset_id": "c"}]
