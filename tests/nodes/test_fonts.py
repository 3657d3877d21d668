"""I4, I15: fonts are found by file and by family, and what they lack is known."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from nodes import _fonts
from nodes._fonts import SHIPPED, font_file, fonts_identity, has, system_fonts
from nodes._text import Typeface, lines_of
from nodetool_core import Context, NodeError
from nodetool_core.assets.loader import ImageLoader
from nodetool_core.context import Reporter


@pytest.fixture
def own_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder of this machine with fonts."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    (tmp_path / "fonts").mkdir()
    return tmp_path / "fonts"


def context(base: Path) -> Context:
    return Context(
        "node", reporter=Reporter(), cancelled=None, images=ImageLoader(base), models=None
    )  # type: ignore[arg-type]


def with_map(path: Path, table: bytes) -> Path:
    """Return the shipped font with another table of characters."""
    data = bytearray(Path(SHIPPED).read_bytes())
    for index in range(struct.unpack_from(">H", data, 4)[0]):
        name, _, offset, size = struct.unpack_from(">4sIII", data, 12 + 16 * index)
        if name == b"cmap":
            assert len(table) <= size
            data[offset : offset + len(table)] = table
    path.write_bytes(data)
    return path


def format_12(groups: list[tuple[int, int, int]]) -> bytes:
    table = struct.pack(">HHIII", 12, 0, 16 + 12 * len(groups), 0, len(groups)) + b"".join(
        struct.pack(">III", *group) for group in groups
    )
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + table


def test_the_shipped_font_is_small_has_its_licence_and_the_letters_of_europe() -> None:
    assert Path(SHIPPED).stat().st_size <= 800_000
    assert (
        "Permission is hereby granted, free of charge"
        in Path(SHIPPED).with_name("LICENSE").read_text()
    )
    letters = [
        *range(0x21, 0x7F),
        *range(0xA1, 0x180),
        *range(0x391, 0x3A2),
        *range(0x3B1, 0x3CA),
        *range(0x410, 0x450),
        0x20AC,
        0x2013,
        0x2026,
    ]
    assert [chr(code) for code in letters if code != 0xAD and not has(SHIPPED, chr(code))] == []
    assert not has(SHIPPED, "日")


def test_what_a_font_has_is_what_it_draws() -> None:
    font = ImageFont.truetype(SHIPPED, 20, layout_engine=ImageFont.Layout.BASIC)
    box = bytes(font.getmask("\uffff"))
    for code in [
        *range(0x21, 0x600),
        *range(0x2010, 0x2028),
        *range(0x4E00, 0x4E40),
        *range(0x1F600, 0x1F640),
    ]:
        if chr(code).isprintable() and has(SHIPPED, chr(code)):
            assert bytes(font.getmask(chr(code))) != box, hex(code)


@pytest.mark.parametrize("name", ["Own Sans", "own sans", "OwnSans", "Own.ttf"])
def test_i15_a_font_is_found_by_its_family_or_its_file(
    name: str, own_fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_fonts / "deeper").mkdir()
    own = shutil.copy(SHIPPED, own_fonts / "deeper" / "Own.ttf")
    monkeypatch.setattr(
        _fonts,
        "_family",
        lambda path, _: ("Own Sans", "Book") if path == str(own) else ("DejaVu Sans", "Book"),
    )
    assert font_file(name, context(own_fonts)) == str(own)


def test_i15_the_names_of_a_real_font(own_fonts: Path) -> None:
    shutil.copy(SHIPPED, own_fonts / "x.ttf")
    for name in ("", "DejaVu Sans", "dejavu sans book", "DejaVuSans", "DejaVuSans.ttf"):
        assert font_file(name, context(own_fonts)) == SHIPPED
    assert font_file("x", context(own_fonts)) == str(own_fonts / "x.ttf")
    with pytest.raises(NodeError, match="no font 'DejaVu Sand'") as caught:
        font_file("DejaVu Sand", context(own_fonts))
    assert "Did you mean 'DejaVu Sans'?" in str(caught.value)


def test_a_character_is_taken_from_the_first_font_that_has_it(own_fonts: Path) -> None:
    table = format_12([(0x65E5, 0x65E5, 36)])
    with_map(own_fonts / "cjk.ttf", table)
    (own_fonts / "broken.ttf").write_bytes(b"no font")
    typeface = Typeface(SHIPPED, 20)
    runs = [text for _, text in typeface._runs("ab 日日 é\u0301c")]
    assert runs == ["ab ", "日日 ", "é\u0301c"]
    told: list[str] = []
    typeface.warn_of_missing(_telling(told))
    assert told == []
    typeface.length("本\U0001f3d4\ufe0f")
    typeface.warn_of_missing(_telling(told))
    assert len(told) == 1 and "本 \U0001f3d4:" in told[0]


def _telling(told: list[str]) -> Context:
    class Warnings(Reporter):
        def warning(self, message: str, details: Mapping[str, object]) -> None:
            told.append(message)

    return Context("node", reporter=Warnings(), cancelled=None, images=None, models=None)  # type: ignore[arg-type]


def test_system_fonts_are_in_a_key_only_where_they_may_be_needed(own_fonts: Path) -> None:
    shutil.copy(SHIPPED, own_fonts / "x.ttf")
    assert system_fonts() == [str(own_fonts / "x.ttf")]
    assert fonts_identity(["größer", ""]) == ""
    assert str(own_fonts) in fonts_identity(["日"]) == fonts_identity(None)


@given(data=st.binary(max_size=300), place=st.integers(0, 280))
def test_a_damaged_font_has_no_characters(
    data: bytes, place: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    start = Path(SHIPPED).read_bytes()[:400]
    path = tmp_path_factory.getbasetemp() / "damaged.ttf"
    path.write_bytes(start[:place] + data)
    _fonts._characters.cache_clear()
    assert has(str(path), "a") in (True, False)


def test_lines_end_wherever_a_text_says_so() -> None:
    assert lines_of("a\r\nb\nc\u2029d\x07\te") == ["a", "b", "c", "d    e"]


def test_wrapping_loses_nothing_and_keeps_to_the_width() -> None:
    typeface = Typeface(SHIPPED, 16)
    text = "In the  beginning there was an extraordinarilylongwordthatdoesnotfit and a short one"
    lines = list(typeface.wrapped(text, 100))
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert np.array([typeface.length(line) for line in lines]).max() <= 100
