"""
The Hugging Face image-to-image and text-to-image API.

It is spoken by `huggingface_hub`, `@huggingface/inference` and curl.

The wire format is that of the published task specifications and of the recorded clients; errors are
objects with a string `error`, which is what those clients show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from nodetool_core import __version__
from nodetool_core.assets.image_data import ImageData
from nodetool_core.errors import Problem
from nodetool_core.server.http.dialect import Dialect
from nodetool_core.server.http.http_errors import HttpError
from nodetool_core.server.http.images import accepted_format, encode_image_data, media_type_of
from nodetool_core.server.http.requests import read_body_of, until_gone
from nodetool_core.server.http.samples import Samples
from nodetool_core.server.huggingface.body import ParsedRequest, header_flag, read_body
from nodetool_core.server.huggingface.call import Call, call_of
from nodetool_core.server.runtime.response_cache import Answer
from nodetool_core.server.served_workflow import ServedWorkflow, Task

if TYPE_CHECKING:
    from nodetool_core.engine.result import RunResult
    from nodetool_core.server.runtime.app_state import AppState

Model = Annotated[
    str,
    Path(
        description="Name of a workflow, or id of a model.",
        openapi_examples={
            "workflow": {"value": "image_to_image"},
            "model": {"value": "nodetool/tiny-landscapes"},
        },
    ),
]

PREFIXES: Final = ("/models", "/hf-inference/models")
_WARNINGS_SHOWN: Final = 10
_WARNING_LENGTH: Final = 200
_PLAIN: Final = str.maketrans(
    {"\u00d7": "x", "\u2026": "...", "\u2013": "-", "\u2019": "'", "\n": " "}
)
"""
What headers can't carry and warnings are written with.

The sign of a product, an ellipsis, a dash, an apostrophe.
"""


_SAMPLES: Final = Samples(
    of_text="""\
from huggingface_hub import InferenceClient

client = InferenceClient(base_url="{url}/models/{path}", api_key="the token")
client.text_to_image("a winter night").save("night.png")
""",
    of_image="""\
from huggingface_hub import InferenceClient

client = InferenceClient(base_url="{url}/models/{path}", api_key="the token")
client.image_to_image("lake.png", prompt="a winter night").save("night.png")
""",
)


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server."""
    return Dialect(
        "huggingface",
        "Hugging Face image-to-image and text-to-image",
        [router(state)],
        tuple(f"{prefix}/" for prefix in PREFIXES),
        samples=_SAMPLES,
    )


def router(state: AppState) -> APIRouter:
    """Return the routes of this dialect."""
    from nodetool_core.server.huggingface.openapi import HEALTH, INFO, MODELS

    dialect = HuggingFaceRoutes(state)
    routes = APIRouter(tags=["Hugging Face"])
    for prefix in PREFIXES:
        is_documented = prefix == PREFIXES[0]
        routes.add_api_route(
            f"{prefix}/{{model:path}}/health",
            dialect.health,
            methods=["GET"],
            include_in_schema=is_documented,
            **HEALTH,
        )
        routes.add_api_route(
            f"{prefix}/{{model:path}}/info",
            dialect.info,
            methods=["GET"],
            include_in_schema=is_documented,
            **INFO,
        )
        routes.add_api_route(
            f"{prefix}/{{model:path}}",
            dialect.run,
            methods=["POST"],
            include_in_schema=is_documented,
            **MODELS,
        )
    return routes


