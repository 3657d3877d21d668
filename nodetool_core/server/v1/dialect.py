"""Our own API as a dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nodetool_core.server.http.dialect import Dialect
from nodetool_core.server.http.samples import Samples
from nodetool_core.server.v1 import jobs, workflows

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_SAMPLES: Final = Samples(
    of_text="""\
curl -H 'Authorization: Bearer the token' -H 'Content-Type: application/json' \\
  {url}/v1/workflows/{path}/runs -d '{"inputs": {"{prompt}": "a winter night"}}'
""",
    of_image="""\
NODETOOL_TOKEN='the token' nodetool call {url} '{name}' --set {image}=lake.png
""",
    needs_task=False,
)


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server."""
    return Dialect(
        "nodetool",
        "nodetool",
        [workflows.router(state), jobs.router(state)],
        (f"{workflows.PREFIX}/",),
        samples=_SAMPLES,
    )
