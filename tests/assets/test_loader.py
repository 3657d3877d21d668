from __future__ import annotations

import base64
import os
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from nodetool_core import FolderRef, ImageData, ImageRef
from nodetool_core.assets.loader import ImageLimits, ImageLoader
from nodetool_core.errors import ImageError
from tests.assets.images import difference, encoded, scene

PNG = encoded(scene())
TEXT = base64.b64encode(PNG).decode()


class Store:
    def read(self, asset_id: str) -> bytes:
        return {"lake": PNG}[asset_id]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a lake ü.png").write_bytes(PNG)
    return tmp_path


def references(folder: Path) -> list[ImageRef]:
    path = folder / "a lake ü.png"
    return [
        ImageData.of(scene()),
        ImageRef(uri=str(path)),
        ImageRef(uri="a lake ü.png"),
        ImageRef(uri=path.as_uri()),
        ImageRef(uri=f"file://localhost{quote(str(path))}"),
        ImageRef(uri=f"FILE://{quote(str(path))}"),
        ImageRef(uri="~/a lake ü.png"),
        ImageRef(uri=f"DATA:image/png;BASE64,{TEXT}"),
        ImageRef(uri=f"data:image/png;base64,{TEXT}"),
        ImageRef(uri=f"data:image/png;base64,{quote(TEXT)}"),
        ImageRef(uri=f"data:image/png,{quote(PNG)}"),
        ImageRef(data=TEXT),
        ImageRef(data=base64.urlsafe_b64encode(PNG).decode().rstrip("=")),
        ImageRef(data=base64.encodebytes(PNG).decode()),
        ImageRef(asset_id="lake"),
        ImageRef(uri="asset://lake"),
    ]


def test_every_kind_of_reference_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    loader = ImageLoader(folder, store=Store())
    for ref in references(folder):
        assert difference(loader.open(ref), scene()) == 0
        assert loader.digest(ref) == loader.digest(ref)
    assert len({loader.digest(ref) for ref in references(folder)[1:]}) == 1, (
        "the same bytes, wherever they are"
    )


def test_relative_paths_start_from_the_current_folder_by_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert ImageLoader().open(ImageRef(uri="a lake ü.png")).size == (40, 24)
    odd = folder / "12:30.png"
    odd.write_bytes(PNG)
    (folder / "~").mkdir()
    odd.rename(folder / "~" / "mix:ed.png")
    assert ImageLoader().open(ImageRef(uri="./~/mix:ed.png")).size == (40, 24)
    assert ImageLoader(folder / "~").open(ImageRef(uri="mix:ed.png")).size == (40, 24)


@pytest.mark.parametrize(
    ("ref", "code", "says"),
    [
        (ImageRef(), "no_image", "No image was given"),
        (ImageRef(uri="https://example.org/lake.png"), "remote_image", "Download it"),
        (ImageRef(uri="file://server/share/lake.png"), "remote_image", "another machine (server)"),
        (ImageRef(uri="s3://bucket/lake.png"), "unknown_scheme", "'s3'"),
        (ImageRef(uri="data:image/png;base64"), "bad_data_uri", "data:image/png;base64,"),
        (ImageRef(uri="data:image/png;base64,%%%"), "bad_base64", "base64"),
        (ImageRef(data="no base64!"), "bad_base64", "base64"),
        (ImageRef(data=base64.b64encode(b"a text").decode()), "not_an_image", "text"),
        (ImageRef(uri="data:image/png;base64,"), "empty_image", "empty"),
        (ImageRef(asset_id="lake"), "no_store", "no asset store"),
        (ImageRef(uri="missing.png"), "missing_file", "missing.png"),
        (ImageRef(data="A" * 4000), "image_too_large", "inline image"),
    ],
)
def test_what_can_not_be_opened_says_why(
    ref: ImageRef, code: str, says: str, tmp_path: Path
) -> None:
    loader = ImageLoader(tmp_path, limits=ImageLimits(max_bytes=2000))
    for ask in (loader.open, loader.digest):
        if ask == loader.digest and code in ("not_an_image", "empty_image"):
            continue
        with pytest.raises(ImageError) as caught:
            ask(ref)
        assert caught.value.problem.code == code and caught.value.problem.hint
        assert says in str(caught.value)


def test_a_digest_is_of_the_content_not_of_name_or_time(folder: Path) -> None:
    loader, path = ImageLoader(folder), folder / "a lake ü.png"
    first = loader.digest(ImageRef(uri=str(path)))
    path.rename(folder / "b.png")
    os.utime(folder / "b.png", (1, 1))
    assert (
        loader.digest(ImageRef(uri="b.png"))
        == first
        == ImageLoader(folder).digest(ImageRef(uri="b.png"))
    )


def test_a_change_within_one_tick_of_the_clock_is_seen(folder: Path) -> None:
    loader, path = ImageLoader(folder), folder / "a lake ü.png"
    stamp = path.stat().st_mtime_ns
    first = loader.digest(ImageRef(uri=str(path)))
    assert not loader._digests, "a file written a moment ago is read again next time"
    changed = bytearray(PNG)
    changed[-1] ^= 1
    path.write_bytes(changed)
    os.utime(path, ns=(stamp, stamp))
    assert loader.digest(ImageRef(uri=str(path))) != first


def test_a_settled_file_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nodetool_core.assets import loader as module

    monkeypatch.setattr(module, "_SETTLED_NS", -1)
    loader, ref = ImageLoader(folder), ImageRef(uri="a lake ü.png")
    first = loader.digest(ref)
    assert list(loader._digests.values()) == [first]
    loader._digests[next(iter(loader._digests))] = "remembered"
    assert loader.digest(ref) == "remembered"


def test_threads_share_a_loader(folder: Path) -> None:
    loader, found = ImageLoader(folder), []
    ref = ImageRef(uri="a lake ü.png")
    threads = [
        threading.Thread(target=lambda: found.append((loader.digest(ref), loader.open(ref).size)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_a_folder_counts_by_its_place(folder: Path) -> None:
    (folder / "sub").mkdir()
    loader = ImageLoader(folder)
    assert (
        loader.digest(FolderRef(uri="sub"))
        == loader.digest(FolderRef(uri=str(folder / "sub")))
        != loader.digest(FolderRef(uri="other"))
    )


def test_a_confined_loader_reads_no_file_of_this_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    loader = ImageLoader(folder, store=Store(), confined=True)
    for ref in references(folder):
        if ref.uri and not ref.uri.lower().startswith(("data:", "asset:")):
            for read in (loader.open, loader.digest, loader.read):
                with pytest.raises(ImageError, match="may not read"):
                    read(ref)
        else:
            assert difference(loader.open(ref), scene()) == 0
    with pytest.raises(ImageError, match="may not read"):
        loader.digest(FolderRef(uri="."))
