from __future__ import annotations

import datetime
import enum
import io
import math
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nodetool_core.assets.image_data import ImageData
from nodetool_core.engine.caching.codec import Buffer, DecodeError, NoCodecError, decode, encode
from nodetool_core.node_base import SKIPPED
from nodetool_core.references import AssetRef, ColorRef, FolderRef, ImageRef, ImageToImageModel


class Size(enum.StrEnum):
    SMALL = "small"


class Pair(NamedTuple):
    first: Any
    second: Any


def stored(parts: list[Buffer]) -> memoryview:
    return memoryview(b"".join(bytes(part) for part in parts))


def again(value: Any) -> Any:
    (result,) = decode(stored(encode((value,)).payload()))
    return result


def same(one: Any, other: Any) -> bool:
    """Equal, of equal types, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b) for a, b in zip(one.items(), other.items(), strict=True)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return bool(one.hex() == other.hex())
    return bool(one == other)


hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=600)
    | st.dates(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
nested = st.recursive(
    hashable
    | st.floats()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC)).map(
        lambda moment: moment.replace(fold=0)
    )
    | st.times().map(lambda moment: moment.replace(fold=0))
    | st.timedeltas()
    | st.complex_numbers(allow_nan=False)
    | st.sampled_from(
        [
            SKIPPED,
            Size.SMALL,
            ColorRef(value="#102030"),
            ImageToImageModel(repo_id="a/b", revision="c"),
        ]
    )
    | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.sets(hashable, max_size=3)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=12,
)


@given(nested)
@settings(max_examples=150, deadline=None)
def test_values_come_back_equal_and_of_the_same_types(value: Any) -> None:
    assert same(again(value), value)


def test_skipped_comes_back_as_itself() -> None:
    assert decode(stored(encode((SKIPPED, [SKIPPED])).payload()))[0] is SKIPPED


def noise(shape: tuple[int, ...], dtype: str = "u1") -> np.ndarray[Any, Any]:
    return np.frombuffer(
        np.random.default_rng(3).bytes(math.prod(shape) * np.dtype(dtype).itemsize), dtype
    ).reshape(shape)


def same_image(one: Image.Image, other: Image.Image) -> bool:
    palettes = (
        one.getpalette("RGBA") == other.getpalette("RGBA") if one.mode in ("P", "PA") else True
    )
    return palettes and (one.mode, one.size, one.tobytes(), one.info) == (
        other.mode,
        other.size,
        other.tobytes(),
        other.info,
    )


@pytest.mark.parametrize("size", [(13, 7), (1, 1), (0, 5)])
@pytest.mark.parametrize("mode", Image.MODES)
def test_images_of_every_mode(mode: str, size: tuple[int, int]) -> None:
    length = len(Image.new(mode, size).tobytes())
    image = Image.frombytes(mode, size, noise((length,)).tobytes())
    image.info = {
        "dpi": (72.0, 72.0),
        "icc_profile": b"\0profile" * 100,
        "comment": "ä",
        "object": object(),
    }
    if mode in ("P", "PA"):
        image.putpalette(noise((30,)).tobytes())
    value = again(ImageData.of(image, {"seeds": {"a": {"seed": 7}}}))
    del image.info["object"]
    assert type(value) is ImageData and value.provenance == {"seeds": {"a": {"seed": 7}}}
    assert same_image(value.image, image) and same_image(again(image), image)


@pytest.mark.parametrize("transparency", [None, 3, b"\x00\x80\xff\x10"])
@pytest.mark.parametrize("colours", [2, 16, 256])
def test_palettes_from_files(colours: int, transparency: int | bytes | None) -> None:
    image = Image.fromarray(noise((20, 20, 3))).quantize(colours)
    options = {} if transparency is None else {"transparency": transparency}
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    opened = Image.open(file)
    result = again(opened)
    assert same_image(result, opened) and result.format == "PNG"
    assert result.convert("RGBA").tobytes() == opened.convert("RGBA").tobytes()


def test_a_palette_with_alpha() -> None:
    image = Image.frombytes("P", (4, 4), bytes(range(16)))
    image.putpalette(noise((64,)).tobytes(), "RGBA")
    assert same_image(again(image), image)
    assert again(image).convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


@pytest.mark.parametrize(
    "dtype", ["?", "i1", ">i4", "u8", "f2", "<f8", "c8", "S5", "U3", "M8[ns]", "m8[s]"]
)
@pytest.mark.parametrize("shape", [(), (0, 3), (3, 5), (2, 3, 4)])
def test_arrays(dtype: str, shape: tuple[int, ...]) -> None:
    array = (
        np.arange(math.prod(shape))
        .reshape(shape)
        .astype("u1" if dtype[0] in "SU" else "i8")
        .astype(dtype)
    )
    for ordered in (array, np.asfortranarray(array), array[::-1] if shape else array):
        result = again(ordered)
        assert (result.dtype.str, result.shape, result.tobytes()) == (
            ordered.dtype.str,
            ordered.shape,
            ordered.tobytes(),
        )
        assert not (result.size and result.flags.writeable)
        if ordered.flags.f_contiguous != ordered.flags.c_contiguous:
            assert result.flags.f_contiguous == ordered.flags.f_contiguous
    if array.size:
        number = array.reshape(-1)[-1]
        assert type(again(number)) is type(number) and again(number) == number


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    for dtype in (
        torch.bfloat16,
        torch.float16,
        torch.float32,
        torch.int64,
        torch.uint8,
        torch.bool,
        torch.complex64,
        torch.float8_e4m3fn,
    ):
        for shape in ((), (0, 2), (3, 4)):
            tensor = (torch.rand(shape) * 3).to(dtype)
            result = again(tensor)
            assert (result.dtype, result.shape) == (dtype, tensor.shape)
            assert result.numel() == 0 or result.reshape(-1).view(torch.uint8).equal(
                tensor.reshape(-1).view(torch.uint8)
            )
    part = torch.arange(12.0).reshape(3, 4).T[1:]
    assert again(part).equal(part)
    with pytest.raises(NoCodecError):
        encode((torch.rand(2, requires_grad=True),))


def test_one_object_is_stored_once_and_stays_one() -> None:
    array = noise((1000,))
    parts = encode((array, [array])).payload()
    assert len(stored(parts)) < 1500
    first, (second,) = decode(stored(parts))
    assert first is second


def test_containers_are_taken_as_they_are_at_the_time() -> None:
    value = [1, {"a": [2]}]
    encoded = encode((value,))
    value[1]["a"].append(3)  # type: ignore[index]
    assert decode(stored(encoded.payload())) == ([1, {"a": [2]}],)


cyclic: list[Any] = []
cyclic.append(cyclic)


class Local:
    pass


def local_enum() -> Any:
    class Made(enum.Enum):
        A = 1

    return Made.A


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Local(),
        print,
        OrderedDict(a=1),
        cyclic,
        "\ud83d\ude00",
        np.array([object()]),
        np.zeros(2, dtype=[("a", "i4")]),
        datetime.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
        ImageRef(uri="relative.png"),
        FolderRef(uri="photos"),
        io.BytesIO(),
        Path("/tmp"),
        local_enum(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_codec_is_refused(value: Any) -> None:
    with pytest.raises(NoCodecError):
        encode(([1, {"deep": value}],))


def test_an_animation_is_not_stored_as_its_first_frame() -> None:
    file = io.BytesIO()
    frames = [Image.fromarray(noise((8, 8, 3))), Image.new("RGB", (8, 8), "red")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(NoCodecError):
        encode((Image.open(file),)).payload()


@pytest.mark.parametrize("change", ["content", "removed"])
def test_a_reference_counts_while_its_file_is_the_same(change: str, tmp_path: Path) -> None:
    path = tmp_path / "a b.png"
    path.write_bytes(b"one")
    refs = (
        ImageRef(uri=str(path)),
        AssetRef(uri=path.as_uri()),
        ImageRef(asset_id="7"),
        ImageRef(data="AAAA"),
    )
    payload = stored(encode(refs).payload())
    assert decode(payload) == refs
    if change == "content":
        path.write_bytes(b"other")
    else:
        path.unlink()
    with pytest.raises(DecodeError):
        decode(payload)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_do_more_than_fail(content: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(memoryview(content))


@pytest.mark.parametrize(
    "skeleton",
    [
        b'[{"enum":["os:system","x"]}]',
        b'[{"reference":["subprocess:Popen",{},null]}]',
        b'[{"named":["nowhere:X",[]]}]',
        b'[{"other":1}]',
    ],
)
def test_an_entry_runs_no_code(skeleton: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(memoryview(len(skeleton).to_bytes(4, "big") + skeleton))


def test_importing_the_disk_tier_imports_no_library() -> None:
    code = (
        "import sys, nodetool_core.engine.caching.tiered as t; t.TieredCache;assert not {'torch',"
        " 'numpy', 'PIL', 'sqlite3', 'blake3'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
