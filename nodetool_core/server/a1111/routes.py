"""
The API of the AUTOMATIC1111 web UI: `/sdapi/v1/…`, as its clients were seen to use it.

What can't be done as requested is named in `warnings` of the answer. The web UI serves one person;
here options, progress and interruptions are each client's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from nodetool_core.assets.infotext import read_texts
from nodetool_core.importing.infotext import parsed
from nodetool_core.json_types import JsonObject
from nodetool_core.server.a1111 import lists, openapi
from nodetool_core.server.a1111.answers import Answers, response
from nodetool_core.server.a1111.body import (
    EditBody,
    ExtrasImageBody,
    ExtrasImagesBody,
    GenerationBody,
    ImageBody,
    TextBody,
    image_ref,
    read,
)
from nodetool_core.server.a1111.call import ParsedRequest, images_of
from nodetool_core.server.a1111.checkpoints import Checkpoints, Use
from nodetool_core.server.a1111.errors import show_failure
from nodetool_core.server.a1111.extras_routes import ExtrasRoutes
from nodetool_core.server.a1111.generations import Generation, Generations, progress_of
from nodetool_core.server.a1111.making import MadeImage, Maker, Making
from nodetool_core.server.a1111.options import ClientOptions, changed, shown
from nodetool_core.server.http.dialect import Dialect, password_or_bearer
from nodetool_core.server.http.json_body import read_object
from nodetool_core.server.http.requests import ClientGone, client_of, read_body_of, until_gone
from nodetool_core.server.http.samples import Samples
from nodetool_core.server.runtime.networks import list_networks

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState
    from nodetool_core.server.served_workflow import ServedWorkflow

PREFIX: Final = "/sdapi/v1"

_SAMPLES: Final = Samples(
    of_text="""\
curl -u 'any:the token' -H 'Content-Type: application/json' {url}/sdapi/v1/txt2img \\
  -d '{"prompt": "a winter night", "override_settings": {"sd_model_checkpoint": "{name}"}}'
""",
    of_image="""\
echo '{"prompt": "a winter night", "override_settings": {"sd_model_checkpoint": "{name}"},
  "init_images": ["'$(base64 -w 0 lake.png)'"]}' | curl -u 'any:the token' \\
  -H 'Content-Type: application/json' -d @- {url}/sdapi/v1/img2img
""",
)


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server."""
    return Dialect(
        "a1111",
        "AUTOMATIC1111 web UI",
        [router(state)],
        (f"{PREFIX}/",),
        show_failure,
        password_or_bearer,
        samples=_SAMPLES,
        schemas=openapi.SCHEMAS,
    )


def router(state: AppState) -> APIRouter:
    """Return the routes of this dialect."""
    own, extras = WebUIRoutes(state), ExtrasRoutes(state)
    routes = APIRouter(prefix=PREFIX, tags=["AUTOMATIC1111 web UI"])

    def add(
        method: str,
        path: str,
        work: Callable[..., Awaitable[Response]],
        responses: dict[int | str, JsonObject],
        body: JsonObject | None = None,
    ) -> None:
        routes.add_api_route(
            f"/{path}",
            work,
            methods=[method],
            operation_id=f"a1111_{method.lower()}_{path.replace('-', '_')}",
            response_class=Response,
            responses=responses,
            openapi_extra=body,
        )

    drawn: JsonObject = {"prompt": "a winter night", "steps": 4, "width": 128, "height": 128}
    made, one = openapi.runs(openapi.IMAGES), openapi.body(TextBody, drawn)
    add("POST", "txt2img", own.txt2img, made, one)
    add("POST", "img2img", own.img2img, made, openapi.body(EditBody))
    image, images = openapi.body(ExtrasImageBody), openapi.body(ExtrasImagesBody)
    add("POST", "extra-single-image", extras.one, openapi.runs(openapi.EXTRAS_IMAGE), image)
    add("POST", "extra-batch-images", extras.several, openapi.runs(openapi.EXTRAS_IMAGES), images)
    found = openapi.answers(openapi.PNG_INFO, 400, 401, 413, 415, 422, 429)
    add("POST", "png-info", own.png_info, found, openapi.body(ImageBody))
    add("GET", "options", own.options, openapi.answers(openapi.OBJECT))
    kept = openapi.answers(openapi.NOTHING, 400, 401, 404, 413, 415, 422, 429)
    add("POST", "options", own.set_options, kept, openapi.object_body())
    add("GET", "progress", own.progress, openapi.answers(openapi.PROGRESS, 401, 422, 429))
    ended = openapi.answers(openapi.OBJECT, 401, 413, 415, 429)
    add("POST", "interrupt", own.interrupt, ended)
    add("POST", "skip", own.skip, ended)
    for path in ("checkpoints", "embeddings", "loras", "vae"):
        add("POST", f"refresh-{path}", own.refresh, ended)
    routes.include_router(lists.router(state))
    return routes


