"""
What clients look up to fill their pickers: checkpoints, samplers, upscalers and the like.

What there is none of is an empty list: clients show it, and go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.models.sources.headers import HeaderError, read_header
from nodetool_core.server.a1111 import openapi
from nodetool_core.server.a1111.checkpoints import Checkpoints
from nodetool_core.server.a1111.extras import Upscalers
from nodetool_core.server.a1111.samplers import sampler_list, schedule_list
from nodetool_core.server.a1111.second_pass import LATENT
from nodetool_core.server.runtime.networks import networks_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nodetool_core.models.sources.model_folders import FolderFile
    from nodetool_core.server.runtime.app_state import AppState

_EMPTY: Final = (
    "sd-vae",
    "sd-modules",
    "hypernetworks",
    "face-restorers",
    "realesrgan-models",
    "prompt-styles",
    "script-info",
    "extensions",
)
_OBJECTS: Final[dict[str, JsonObject]] = {
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

    def loras() -> list[JsonObject]:
        return [
            {"name": name, "alias": name, "path": file.name, "metadata": {}}
            for name, file in networks_in(state.models.resolver.folders).loras.items()
        ]

    def embeddings() -> JsonObject:
        return embedding_list(networks_in(state.models.resolver.folders).embeddings)

    add("sd-models", models, openapi.LIST)
    add("loras", loras, openapi.LIST)
    add("embeddings", embeddings, openapi.OBJECT)
    add("latent-upscale-modes", _answering([{"name": one} for one in LATENT]), openapi.LIST)
    add("upscalers", upscalers.listed, openapi.LIST)
    add("samplers", sampler_list, openapi.LIST)
    add("schedulers", schedule_list, openapi.LIST)
    for path in _EMPTY:
        add(path, _answering([]), openapi.LIST)
    for path, found in _OBJECTS.items():
        add(path, _answering(found), openapi.OBJECT)
    return routes


def embedding_list(files: Mapping[str, FolderFile]) -> JsonObject:
    """Return the answer of `/embeddings`, by the heads of the files. Blocks."""
    loaded: dict[str, JsonObject] = {}
    skipped: dict[str, JsonObject] = {}
    for name, file in files.items():
        try:
            shapes = [one.shape for one in read_header(file.path).tensors.values()]
        except (HeaderError, OSError):
            shapes = []
        vectors = [shape for shape in shapes if len(shape) in (1, 2)]
        about: JsonObject = {
            "step": None,
            "sd_checkpoint": None,
            "sd_checkpoint_name": None,
            "shape": max((shape[-1] for shape in vectors), default=0),
            "vectors": max((shape[0] if len(shape) == 2 else 1 for shape in vectors), default=0),
        }
        (loaded if vectors else skipped)[name] = about
    return {"loaded": loaded, "skipped": skipped}


def _answering(found: Json) -> Callable[[], object]:
    async def answer() -> object:
        return found

    return answer
