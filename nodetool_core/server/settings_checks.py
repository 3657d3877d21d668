"""What has to hold of settings before a server listens: that it is safe, and has its models."""

from __future__ import annotations

import ipaddress
import os
from typing import Final

from nodetool_core.errors import Problem
from nodetool_core.server.security.urls import ANY
from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_sources import SettingsError

SHORTEST_TOKEN: Final = 16
"""Characters that a token has at least where others reach the server."""


def check_address(settings: Settings) -> None:
    """
    Raise SettingsError where others than this machine could ask without a token.

    Or could guess one. Whoever wants it so sets `insecure_without_token`.
    """
    if ANY in settings.allowed_hosts and not settings.tokens:
        message = (
            f"{ANY} lets every page in whose domain is made to lead here, and no token is set."
        )
        raise SettingsError(
            Problem("no_token", "allowed_hosts", message, "Name the hosts, or give a token.")
        )
    is_private = is_loopback(settings.host) and not settings.public_url
    for name, tokens in (("token", settings.tokens), ("owner_token", settings.owner_tokens)):
        if is_private or all(len(token) >= SHORTEST_TOKEN for token in tokens):
            continue
        message = (
            f"has fewer than {SHORTEST_TOKEN} characters, which others can guess, and others"
            " reach this server."
        )
        raise SettingsError(Problem("weak_token", name, message, "Make one: openssl rand -hex 24"))
    if settings.tokens or settings.insecure_without_token or is_loopback(settings.host):
        return
    hint = (
        "Give a token (--token, or NODETOOL_SERVE_TOKEN), or --insecure-without-token where"
        " everybody may use this machine."
    )
    raise SettingsError(
        Problem(
            "no_token",
            f"host {settings.host}",
            "is reachable by others, and no token is set.",
            hint,
        )
    )


def check_models(settings: Settings) -> None:
    """
    Raise SettingsError with every model that is a path on this machine and is not there.
    """
    places = [name for name in settings.models if name.startswith(("/", "./", "../", "~"))]
    gone = [name for name in places if not os.path.exists(os.path.expanduser(name))]  # noqa: PTH110, PTH111 - fails for no user
    if gone:
        hint = "Correct --model, or `models`."
        raise SettingsError(
            [
                Problem("missing_file", name, "There is no such folder or file of a model.", hint)
                for name in gone
            ]
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
