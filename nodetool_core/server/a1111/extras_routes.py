"""Routes that enlarge images: one, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import JSONResponse, Response

from nodetool_core.assets.image_data import ImageData
from nodetool_core.errors import Problem
from nodetool_core.json_types import Json
from nodetool_core.server.a1111.answers import Answers
from nodetool_core.server.a1111.body import (
    ExtrasBody,
    ExtrasImageBody,
    ExtrasImagesBody,
    image_ref,
    read,
)
from nodetool_core.server.a1111.extras import (
    NONE,
    ImageCall,
    Upscalers,
    check_size,
    html_info,
    mixed,
    notes_on,
    resampled,
)
from nodetool_core.server.a1111.options import Options
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.images import EncodedImage
from nodetool_core.server.http.requests import read_body_of, until_gone

if TYPE_CHECKING:
    from PIL import Image

    from nodetool_core.server.runtime.app_state import AppState
    from nodetool_core.server.served_workflow import ServedWorkflow


class ExtrasRoutes:
    """Answers requests of the web UI's tab *Extras*."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._upscalers = Upscalers(state)
        self._answers = Answers(state)

    async def one(self, request: Request) -> Response:
        """Enlarge an image."""
        content = await read_body_of(request)
        body = await self._state.threads.work(read, ExtrasImageBody, content)
        images = await self._enlarged(request, body, [(body.image, "image")])
        shown = images[0] if body.show_extras_results else None
        return JSONResponse({"image": shown, "html_info": html_info(notes_on(body))})

    async def several(self, request: Request) -> Response:
        """Enlarge images."""
        content = await read_body_of(request)
        body = await self._state.threads.work(read, ExtrasImagesBody, content)
        named = [(one.data, f"imageList[{at}]") for at, one in enumerate(body.imageList)]
        images: list[Json] = list(await self._enlarged(request, body, named))
        shown = images if body.show_extras_results else []
        return JSONResponse({"images": shown, "html_info": html_info(notes_on(body))})

    async def _enlarged(
        self, request: Request, body: ExtrasBody, texts: list[tuple[str, str]]
    ) -> list[str]:
        """Return images as base64, enlarged by one upscaler or two."""
        state, share = self._state, body.extras_upscaler_2_visibility
        first = self._upscalers.find(body.upscaler_1, "upscaler_1")
        second = self._upscalers.find(body.upscaler_2, "upscaler_2")
        is_mixed = share > 0 and body.upscaler_2 != NONE

        def read_images() -> list[EncodedImage]:
            found = [
                state.sanitizer.encoded(image_ref(text, where), where) for text, where in texts
            ]
            for image in found:
                check_size(body, image.header[:2], state.limits.max_pixels)
            return found

        made = []
        state.runs.check_room()
        for encoded in await state.threads.fetch(read_images):
            image = await self._image(request, body, first, body.upscaler_1, encoded)
            if is_mixed:
                other = await self._image(request, body, second, body.upscaler_2, encoded)
                image = await state.threads.work(mixed, image, other, share)
            made.append(
                await state.threads.work(self._answers.encoded, ImageData.of(image), Options())
            )
        return made

    async def _image(
        self,
        request: Request,
        body: ExtrasBody,
        upscaler: ServedWorkflow | None,
        name: str,
        encoded: EncodedImage,
    ) -> Image.Image:
        """Return an image as one upscaler makes it."""
        state, original = self._state, encoded.header[:2]
        if upscaler is None:

            def enlarge() -> Image.Image:
                return resampled(encoded.decode().image, body, original, name)

            return await state.threads.work(enlarge)
        result = await state.runs.run(
            upscaler,
            lambda: ImageCall(upscaler, encoded),
            outputs=[upscaler.image_outputs[0]],
            load_seconds=state.settings.load_seconds,
            gone=lambda: until_gone(request),
        )
        image = result.outputs.get(upscaler.image_outputs[0])
        if not isinstance(image, ImageData):
            message = f"{upscaler.name} returned no image."
            hint = "Ask the operator to fix the workflow."
            raise HttpError(500, Problem("no_image_returned", "", message, hint))
        return await state.threads.work(resampled, image.image, body, original, name)
