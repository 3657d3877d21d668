"""
What a run reports to its listeners.

Small typed values, each about one thing that happened, in the order it happened.

The command line's progress bars, the server's stream and the tests read the same events. Each is
sent once and never repeats what another reported, so the bytes of a run's events grow with its work
alone.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from nodetool_core.errors import Problem
from nodetool_core.properties import jsonable
from nodetool_core.values import json_form


class RunStarted(NamedTuple):
    """The run begins; `nodes` of them are to be looked at, and these seeds were drawn."""

    run_id: str
    nodes: int
    seeds: dict[str, dict[str, int]]


class NodeStarted(NamedTuple):
    """A node begins its work. Inline nodes, which take microseconds, only finish."""

    node_id: str
    item: tuple[int, ...]


class NodeProgress(NamedTuple):
    """`step` of `total` steps of a node are done."""

    node_id: str
    step: int
    total: int
    message: str


class NodePreview(NamedTuple):
    """
    An intermediate or side image; only sent where previews are wanted, or by a preview node.
    """

    node_id: str
    step: int
    total: int
    image: Any


class NodeWarning(NamedTuple):
    """Something was not done as it was wanted, and why."""

    node_id: str
    message: str
    details: Mapping[str, object]


class NodeFinished(NamedTuple):
    """A node's outputs are there: computed, or (`cached`) from the result cache."""

    node_id: str
    item: tuple[int, ...]
    seconds: float
    cached: bool
    key: bytes = b""
    """Names the result in the cache; empty where it is not kept there."""


node_finished: Callable[[tuple[str, tuple[int, ...], float, bool, bytes]], NodeFinished] = partial(
    tuple.__new__, NodeFinished
)
"""
`NodeFinished` of its fields, in a third of the time that its constructor takes.

There is one for every node.
"""


class NodeFailed(NamedTuple):
    """A node failed; what depends on it will not run."""

    node_id: str
    item: tuple[int, ...]
    node_type: str
    problem: Problem
    traceback: str
    """The original traceback as text; empty where the failure is the user's to mend."""


class OutputReady(NamedTuple):
    """A named output of the workflow has its value."""

    name: str
    node_id: str
    value: Any


class RunFinished(NamedTuple):
    """The run is over: `completed`, `failed` or `cancelled`."""

    run_id: str
    status: str
    seconds: float
    computed: int
    cached: int


Event = (
    RunStarted
    | NodeStarted
    | NodeProgress
    | NodePreview
    | NodeWarning
    | NodeFinished
    | NodeFailed
    | OutputReady
    | RunFinished
)

Listener = Callable[[Event], None]
AsyncListener = Callable[[Event], Awaitable[None]]

DROPPABLE = (NodeProgress, NodePreview, NodeStarted)
"""Events that a listener who has fallen behind does without."""


def event_name(event: Event) -> str:
    """Return the name as JSON spells it, such as `node_finished`."""
    return event_type_name(type(event))


def event_type_name(kind: type[Event]) -> str:
    """Return the name of all events of a class, as `event_name` does."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def event_json(event: Event) -> dict[str, Any]:
    """
    Return the JSON form. Images are named by size and mode only: their pixels travel by other ways.
    """
    fields: dict[str, Any] = {"event": event_name(event)}
    for name, value in event._asdict().items():
        if isinstance(value, Problem):
            fields[name] = value.to_json()
        elif name == "key":
            if value:
                fields[name] = value.hex()
        elif name in ("image", "value") or value not in ((), "", {}):
            fields[name] = json_form(value, _described)
    return fields


def _described(value: Any) -> Any:
    pixels = getattr(value, "image", value)
    if hasattr(pixels, "mode") and hasattr(pixels, "size"):
        return {
            "type": "image",
            "mode": pixels.mode,
            "width": pixels.size[0],
            "height": pixels.size[1],
        }
    try:
        return jsonable(value)
    except TypeError:
        return {"type": type(value).__name__}
