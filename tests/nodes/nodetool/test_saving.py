"""Names of files by patterns, what goes beside images, animations, PDFs, the web."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from nodes.nodetool.control import Collect
from nodes.nodetool.image import (
    LoadFrames,
    LoadImageFile,
    LoadImageURL,
    SaveAnimation,
    SaveImageFile,
    SavePDF,
)
from nodes.nodetool.output import Output
from nodes.services import addresses
from nodes.services.fetching import fetch_public_image
from nodetool_core import ImageData, NodeError, Workflow
from nodetool_core.assets.encode import read_provenance
from nodetool_core.errors import ImageError
from tests.assets.images import encoded, scene
from tests.nodes.conftest import NodeRunner


def saved(run: NodeRunner, **properties: Any) -> Path:
    node = SaveImageFile(
        **{"image": ImageData.of(scene(40, 24)), "folder": "out", "filename": "a.png"} | properties
    )
    return Path(run(node).path)


@pytest.mark.parametrize(
    ("pattern", "values", "name"),
    [
        ("{name}_{seed}", {"name": "lake", "seed": 7}, "lake_7.png"),
        ("{seed:06}.webp", {"seed": 42}, "000042.webp"),
        ("{width}x{height}", {}, "40x24.png"),
        (
            "{prompt}",
            {"prompt": "a lake / at noon: *no* people?"},
            "a lake - at noon- -no- people-.png",
        ),
        ("{prompt}", {"prompt": "../../etc/passwd"}, "-..-etc-passwd.png"),
        ("{prompt}.jpg", {"prompt": "x" * 300}, "x" * 80 + ".jpg"),
        ("{index:03}", {"index": 12}, "012.png"),
        ("{strength}", {"strength": 0.5}, "0.5.png"),
        ("100%%", {}, "100%.png"),
        ("{index:3d}-{seed:04}", {"seed": 7}, "000-0007.png"),
        ("{strength:.2f}", {"strength": 0.5}, "0.50.png"),
        ("{prompt}", {"prompt": "夏" * 80}, "夏" * 40 + ".png"),
        ("{ a note }{}", {}, "{ a note }{}.png"),
    ],
)
def test_names_by_patterns(
    pattern: str, values: dict[str, Any], name: str, run_node: NodeRunner, tmp_path: Path
) -> None:
    path = saved(run_node, filename=pattern, **values)
    assert path == tmp_path / "out" / name and path.is_file()
    assert [found.name for found in (tmp_path / "out").iterdir()] == [name]


def test_numbers_go_on_where_they_ended(run_node: NodeRunner, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "lake_001.png").write_bytes(b"kept")
    names = [saved(run_node, filename="lake_{index:03}", overwrite=True).name for _ in range(3)]
    assert names == ["lake_000.png", "lake_002.png", "lake_003.png"]
    assert (tmp_path / "out" / "lake_001.png").read_bytes() == b"kept"


@pytest.mark.parametrize("form", [":z", ":", "!r", ":>500", ":03x", ".real", "[0]"])
def test_placeholders_that_can_not_be_read(form: str, run_node: NodeRunner, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="can't be read") as caught:
        saved(run_node, filename=f"{{index{form}}}")
    assert caught.value.problem.where == "filename" and "{index:03}" in caught.value.problem.hint
    assert not (tmp_path / "out").exists()


def test_a_name_that_only_looks_like_a_number_comes_to_an_end(run_node: NodeRunner) -> None:
    names = [saved(run_node, filename="{indexes}", indexes="a").name for _ in range(3)]
    assert names == ["a.png", "a-2.png", "a-3.png"]
    given = [saved(run_node, filename="{index}", index=4, overwrite=True).name for _ in range(2)]
    assert given == ["4.png", "4.png"]


def test_a_name_whose_value_is_missing(run_node: NodeRunner, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="which has no value") as caught:
        saved(run_node, filename="{sed}", seed=3)
    assert caught.value.problem.code == "missing_value"
    assert "Did you mean 'seed'?" in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file_format", "filename", "name", "kind"),
    [
        ("jpeg", "a", "a.jpg", "JPEG"),
        ("jpeg", "a.JPEG", "a.JPEG", "JPEG"),
        ("webp", "photo_1.5", "photo_1.5.webp", "WEBP"),
        ("tiff", "a.tiff", "a.tiff", "TIFF"),
        ("png", "a.jpg", "a.jpg.png", "PNG"),
    ],
)
def test_a_format_by_choice(
    file_format: str, filename: str, name: str, kind: str, run_node: NodeRunner
) -> None:
    path = saved(run_node, format=file_format, filename=filename)
    assert path.name == name and Image.open(path).format == kind


def test_quality_and_dpi(run_node: NodeRunner) -> None:
    image = ImageData.of(scene(300, 200))
    sizes = [
        saved(run_node, image=image, filename=f"{quality}.jpg", quality=quality).stat().st_size
        for quality in (20, 0, 92, 100)
    ]
    assert sizes[0] < sizes[1] == sizes[2] < sizes[3]
    for ending in ("png", "jpg", "tiff"):
        path = saved(run_node, filename=f"a.{ending}", dpi=300.0)
        assert Image.open(path).info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert "dpi" not in Image.open(saved(run_node, filename="b.png")).info
    saved(run_node, filename="a.webp", dpi=300.0)
    assert run_node.warnings() == ["dpi: WEBP has no place for it, so the file states none."]


def test_metadata_can_be_left_out(run_node: NodeRunner) -> None:
    image = ImageData.of(scene(), {"format": 1, "seeds": {"a": 7}})
    kept = saved(run_node, image=image)
    bare = saved(run_node, image=image, filename="bare.png", metadata=False)
    assert (read_provenance(kept) or {})["seeds"] == {"a": 7} and read_provenance(bare) is None


def test_captions_and_records_beside_images(run_node: NodeRunner, tmp_path: Path) -> None:
    path = saved(run_node, sidecar="text", caption="a lake, am See")
    assert path.with_suffix(".txt").read_text("utf-8") == "a lake, am See"
    record = saved(run_node, filename="b.webp", sidecar="json", caption="x", seed=7, prompt="noon")
    assert json.loads(record.with_suffix(".json").read_text("utf-8")) == {
        "file": "b.webp",
        "width": 40,
        "height": 24,
        "caption": "x",
        "values": {"seed": 7, "prompt": "noon"},
    }


def test_nothing_beside_an_image_is_replaced(run_node: NodeRunner, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("kept")
    path = saved(run_node, sidecar="text", caption="new")
    assert path.name == "a-2.png" and path.with_suffix(".txt").read_text() == "new"
    assert (tmp_path / "out" / "a.txt").read_text() == "kept"
    assert not (tmp_path / "out" / "a.png").exists()
    again = saved(run_node, sidecar="text", caption="newer", overwrite=True)
    assert again.name == "a.png" and (tmp_path / "out" / "a.txt").read_text() == "newer"


COLOURS = ["#ff0000", "#00ff00", "#0000ff"]


def frames(size: tuple[int, int] = (32, 20)) -> list[ImageData]:
    return [ImageData.of(Image.new("RGB", size, colour)) for colour in COLOURS]


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_frames_go_into_an_animation_and_come_back(ending: str, run_node: NodeRunner) -> None:
    path = run_node(
        SaveAnimation(
            images=frames(), filename=f"a.{ending}", durations=[50, 120, 300], quality=100, loop=2
        )
    )
    with Image.open(path) as found:
        assert (found.n_frames, found.is_animated) == (3, True)
        expected = [frame.convert("RGB").copy() for frame in ImageSequence.Iterator(found)]
    items = run_node(LoadFrames(path=path))
    assert [item.number for item in items] == [0, 1, 2]
    assert [item.duration for item in items] == [50, 120, 300]
    for item, frame, colour in zip(items, expected, COLOURS, strict=True):
        assert item.image.image.convert("RGB").tobytes() == frame.tobytes()
        assert item.image.image.convert("RGB").getpixel((3, 3)) == tuple(
            int(colour[start : start + 2], 16) for start in (1, 3, 5)
        )


def test_some_frames_of_many(run_node: NodeRunner) -> None:
    many = [ImageData.of(Image.new("RGB", (8, 8), (number * 20, 0, 0))) for number in range(10)]
    path = run_node(SaveAnimation(images=many, filename="a.webp", quality=100))
    items = run_node(LoadFrames(path=path, start=2, step=3, limit=2))
    assert [item.number for item in items] == [2, 5]
    assert [item.image.image.getpixel((1, 1))[0] for item in items] == [40, 100]
    with pytest.raises(NodeError, match="has no frame 10"):
        run_node(LoadFrames(path=path, start=10))


def test_frames_with_alpha_and_of_other_sizes(run_node: NodeRunner) -> None:
    glass = Image.new("RGBA", (32, 20), (0, 0, 0, 0))
    glass.paste((255, 0, 0, 255), (0, 0, 16, 20))
    images = [ImageData.of(glass), *frames((64, 64))]
    path = run_node(SaveAnimation(images=images, filename="a.png"))
    items = run_node(LoadFrames(path=path))
    assert [item.image.image.size for item in items] == [(32, 20)] * 4
    assert items[0].image.image.getpixel((30, 3))[3] == 0
    assert items[1].image.image.convert("RGBA").getpixel((30, 3)) == (255, 0, 0, 255)


def test_a_still_image_is_one_frame(run_node: NodeRunner, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(scene()))
    (item,) = run_node(LoadFrames(path="a.png"))
    assert item.number == 0 and item.image.image.size == scene().size
    (tmp_path / "b.gif").write_bytes(b"GIF89a no more")
    with pytest.raises(ImageError, match=r"b\.gif"):
        run_node(LoadFrames(path="b.gif"))


@pytest.mark.parametrize(("mode", "ending"), [("I;16", "png"), ("I;16", "tif"), ("F", "tif")])
def test_a_frame_of_deep_tones_is_the_image_itself(
    mode: str, ending: str, run_node: NodeRunner, tmp_path: Path
) -> None:
    path = tmp_path / f"deep.{ending}"
    steps = np.linspace(0, 1, 600).reshape(20, 30)
    tones = (steps * 65535).astype(np.uint16) if mode == "I;16" else steps.astype(np.float32)
    Image.fromarray(tones).save(path)
    (item,) = run_node(LoadFrames(path=str(path)))
    assert item.image == run_node(LoadImageFile(path=str(path)))
    assert np.asarray(item.image.image).tobytes() == tones.tobytes()


def test_frames_are_upright_and_say_what_they_lose(run_node: NodeRunner, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(40, 24).save(tmp_path / "turned.png", exif=exif)
    (item,) = run_node(LoadFrames(path="turned.png"))
    assert item.image == run_node(LoadImageFile(path="turned.png"))
    assert item.image.image.size == (24, 40)
    print_page = scene(40, 24).convert("CMYK")
    print_page.save(tmp_path / "pages.tif", save_all=True, append_images=[print_page] * 2)
    assert len(run_node(LoadFrames(path="pages.tif"))) == 3
    assert len(run_node.warnings()) == 1 and "CMYK" in run_node.warnings()[0]


def test_frames_of_no_file(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="No file is named") as caught:
        run_node(LoadFrames(path=" "))
    assert caught.value.problem.where == "path"


def test_every_frame_runs_through_a_workflow(run_node: NodeRunner, tmp_path: Path) -> None:
    path = run_node(SaveAnimation(images=frames(), filename="a.webp", quality=100))
    loaded = LoadFrames(path=path)
    workflow = Workflow(Output(name="frames", value=Collect(input_item=loaded.image).output))
    assert len(workflow.run()["frames"]) == 3


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"images": []}, "no frames"),
        ({"durations": [50]}, "1 durations for 3 frames"),
        ({"durations": [50, 50, -1]}, "can't be shown for -1 milliseconds"),
        ({"durations": [10**7, 50, 50]}, "can't be shown for 10000000 milliseconds"),
        ({"filename": "{index}.gif"}, "fills in date and time alone"),
        ({"filename": "a.jpg"}, "no format of animations"),
        ({"filename": "../a.gif"}, "no name of a file"),
    ],
)
def test_animations_that_are_none(
    properties: dict[str, Any], message: str, run_node: NodeRunner, tmp_path: Path
) -> None:
    with pytest.raises(NodeError, match=message):
        run_node(SaveAnimation(**{"images": frames()} | properties))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("node", "filename", "height"),
    [
        (SaveAnimation, "a.webp", 20_000),
        (SaveAnimation, "a.gif", 70_000),
        (SavePDF, "a.pdf", 70_000),
    ],
)
def test_images_that_are_too_long_for_a_format(
    node: Any, filename: str, height: int, run_node: NodeRunner, tmp_path: Path
) -> None:
    long = ImageData.of(Image.new("RGB", (1, height)))
    with pytest.raises(NodeError, match=f"1 x {height} pixels can't be encoded as") as caught:
        run_node(node(images=[long, long], filename=filename))
    assert "Fit" in caught.value.problem.hint and not list(tmp_path.iterdir())


def boxes_of(data: bytes) -> list[tuple[float, ...]]:
    """Return the size of each page of a PDF, in points of 1 / 72 inch."""
    return [
        tuple(map(float, found.split()))
        for found in re.findall(rb"/MediaBox \[ ?([\d. ]+?) ?\]", data)
    ]


def test_a_pdf_has_a_page_for_each_image(run_node: NodeRunner) -> None:
    images = [ImageData.of(scene(300, 150)), ImageData.of(scene(150, 150).convert("L"))]
    data = Path(run_node(SavePDF(images=images, dpi=75.0))).read_bytes()
    assert data.startswith(b"%PDF-")
    assert boxes_of(data) == [(0, 0, 288, 144), (0, 0, 144, 144)]


def test_pages_of_paper(run_node: NodeRunner) -> None:
    images = [ImageData.of(scene(300, 150)), ImageData.of(scene(150, 300))]
    path = run_node(SavePDF(images=images, page="a4", dpi=100.0, margin=20.0, quality=95))
    data = Path(path).read_bytes()
    wide, upright = boxes_of(data)
    assert wide[2:] == pytest.approx((297 / 25.4 * 72, 210 / 25.4 * 72), abs=1)
    assert upright[2:] == pytest.approx((210 / 25.4 * 72, 297 / 25.4 * 72), abs=1)
    start = data.index(b"\xff\xd8\xff")
    page = np.asarray(Image.open(BytesIO(data[start:])).convert("L"), float)
    assert page.shape == (827, 1169)
    margin = round(20 / 25.4 * 100)
    assert page[:, : margin - 8].min() > 245, "the paper is white"
    assert page[400, margin + 8 : -margin - 8].min() < 245


def test_files_are_not_replaced(run_node: NodeRunner) -> None:
    first, second = (Path(run_node(SavePDF(images=frames()))) for _ in range(2))
    third = Path(run_node(SavePDF(images=frames(), overwrite=True)))
    assert (first.name, second.name, third) == ("images.pdf", "images-2.pdf", first)
    one, two = (Path(run_node(SaveAnimation(images=frames()))) for _ in range(2))
    assert (one.name, two.name) == ("animation.gif", "animation-2.gif")


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class _Pages(BaseHTTPRequestHandler):
    """What a site answers, by its path."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://10.0.0.1/private.png")
            self.end_headers()
            return
        body = encoded(scene(48, 32)) if self.path == "/lake.png" else b"<html>no image</html>"
        self.send_response(404 if self.path == "/none.png" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, no_proxy: None) -> Any:
    """Return the address of a site on this machine, which counts as public here."""
    server = HTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetched(run: NodeRunner, url: str, **properties: Any) -> Any:
    return asyncio.run(run(LoadImageURL(url=url, **properties)))


