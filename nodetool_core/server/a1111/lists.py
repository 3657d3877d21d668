"""
What clients look up to fill their pickers: checkpoints, samplers, upscalers and the like.

What there is none of is an empty list: clients show it, and go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.a1111 import openapi
from nodetool_core.server.a1111.checkpoints import Checkpoints
from nodetool_core.server.a1111.extras import Upscalers
from nodetool_core.server.a1111.samplers import sampler_list, schedule_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodetool_core.server.runtime.app_state import AppState

_EMPTY: Final = (
    "latent-upscale-modes",
    "sd-vae",
    "sd-modules",
    "loras",
    "hypernetworks",
    "face-restorers",
    "realesrgan-models",
    "prompt-styles",
    "script-info",
    "extensions",
)
_OBJECTS: Final[dict[str, JsonObject]] = {
    "embeddings": {"loaded": {}, "skipped": {}},
    "scripts": {"txt2img": [], "img2img": []},
    "cmd-flags": {"api": True},
    "memory": {"ram": {"error": "unavailable"}, "cuda": {"error": "unavailable"}},
}


def router(state: AppState) -> APIRouter:
    """Return the routes of lists, below the prefix of this dialect."""
    routes = APIRouter()
    checkpoints, upscalers = Checkpoints(state), Upscalers(state)

    def add(path: str, found: Callable[[], object], schema: JsonObject) -> None:
        routes.add_api_route(
            f"/{path}",
            found,
            methods=["GET"],
            operation_id=f"a1111_{path.replace('-', '_')}",
            summary=f"What there is of {path.replace('-', ' ')}",
            response_model=None,
            responses=openapi.answers(schema),
        )

    def models() -> list[JsonObject]:
        return [
            {
                "title": title,
                "model_name": title,
                "hash": None,
                "sha256": None,
                "filename": title,
                "config": None,
            }
            for title in checkpoints.titles
        ]

    add("sd-models", models, openapi.LIST)
    add("upscalers", upscalers.listed, openapi.LIST)
    add("samplers", sampler_list, openapi.LIST)
    add("schedulers", schedule_list, openapi.LIST)
    for path in _EMPTY:
        add(path, _answering([]), openapi.LIST)
    for path, found in _OBJECTS.items():
        add(path, _answering(found), openapi.OBJECT)
    return routes


def _answering(found: Json) -> Callable[[], object]:
    async def answer() -> object:
        return found

    return answer
