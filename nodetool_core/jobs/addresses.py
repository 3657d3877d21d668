"""Addresses of databases, brokers and storages as logs and errors may show them."""

from __future__ import annotations

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(?<=://)(?P<user>[^/:]*):[^/]*(?=@)|(?<=[?&]password=)[^&]*")


def shown(url: str) -> str:
    """
    Return a URL, or a path, without the password in it.

    The URL may be one that can't be parsed.
    """
    return _PASSWORD.sub(
        lambda found: "***" if found["user"] is None else f"{found['user']}:***", url
    )