def test_an_image_is_fetched_from_the_web(site: str, run_node: NodeRunner) -> None:
    found = fetched(run_node, f" {site}/lake.png ")
    assert found.image.size == (48, 32) and found.image.mode == "RGB"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none.png", "answers 404 and no image"),
        ("/page", "web page"),
        ("/moved", "this machine or of a private network"),
    ],
)
def test_what_is_no_image_on_the_web(
    path: str, message: str, site: str, run_node: NodeRunner
) -> None:
    with pytest.raises((NodeError, ImageError), match=message):
        fetched(run_node, site + path)


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80/a.png",
        "http://[::1]/a.png",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/a.png",
        "http://localhost/a.png",
        "file:///etc/passwd",
        "ftp://example.org/a.png",
        "https://user:password@example.org/a.png",
    ],
)
def test_private_addresses_are_refused(url: str, run_node: NodeRunner) -> None:
    with pytest.raises(NodeError) as caught:
        fetched(run_node, url)
    assert caught.value.problem.code == "forbidden_address"


def test_no_address(run_node: NodeRunner) -> None:
    with pytest.raises(NodeError, match="no address"):
        fetched(run_node, "  ")


def test_a_chain_of_redirects_ends(monkeypatch: pytest.MonkeyPatch, no_proxy: None) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *_, **__: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.4.4", port))
        ],
    )

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"Location": "/again"})

    async def run() -> Any:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
            return await fetch_public_image(client, "https://site.example/a.png")

    with pytest.raises(NodeError, match="redirects more than 5 times"):
        asyncio.run(run())
