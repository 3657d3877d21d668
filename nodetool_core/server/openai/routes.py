"""
The OpenAI Images API: `/v1/images/…`, and what its clients ask of `/v1/models`.

The wire format is that of OpenAI's specification and of the clients that were measured. Whatever
can't be done as requested is named in `warnings` of the answer, and never refused.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path, Request
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from nodetool_core.engine.events import Event, NodePreview
from nodetool_core.json_types import JsonObject
from nodetool_core.references import ImageRef
from nodetool_core.server.http.dialect import Dialect, bearer_token
from nodetool_core.server.http.event_stream import EventStream, sse
from nodetool_core.server.http.http_errors import as_http
from nodetool_core.server.http.requests import ClientGone, base_url, read_body_of, until_gone
from nodetool_core.server.http.samples import Samples
from nodetool_core.server.openai import openapi
from nodetool_core.server.openai.answers import Answers, Stream
from nodetool_core.server.openai.body import ImagesRequest, read_json_request, read_request
from nodetool_core.server.openai.call import call_of
from nodetool_core.server.openai.errors import error_object, show_failure
from nodetool_core.server.openai.models import ModelNames, Use
from nodetool_core.server.seeds import counted_up
from nodetool_core.server.served_workflow import ServedWorkflow

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from nodetool_core.engine.result import RunResult
    from nodetool_core.server.openai.call import Call
    from nodetool_core.server.runtime.app_state import AppState
    from nodetool_core.server.runtime.runs import Turn

_log = logging.getLogger(__name__)

PREFIX: Final = "/v1"
_MODELS: Final = f"{PREFIX}/models"

_SAMPLES: Final = Samples(
    of_text="""\
from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="the token")
client.images.generate(model="{name}", prompt="a winter night", size="512x512")
""",
    of_image="""\
from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="the token")
with open("lake.png", "rb") as image:
    client.images.edit(model="{name}", image=image, prompt="a winter night")
""",
)


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server."""
    return Dialect(
        "openai",
        "OpenAI Images",
        [router(state)],
        (f"{PREFIX}/images/", _MODELS, f"{_MODELS}/"),
        show_failure,
        token_of,
        samples=_SAMPLES,
        schemas=openapi.SCHEMAS,
    )


def token_of(headers: Headers) -> str:
    """Return the token in `Authorization`, or in `api-key` as clients of Azure send it."""
    return bearer_token(headers) or headers.get("api-key", "").strip()


def router(state: AppState) -> APIRouter:
    """Return the routes of this dialect."""
    own = ImagesRoutes(state)
    routes = APIRouter(prefix=PREFIX, tags=["OpenAI Images"])
    for use, endpoint in (
        ("generations", own.generations),
        ("edits", own.edits),
        ("variations", own.variations),
    ):
        routes.add_api_route(
            f"/images/{use}",
            endpoint,
            methods=["POST"],
            operation_id=f"openai_{use}",
            response_class=Response,
            responses=openapi.images(),
            openapi_extra=openapi.body(use),
        )
    routes.add_api_route(
        "/models/{model:path}",
        own.model,
        methods=["GET"],
        operation_id="openai_model",
        response_class=Response,
        responses=openapi.model(),
    )
    return routes


