"""
Which addresses may be fetched from.

Where a service names the address of its result, this machine goes and fetches it. It must not be
led to what only it can reach: itself, its private network, the metadata service of its cloud. So a
name is resolved, each of its addresses has to be a public one, and the connection goes to the very
address that was checked.
"""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from nodetool_core import NodeError
from nodetool_core.assets.addresses import is_public

_PORTS: Final = {"http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int]:
    """
    Return scheme, host and port of an http(s) address.

    Raises NodeError where it is none, or carries a password.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        scheme, host, port = "", "", None
    else:
        if parts.username or parts.password:
            raise NodeError(
                "carries a user name or password.",
                "Leave it out of the address.",
                code="forbidden_address",
                where=host,
            )
    if scheme not in _PORTS or not host:
        raise NodeError(
            f"{url[:80]!r} is no http or https address.",
            "Give an address that begins with https:// or http://.",
            code="forbidden_address",
        )
    return scheme, host.lower(), port or _PORTS[scheme]


def is_open_to_readers(url: str) -> bool:
    """
    Return whether what is sent to an address crosses a network in clear text.

    `http:` to any host but this machine.
    """
    scheme, host, _ = origin(url)
    return scheme == "http" and host not in ("localhost", "127.0.0.1", "::1")


def public_address(url: str) -> str:
    """
    Return a public IP address of the host that a URL names.

    Raises NodeError where the host can't be found, or has any address that is not public. Blocks
    while the name is resolved.
    """
    _, host, port = origin(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NodeError(
            f"There is no host {host!r}.",
            "Check the address and the network.",
            code="service_unreachable",
        ) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    private = next((address for address in addresses if not is_public(address)), None)
    if private is not None or not addresses:
        shown = host if host == private else f"{host} ({private})"
        message = (
            f"{shown} is an address of this machine or of a private network, from which nothing is"
            " fetched."
        )
        raise NodeError(
            message,
            "Give a public address, or load the image from a file.",
            code="forbidden_address",
        )
    return addresses[0]