class WebUIRoutes:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._checkpoints = Checkpoints(state)
        self._options = ClientOptions()
        self._generations = Generations()
        self._answers = Answers(state)
        self._maker = Maker(state, self._checkpoints)

    async def txt2img(self, request: Request) -> Response:
        """Make images from a text."""
        return await self._generated(request, TextBody, "txt2img")

    async def img2img(self, request: Request) -> Response:
        """Make images from images and a text, with a mask or without."""
        return await self._generated(request, EditBody, "img2img")

    async def _generated(self, request: Request, kind: type[GenerationBody], use: Use) -> Response:
        state, client = self._state, client_of(request)
        content = await read_body_of(request)
        options = self._options.of(client)

        def read_request() -> tuple[ParsedRequest, ServedWorkflow]:
            parsed = ParsedRequest.of(read(kind, content), options)
            title, has_mask = parsed.options.sd_model_checkpoint, parsed.body.is_masked
            return parsed, self._checkpoints.served(title, use, has_mask=has_mask)

        parsed, served = await state.threads.work(read_request)
        with self._generations.begin(client, use, parsed.body.count) as generation:
            making, made = await self._made(request, parsed, served, generation)

        def answer() -> Response:
            found = [self._answers.made(making, one) for one in made]
            notes = [*making.notes, *(note for _, some in found for note in some)]
            images = [image for image, _ in found]
            return JSONResponse(response(making, images, notes, generation.started))

        return await state.threads.work(answer)

    async def _made(
        self,
        request: Request,
        parsed: ParsedRequest,
        served: ServedWorkflow,
        generation: Generation,
    ) -> tuple[Making, list[MadeImage]]:
        """
        Return what was made of a request.

        Raises ClientGone where the client has gone away; where it has interrupted the request,
        what was made before it is returned.
        """
        state, makings = self._state, list[Making]()
        made: list[MadeImage] = []

        def read_request() -> Making:
            images = images_of(parsed.body, state.sanitizer)
            makings.append(self._maker.making(served, parsed, images))
            return makings[0]

        try:
            async with state.runs.admit(
                served,
                read_request,
                may_fetch=_may_fetch(served, parsed.body),
                load_seconds=state.settings.load_seconds,
                gone=lambda: _first_of(until_gone(request), generation.interrupted.wait()),
            ) as (turn, making):
                await state.threads.work(making.decode)
                previews = partial(self._generations.is_watched, client_of(request))
                for number in range(parsed.body.count):
                    image = making.image(turn, number, generation, previews)
                    result = await generation.image(image)
                    if result is not None:
                        made.append(result)
        except ClientGone:
            if not generation.interrupted.is_set():
                raise
        return makings[0], made

    async def progress(self, request: Request, skip_current_image: bool = False) -> Response:
        """Return how far the client's own requests are, with a preview of the oldest."""
        found = self._generations.watch(client_of(request))
        preview = found[0].preview if found and not skip_current_image else None
        image = None
        if preview is not None:
            image = await self._state.threads.work(self._answers.preview, preview)
        return JSONResponse(progress_of(found) | {"current_image": image, "textinfo": None})

    async def interrupt(self, request: Request) -> Response:
        """End the client's own requests, which are answered with what is made by then."""
        for one in self._generations.of(client_of(request)):
            one.interrupted.set()
        return JSONResponse({})

    async def skip(self, request: Request) -> Response:
        """End the images that the client's own requests are at, and go on with the next."""
        for one in self._generations.of(client_of(request)):
            one.skip()
        return JSONResponse({})

    async def options(self, request: Request) -> Response:
        """Return the client's own options."""
        options = self._options.of(client_of(request))
        checkpoint = options.sd_model_checkpoint or self._checkpoints.usual
        return JSONResponse(shown(options, checkpoint))

    async def set_options(self, request: Request) -> Response:
        """Change the client's own options."""
        client, given = client_of(request), read_object(await read_body_of(request))
        options, notes = changed(self._options.of(client), given)
        if options.sd_model_checkpoint:
            self._checkpoints.check(options.sd_model_checkpoint)
        self._options.set(client, options)
        return JSONResponse({"warnings": notes} if notes else None)

    async def png_info(self, request: Request) -> Response:
        """Return what is written in an image of how it was made."""
        content, state = await read_body_of(request), self._state

        def answer() -> JsonObject:
            ref = image_ref(read(ImageBody, content).image, "image")
            data = state.sanitizer.encoded(ref, "image").data
            text, items = read_texts(data, "image", state.limits)
            return {"info": text, "items": items, "parameters": parsed(text) if text else {}}

        return JSONResponse(await state.threads.fetch(answer))

    async def refresh(self) -> Response:
        """Let clients name the LoRAs and embeddings there are now."""
        state = self._state
        folders, listed = state.models.resolver.folders, state.catalog.listed
        await state.threads.work(list_networks, folders, listed)
        return JSONResponse({})


async def _first_of(*waits: Coroutine[object, object, object]) -> None:
    """Return once one of them does."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _may_fetch(served: ServedWorkflow, body: GenerationBody) -> bool:
    """Return whether an image of a request may lie on another server."""
    others = (name for name in body.others if name in served.inputs)
    return isinstance(body, EditBody) or any(served.inputs[name].is_image for name in others)