class ImagesRoutes:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._names = ModelNames(state)
        self._answers = Answers(state)

    async def generations(self, request: Request) -> Response:
        """Make images from a text."""
        parsed = await self._state.threads.work(read_json_request, await read_body_of(request))
        return await self._answer(request, parsed, "generations")

    async def edits(self, request: Request) -> Response:
        """Make images from images and a text, with a mask or without."""
        return await self._answer(request, await self._read(request), "edits")

    async def variations(self, request: Request) -> Response:
        """Make images from an image."""
        return await self._answer(request, await self._read(request), "variations")

    async def model(
        self, model: Annotated[str, Path(description="A name that `/v1/models` lists.")]
    ) -> Response:
        """Return one of the models that clients may name."""
        self._names.check(model)
        created = int(self._state.started)
        owner = "nodetool"
        return JSONResponse({"id": model, "object": "model", "created": created, "owned_by": owner})

    async def _read(self, request: Request) -> ImagesRequest:
        body = await read_body_of(request)
        content_type = request.headers.get("content-type", "")
        return await self._state.threads.work(read_request, body, content_type)

    async def _answer(self, request: Request, parsed: ImagesRequest, use: Use) -> Response:
        state, body = self._state, parsed.body
        served = self._names.served(body.model, use, has_mask=parsed.mask is not None)
        if body.stream:
            return EventStream(self._events(request, parsed, use, served))
        if body.response_format == "url":
            await state.health.require()
        async with self._admitted(request, parsed, use, served) as (turn, call):
            values, kept = await state.threads.work(call.decode)
            outputs = [served.image_outputs[0]]
            results: list[RunResult] = [
                await turn.run(counted_up(served.graph, values, number), outputs=outputs)
                for number in range(body.n)
            ]

        def answer() -> JsonObject:
            made = [self._answers.made(call, kept, result) for result in results]
            notes = [*call.notes, *(note for _, found in made for note in found)]
            base = base_url(request, state.settings.public_url)
            return self._answers.response(body, [image for image, _ in made], notes, base)

        return JSONResponse(await state.threads.work(answer))

    def _admitted(
        self, request: Request, parsed: ImagesRequest, use: Use, served: ServedWorkflow
    ) -> AbstractAsyncContextManager[tuple[Turn, Call]]:
        state = self._state
        sources = [*parsed.images, parsed.mask]
        has_others = any(
            name in served.inputs and served.inputs[name].is_image for name in parsed.body.others
        )
        return state.runs.admit(
            served,
            lambda: call_of(served, parsed, use, state.sanitizer, state.limits),
            may_fetch=has_others or any(isinstance(source, ImageRef) for source in sources),
            load_seconds=state.settings.load_seconds,
            gone=lambda: until_gone(request),
        )

    async def _events(
        self, request: Request, parsed: ImagesRequest, use: Use, served: ServedWorkflow
    ) -> AsyncGenerator[bytes]:
        """
        Yield the events of a request.

        What fails before its turn is raised, and is an answer with a status; later it is an event.
        """
        is_admitted = False
        try:
            async with self._admitted(request, parsed, use, served) as (turn, call):
                is_admitted = True
                yield b": accepted\n\n"
                async with aclosing(self._made(turn, call, use)) as events:
                    async for event in events:
                        yield event
        except ClientGone:
            if not is_admitted:
                raise
        except Exception as error:
            if not is_admitted:
                raise
            failure = as_http(error)
            if failure.status == 500:
                _log.exception("A stream of images failed.")
            yield sse("error", {"type": "error", "error": error_object(failure)})

    async def _made(self, turn: Turn, call: Call, use: Use) -> AsyncGenerator[bytes]:
        """Yield the events of one image after another."""
        state, served, body = self._state, call.served, call.body
        stream: Stream = "image_generation" if use == "generations" else "image_edit"
        values, kept = await state.threads.work(call.decode)
        for number in range(body.n):
            shown, wanted = 0, body.partial_images
            running = turn.stream(
                counted_up(served.graph, values, number),
                (NodePreview,),
                outputs=[served.image_outputs[0]],
                previews=wanted > 0,
            )
            async with aclosing(running) as events:
                async for event in events:
                    if isinstance(event, NodePreview):
                        if shown < wanted and _is_due(event, shown, wanted):
                            yield await state.threads.work(
                                self._answers.partial, stream, call, event, shown
                            )
                            shown += 1
                    elif not isinstance(event, Event):
                        made, notes = await state.threads.work(
                            self._answers.made, call, kept, event
                        )
                        if wanted and not shown:
                            notes.append(f"partial_images: no step of {served.name} was shown")
                        yield await state.threads.work(
                            self._answers.completed, stream, body, made, [*call.notes, *notes]
                        )


def _is_due(preview: NodePreview, shown: int, wanted: int) -> bool:
    """Return whether a step is far enough for the next of the images before the last."""
    is_last = preview.step >= preview.total
    return not is_last and preview.step * (wanted + 1) >= preview.total * (shown + 1)
