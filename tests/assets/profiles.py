"""
Colour profiles for tests.

Display P3, grey with a gamma of its own, and printing colours that are unlike Pillow's guess.
"""

from __future__ import annotations

import struct

from PIL import Image

from nodetool_core.assets.profiles import srgb_profile


def _fixed(number: float) -> bytes:
    """Return a number as ICC's s15Fixed16."""
    return struct.pack(">i", round(number * 65536))


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(x) + _fixed(y) + _fixed(z)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"lcms", 0x02400000, kind, space, connection
    )
    header += (
        struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
        + b"acsp"
        + bytes(28)
        + _fixed(0.9642)
        + _fixed(1.0)
        + _fixed(0.8249)
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def display_p3() -> bytes:
    """sRGB's profile with the primaries of Display P3, which every iPhone writes."""
    profile = bytearray(srgb_profile())
    primaries = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if name in primaries:
            profile[offset : offset + size] = _xyz(*primaries[name])
    return bytes(profile)


def grey_gamma(gamma: float = 1.0) -> bytes:
    """Return a grey profile whose tones rise with a power."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"kTRC": curve})


def printing_colours() -> bytes:
    """
    Return a CMYK profile by which full cyan is a dull blue (L 50, a -10, b -40).

    The other inks only make darker.
    """
    clut = bytearray()
    for ink in range(16):
        cyan, others = ink >> 3 & 1, bin(ink & 7).count("1")
        lightness = (50 if cyan else 100) * (1 - others / 3)
        clut += bytes((round(lightness * 2.55), 128 - 10 * cyan, 128 - 40 * cyan))
    identity = bytes(range(256))
    lut = (
        b"mft1\0\0\0\0"
        + bytes((4, 3, 2, 0))
        + b"".join(_fixed(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    )
    lut += identity * 4 + bytes(clut) + identity * 3
    return _profile(
        b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"A2B0": lut, b"A2B1": lut}
    )


def tagged(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the same numbers with another profile."""
    image = image.copy()
    image.info.pop("icc_profile", None)
    if profile is not None:
        image.info["icc_profile"] = profile
    return image
