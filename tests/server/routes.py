"""
Every route of an application, found from the application itself.

So a test of all covers one that is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from nodetool_core.server.security.middleware import RequestGuard

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_VALUES = {
    "name": "paint", "model": "paint", "digest": "0" * 64, "job_id": "j" * 20, "key": "00",
    "output": "output", "index": "0", "version": "0" * 32, "given": "image", "code": "any",
    "prompt_id": "j" * 20, "class_type": "KSampler", "owner": "nodetool", "file_id": "0" * 64,
    "prediction_id": "j" * 20, "signature": "s" * 32,
}  # fmt: skip


def every_route(app: RequestGuard) -> list[tuple[str, str]]:
    """Return method and path of each route, its parameters filled in."""
    assert isinstance(app.app, FastAPI)
    return list(_routes(app.app))


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        values = _VALUES | (
            {"name": "0" * 64 + ".png"} if route.path.startswith("/results/") else {}
        )
        path = _PARAMETER.sub(lambda found, values=values: values[found[1]], route.path)
        for method in sorted(route.methods or ()):
            yield method, path
