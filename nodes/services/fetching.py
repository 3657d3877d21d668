"""
Fetching an image that a service names by its address.

From public addresses alone, and no more than there is room for.
"""

from __future__ import annotations

import asyncio
import urllib.request
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from nodes.services.addresses import origin, public_address
from nodes.services.answers import RESULT_LIMITS, refusal, unexpected
from nodes.services.waiting import BusyError
from nodetool_core import NodeError
from nodetool_core.assets.decode import MIB, decode_bytes

if TYPE_CHECKING:
    import httpx2
    from PIL import Image

_MOST_REDIRECTS: Final = 5


async def fetch_image(
    client: httpx2.AsyncClient, url: str, *, service: str, trusted: str = ""
) -> Image.Image:
    """
    Return the image behind an address, decoded under `RESULT_LIMITS`. No key is sent along.

    Args:
        client: Follows no redirects; its timeouts count for each read.
        trusted: The address of the service; its own host may be a private one.

    Raises NodeError where the address is not public or the answer no image, ImageError.
    """
    for _ in range(_MOST_REDIRECTS + 1):
        request = await asyncio.to_thread(_pinned, client, url, trusted)
        body, status, headers = await read_bounded(
            client, request, RESULT_LIMITS.max_bytes, service
        )
        if status in (301, 302, 303, 307, 308) and "location" in headers:
            url = urljoin(url, headers["location"])
            continue
        if status >= 400:
            error = refusal(service, status, headers, body, secret="")
            if isinstance(error, BusyError):
                raise error
            raise NodeError(
                f"{service} made a result that can't be fetched ({status}).",
                "Try again.",
                code="service_failed",
            )
        return await asyncio.to_thread(
            decode_bytes, body, f"the result of {service}", RESULT_LIMITS
        )
    raise unexpected(service, f"a result behind more than {_MOST_REDIRECTS} redirects")


async def fetch_public_image(client: httpx2.AsyncClient, url: str) -> Image.Image:
    """
    Return the image behind a public address that a user named, decoded under `RESULT_LIMITS`.

    Raises NodeError where the address is not public or does not answer, ImageError.

    Args:
        client: Follows no redirects; its timeouts count for each read.
    """
    host = origin(url)[1]
    for _ in range(_MOST_REDIRECTS + 1):
        request = await asyncio.to_thread(_pinned, client, url, "")
        try:
            body, status, headers = await read_bounded(
                client, request, RESULT_LIMITS.max_bytes, host
            )
        except BusyError as error:
            raise NodeError(
                f"{host} {error}.", "Check the address.", code="service_unreachable", where="url"
            ) from error
        if status in (301, 302, 303, 307, 308) and "location" in headers:
            url = urljoin(url, headers["location"])
            continue
        if status != 200:
            raise NodeError(
                f"{host} answers {status} and no image.",
                "Open the address in a browser: it has to be that of the image itself.",
                code="service_failed",
                where="url",
            )
        return await asyncio.to_thread(decode_bytes, body, host, RESULT_LIMITS)
    raise NodeError(
        f"{host} redirects more than {_MOST_REDIRECTS} times.",
        "Give the address of the image itself.",
        code="service_failed",
        where="url",
    )


async def read_bounded(
    client: httpx2.AsyncClient, request: httpx2.Request, most: int, service: str
) -> tuple[bytes, int, httpx2.Headers]:
    """
    Return the body, status and headers of an answer.

    A body beyond `most` bytes is not read to its end.

    Raises NodeError, and BusyError where nobody was reached.
    """
    import httpx2

    # What is packed can be a thousand times as large as it looks.
    request.headers["accept-encoding"] = "identity"
    try:
        response = await client.send(request, stream=True)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise unexpected(service, "a packed body, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > most:
                    raise unexpected(service, f"more than {most / MIB:.0f} MiB")
            return bytes(body), response.status_code, response.headers
        finally:
            await response.aclose()
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise BusyError(f"can't be reached ({error})") from error
    except httpx2.TransportError as error:
        message = f"The connection to {service} broke off: {type(error).__name__} ({error})."
        raise NodeError(message, "Try again.", code="service_unreachable") from error


def _pinned(client: httpx2.AsyncClient, url: str, trusted: str) -> httpx2.Request:
    """Return a request to the address that was found to be public, with the URL's host name."""
    import httpx2

    found = origin(url)
    if trusted and found == origin(trusted):
        return client.build_request("GET", url)
    if not {found[0], "all"}.isdisjoint(
        urllib.request.getproxies()
    ) and not urllib.request.proxy_bypass(found[1]):
        # A proxy resolves names itself; what can be told from here is whether the address is
        # plainly private.
        _refuse_if_known_private(url)
        return client.build_request("GET", url)
    named = httpx2.URL(url)
    request = client.build_request(
        "GET", named.copy_with(host=public_address(url)), extensions={"sni_hostname": found[1]}
    )
    request.headers["host"] = named.netloc.decode()
    return request


def _refuse_if_known_private(url: str) -> None:
    try:
        public_address(url)
    except NodeError as error:
        if error.problem.code != "service_unreachable":
            raise
