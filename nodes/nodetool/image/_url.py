"""Images from addresses on the web."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from nodes.services.fetching import fetch_public_image
from nodetool_core import Context, Field, ImageRef, Lane, Node, NodeError

_CONNECT_SECONDS: Final = 15.0


class LoadImageURL(Node):
    """
    Fetches an image from a public address on the web. Addresses of this machine and of private
    networks are refused, also where a redirect leads to one. No cookie, key or password is sent.
    image, load, url, web, download, http, link

    Use cases:
    - Work on an image that is known by its address
    - Read a list of addresses from a table
    """

    synonyms: ClassVar[tuple[str, ...]] = (
        "Load Image From URL",
        "Download Image",
        "Image From Web",
        "HTTP Image",
    )

    lane = Lane.NETWORK
    cacheable = False

    url: str = Field(
        place="address", default="", description="Address of the image, `https://…` or `http://…`."
    )
    timeout: float = Field(
        default=30.0, ge=1.0, le=600.0, description="How long fetching may take, in seconds."
    )

    async def process(self, context: Context) -> Annotated[ImageRef, "The image, upright."]:
        import asyncio

        import httpx2

        if not self.url.strip():
            raise NodeError(
                "There is no address.",
                "Give the address of an image.",
                code="missing_value",
                where="url",
            )
        timeouts = httpx2.Timeout(self.timeout, connect=min(self.timeout, _CONNECT_SECONDS))
        try:
            async with asyncio.timeout(self.timeout):
                async with httpx2.AsyncClient(timeout=timeouts) as client:
                    image = await fetch_public_image(client, self.url.strip())
        except TimeoutError as error:
            raise NodeError(
                f"The image was not there after {self.timeout:g} s.",
                "Give it more time, or another address.",
                code="service_unreachable",
                where="url",
            ) from error
        return context.image_from_pil(image)
