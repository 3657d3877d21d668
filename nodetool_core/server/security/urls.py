"""
Addresses on the web as they are requested: in ASCII, with the port that they mean.

People paste addresses in every script. Before anything is decided about one, its host is brought to
the form that is looked up (UTS 46 mapping, then IDNA), and what its path and query hold besides
ASCII is percent-encoded as UTF-8. So a check sees what the connection will use: full-width digits
are digits by then, and an ideographic full stop is a dot.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import idna

PORTS: Final = {"http": 80, "https": 443}

ANY: Final = "*"
EVERY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})
"""What a server listens on that has no address of its own."""

_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/?#@\s]+)(?::([0-9]{1,5}))?")
_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_MOST_OF_A_HOST: Final = 253
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNSENDABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PLAIN: Final = "%/:@!$&'()*+,;=~-._[]|"
"""What stands in paths and queries as it is, besides letters and digits."""


Authority = tuple[str, int | None]
"""A host, and the port where one is written."""


class SchemeError(ValueError):
    """The scheme is neither `http` nor `https`."""


@dataclass(frozen=True)
class WebUrl:
    """An `http:` or `https:` address in ASCII, without user and fragment."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}{'?' if self.query else ''}{self.query}"


def read_url(text: str) -> WebUrl:
    """
    Return the address in a text, blanks around it left out.

    Raises SchemeError for another scheme and ValueError for what is no address; both say what is
    wrong.
    """
    text = text.strip()
    if _UNSENDABLE.search(text):
        raise ValueError("it holds a control character, or half of a character")
    parts = urlsplit(text)
    if parts.scheme not in PORTS:
        raise SchemeError(f"has the scheme {parts.scheme[:20]!a}, which is not fetched")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name, which is not sent")
    if not parts.hostname:
        raise ValueError("it has no host")
    port = PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0:
        raise ValueError("0 is no port")
    return WebUrl(
        parts.scheme,
        ascii_host(parts.hostname),
        port,
        _encoded(parts.path) or "/",
        _encoded(parts.query, "?"),
    )


def ascii_host(host: str) -> str:
    """
    Return a host as it is looked up.

    A name in ASCII and lower case, or an IP address in its usual form. Raises ValueError.
    """
    host = unquote(host, errors="strict")
    if ":" in host:
        if "%" in host:
            raise ValueError("its host names an interface of this machine")
        return ipaddress.IPv6Address(host).compressed
    if not host.isascii():
        host = ".".join(
            _ascii_label(label) for label in idna.uts46_remap(host, std3_rules=False).split(".")
        )
    host = host.lower().removesuffix(".")
    if not _HOST.fullmatch(host) or len(host) > _MOST_OF_A_HOST:
        raise ValueError(f"{host[:80]!a} is no name of a host")
    return host


def read_authority(text: str) -> Authority:
    """Return the host and the port in `name`, `name:port` or `[::1]:port`. Raises ValueError."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!a} is no host, and no host:port")
    return ascii_host(found[1].strip("[]")), None if found[2] is None else int(found[2])


def read_allowed(text: str) -> Authority:
    """
    Return the same for an entry of `allowed_hosts`.

    In it, `*` stands for every host and `*.name` for every one below a name.
    """
    if text == ANY:
        return ANY, None
    below = "*." if text.startswith("*.") else ""
    host, port = read_authority(text.removeprefix(below))
    return below + host, port


def bound_host(text: str) -> str:
    """
    Return the host that a server listens on, without brackets and the name of an interface.

    Raises ValueError.
    """
    host = text.strip("[]").partition("%")[0]
    return host if host in EVERY_ADDRESS else ascii_host(host)


def shown(url: str) -> str:
    """
    Return a URL as messages show it.

    In plain characters, without what may be secret in it (user, query), and not endlessly long.
    """
    scheme, separator, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    plain = f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"[:200]
    return ascii(plain)[1:-1]


def _ascii_label(label: str) -> str:
    return label if label.isascii() else idna.alabel(label).decode()


def _encoded(text: str, more: str = "") -> str:
    return quote(_STRAY_PERCENT.sub("%25", text), safe=_PLAIN + more)