class HuggingFaceRoutes:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def health(self, model: Model) -> Response:
        """Return whether a model is served."""
        self._tasks(model)
        return Response('{"status":"ok"}', media_type="application/json")

    def info(self, model: Model) -> dict[str, Any]:
        """Return what is known of a model."""
        tasks = self._tasks(model)
        served = next(iter(tasks.values()))
        state = self._state
        revisions = [state.models.revision(ref) for ref in served.models]
        return {
            "model_id": model,
            "model_sha": revisions[0] if revisions else None,
            "model_pipeline_tag": next(iter(tasks)),
            "tasks": list(tasks),
            "max_concurrent_requests": state.settings.concurrency + state.settings.queue,
            "version": __version__,
        }

    async def run(self, model: Model, request: Request) -> Response:
        """Make an image from an image or from a text."""
        state, headers = self._state, request.headers
        tasks = self._tasks(model)
        use_cache = header_flag("x-use-cache", headers.get("x-use-cache"), True)
        wait = header_flag("x-wait-for-model", headers.get("x-wait-for-model"), False)
        wanted = accepted_format(headers.get("accept", ""))
        body = await read_body_of(request)
        content_type = headers.get("content-type", "")
        fingerprint = _digest(model.encode(), content_type.encode(), wanted.encode(), body)
        if use_cache and (answer := state.cache.repeated(fingerprint)) is not None:
            return _response(answer, hit=True)
        # Before the body is read: where nobody more may wait, that would be for nothing.
        state.runs.check_room()
        parsed = await state.threads.work(_read, body, content_type, tasks)
        use_cache = use_cache and parsed.options.get("use_cache") is not False
        wait = wait or parsed.options.get("wait_for_model") is True
        served = tasks["image-to-image" if parsed.image is not None else "text-to-image"]
        may_fetch = any(
            name in served.inputs and served.inputs[name].is_image for name in parsed.parameters
        )
        async with state.runs.admit(
            served,
            lambda: call_of(served, parsed, state.sanitizer, state.limits),
            may_fetch=may_fetch,
            load_seconds=state.settings.load_seconds if wait else state.settings.load_patience,
            gone=lambda: until_gone(request),
        ) as (turn, call):
            values, key = await state.threads.work(call.decode)
            key = _digest(key, wanted.encode())
            if use_cache and (answer := state.cache.known(key, fingerprint)) is not None:
                return _response(answer, hit=True)
            result = await turn.run(values, outputs=[served.image_outputs[0]], use_cache=use_cache)
        answer = await state.threads.work(self._answer, call, result, wanted)
        state.cache.put(key, fingerprint if use_cache else None, answer)
        return _response(answer, hit=False)

    def _tasks(self, model: str) -> dict[Task, ServedWorkflow]:
        found = {
            task: served
            for task, served in self._state.catalog.tasks(model).items()
            if task is not None
        }
        if not found:
            hint = (
                "It needs one image as output, and one image or a prompt as input; POST"
                " /v1/workflows/{name}/runs runs any workflow."
            )
            raise HttpError(
                404,
                Problem(
                    "not_an_image_model",
                    "",
                    f"The workflow {model!r} can't be used by this API.",
                    hint,
                ),
            )
        return found

    def _answer(self, call: Call, result: RunResult, wanted: str) -> Answer:
        state, served, output = self._state, call.served, call.served.image_outputs[0]
        warnings = [*call.warnings, *(problem.message for problem in result.warnings)]
        image = result.outputs.get(output)
        if not isinstance(image, ImageData):
            raise HttpError(
                500,
                Problem(
                    "no_image_returned",
                    output,
                    f"{served.name} returned no image.",
                    "Ask the operator to fix the workflow.",
                ),
            )
        if call.starts_as not in (None, image.image.size):
            warnings.append(
                f"target_size was not met: the image has {image.image.width}x{image.image.height}"
            )
        content = encode_image_data(image, wanted, provenance=state.settings.provenance)
        return Answer(content, media_type_of(wanted), tuple(warnings))


def _read(body: bytes, content_type: str, tasks: Mapping[Task, ServedWorkflow]) -> ParsedRequest:
    return read_body(
        body,
        content_type,
        takes_image="image-to-image" in tasks,
        takes_text="text-to-image" in tasks,
    )


def _response(answer: Answer, *, hit: bool) -> Response:
    headers = {"X-Cache": "hit" if hit else "miss"}
    if answer.warnings:
        headers["X-HF-Warning"] = "; ".join(
            _header_text(text) for text in answer.warnings[:_WARNINGS_SHOWN]
        )
    return Response(answer.content, media_type=answer.media_type, headers=headers)


def _header_text(text: str) -> str:
    """
    Return a text as a header can carry it.

    In ASCII, on one line, and so short that others beside it are read as well.
    """
    plain = text.translate(_PLAIN)
    short = plain if len(plain) <= _WARNING_LENGTH else plain[:_WARNING_LENGTH] + "..."
    return "".join(character if " " <= character <= "~" else "?" for character in short)


def _digest(*parts: bytes) -> bytes:
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        hasher.update(b"%d:" % len(part))
        hasher.update(part)
    return hasher.digest()


__all__ = ["HuggingFaceRoutes", "dialect", "router"]
