"""
Which requests are answered at all.

Those for a name of this server, from no page or from one of its own.

A page that somebody opens can make their browser ask any address which that machine reaches, this
server on loopback included. Scripts can't change three headers that give such a request away.
`Origin` and `Sec-Fetch-Site` say that another page asks. `Host` names the page's own domain, where
its owner has made that domain lead here (DNS rebinding). A token replaces none of these checks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers

from nodetool_core.errors import Problem
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.security.urls import (
    ANY,
    EVERY_ADDRESS,
    PORTS,
    Authority,
    WebUrl,
    bound_host,
    read_allowed,
    read_authority,
    read_url,
)

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_OWN_SITES: Final = frozenset({"same-origin", "none"})


class Access:
    """
    The names of a server, and whom it answers.

    Its own are the loopback names and the address it listens on, with its port; the host of
    `public_url`; and `allowed_hosts`. A
    server that listens on every address also answers for IP addresses and `localhost` with any
    port: it can't know its addresses as others see them, and no page's domain is one.
    """

    def __init__(
        self, *, host: str, port: int, public_url: str = "", allowed_hosts: Iterable[str] = ()
    ) -> None:
        bound = bound_host(host)
        self._is_everywhere = bound in EVERY_ADDRESS
        self._own = frozenset((name, port) for name in (*LOOPBACK, bound))
        self._public = read_url(public_url) if public_url else None
        self._allowed = [read_allowed(name) for name in allowed_hosts]

    def refusal(self, scheme: str, headers: Headers) -> HttpError | None:
        """
        Return why a request is not answered.

        421 where it is for another server, 403 where it comes from another's page.
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.is_own_host(hosts[0], scheme):
            return _foreign_host(hosts)
        for site in headers.getlist("sec-fetch-site"):
            if site not in _OWN_SITES:
                return _foreign_page(f"The header Sec-Fetch-Site is {site[:80]!a}.")
        for origin in headers.getlist("origin"):
            if not self._is_own_origin(origin, f"{scheme}://{hosts[0]}"):
                return _foreign_page(f"The header Origin is {origin[:80]!a}.")
        return None

    def is_own_host(self, text: str, scheme: str = "http") -> bool:
        """Return whether `host` or `host:port` names this server."""
        try:
            host, port = read_authority(text)
        except ValueError:
            return False
        return self._is_own(host, PORTS.get(scheme, 0) if port is None else port)

    def is_own_url(self, url: WebUrl) -> bool:
        """Return whether an address is one of this server."""
        return self._is_own(url.host, url.port)

    def _is_own(self, host: str, port: int) -> bool:
        if (host, port) in self._own:
            return True
        if self._is_everywhere and (host == LOOPBACK[0] or _is_address(host)):
            return True
        if self._public is not None and host == self._public.host:
            return True
        return any(_matches(host, port, allowed) for allowed in self._allowed)

    def _is_own_origin(self, text: str, own: str) -> bool:
        try:
            origin = read_url(text).origin
            return origin == read_url(own).origin or (
                self._public is not None and origin == self._public.origin
            )
        except ValueError:
            return False


def _matches(host: str, port: int, allowed: Authority) -> bool:
    name, allowed_port = allowed
    fits = name == ANY or (host.endswith(name[1:]) if name.startswith("*.") else host == name)
    return fits and allowed_port in (None, port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _foreign_host(hosts: list[str]) -> HttpError:
    named = ", ".join(ascii(host[:80]) for host in hosts[:2]) or "no host"
    message = f"The request is for {named}, which is not this server."
    hint = (
        "Use the address that the server listens on. Its operator names further ones in"
        " `allowed_hosts`, or in `public_url`."
    )
    return HttpError(421, Problem("foreign_host", "host", message, hint))


def _foreign_page(message: str) -> HttpError:
    hint = (
        "Only pages of the server's own address may ask, as the operator gives it in `public_url`;"
        " programs send no such header."
    )
    return HttpError(
        403,
        Problem(
            "foreign_page", "", f"The request comes from a page of another site. {message}", hint
        ),
    )
