"""Our own API as a dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nodetool_core.server.http.dialect import Dialect
from nodetool_core.server.v1 import jobs, workflows

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState

_HOW_TO_CALL: Final = """\
curl -H 'Content-Type: application/json' {url}/v1/workflows/NAME/runs \\
  -d '{"inputs": {"prompt": "a winter night"}}'
"""


def dialect(state: AppState) -> Dialect:
    """Return this dialect of a server."""
    return Dialect(
        "nodetool",
        "nodetool",
        [workflows.router(state), jobs.router(state)],
        (f"{workflows.PREFIX}/",),
        how_to_call=_HOW_TO_CALL,
    )
