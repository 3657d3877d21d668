"""
The server of the protocol, by the official SDK: it lists the tools, and runs one when it is called.

A call waits, runs and ends like any other request: in the queue, with its client's share, and
cancelled when the client cancels.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)
from starlette.requests import Request

from nodetool_core import __version__
from nodetool_core.engine.events import NodeProgress
from nodetool_core.engine.result import RunResult
from nodetool_core.errors import near_miss
from nodetool_core.json_types import JsonObject
from nodetool_core.server import result_files
from nodetool_core.server.http.http_errors import as_http
from nodetool_core.server.http.images import EncodedValues
from nodetool_core.server.http.requests import base_url, client_of
from nodetool_core.server.logs import current_client
from nodetool_core.server.mcp.content import Keep, failure_of, result_of
from nodetool_core.server.mcp.tools import describe, given_of, tools_of

if TYPE_CHECKING:
    from nodetool_core.server.runtime.app_state import AppState
    from nodetool_core.server.served_workflow import ServedWorkflow

_log = logging.getLogger(__name__)

_INSTRUCTIONS: Final = (
    "Each tool is a workflow that makes or changes images. An answer holds a small preview of every"
    " image, and the address of the whole one, which other tools take as an input."
)

Given = Callable[["ServedWorkflow", JsonObject], JsonObject]
"""Reads what only this transport takes, such as paths of this machine. Blocks."""


@dataclass(frozen=True)
class Transport:
    """What differs between HTTP and stdio."""

    keep: Callable[[Request | None], Keep]
    """Returns what keeps an image and gives its address, for a request."""
    given: Given = lambda served, given: given
    image: JsonObject | None = None
    """The schema of an image; the usual one where None."""


def over_http(state: AppState) -> Transport:
    """Return the transport of a server that is reached over HTTP."""

    def keep(request: Request | None) -> Keep:
        assert request is not None
        base = base_url(request, state.settings.public_url)
        return lambda data: result_files.address(state.jobs.put(data), base)

    return Transport(keep)


def server_of(state: AppState, transport: Transport) -> Server:
    """Return the SDK's server over what is served."""
    calls = Calls(state, transport)
    return Server(
        "nodetool",
        version=__version__,
        title="nodetool",
        instructions=_INSTRUCTIONS,
        on_list_tools=calls.list_tools,
        on_call_tool=calls.call_tool,
    )


class Calls:
    """Answers requests of this dialect."""

    def __init__(self, state: AppState, transport: Transport) -> None:
        self._state = state
        self._transport = transport
        self._tools: dict[str, tuple[ServedWorkflow, Tool]] = {}
        """Every tool with what it was made of. The SDK asks for all of them at each call."""

    async def list_tools(
        self, context: ServerRequestContext, params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """Return every tool."""
        found = tools_of(self._state.catalog)
        self._tools = {name: (served, self._tool(name, served)) for name, served in found.items()}
        return ListToolsResult(tools=[tool for _, tool in self._tools.values()])

    async def call_tool(
        self, context: ServerRequestContext, params: CallToolRequestParams
    ) -> CallToolResult:
        """
        Run a workflow, and return what it made, or why it failed.

        Raises MCPError for a tool that there is not.
        """
        found = tools_of(self._state.catalog)
        served = found.get(params.name)
        if served is None:
            hint = near_miss(params.name, found)
            raise MCPError(
                INVALID_PARAMS, f"There is no tool {params.name[:100]!r}. {hint}".strip()
            )
        request = context.request if isinstance(context.request, Request) else None
        if request is not None:
            # A session's task was made by the request that opened it.
            current_client.set(client_of(request))
        try:
            result = await self._run(context, served, given_of(served, params.arguments))
            keep, provenance = self._transport.keep(request), self._state.settings.provenance
            return await self._state.threads.work(
                result_of, result, [], keep, provenance=provenance
            )
        except Exception as error:  # noqa: BLE001 - whatever fails is an answer to the model; the unforeseen is logged
            failure = as_http(error)
            if failure.status == 500:
                _log.exception("A tool failed.")
            return failure_of(failure)

    def _tool(self, name: str, served: ServedWorkflow) -> Tool:
        known = self._tools.get(name)
        if known is not None and known[0] is served:
            return known[1]
        image = self._transport.image
        return describe(name, served, **({} if image is None else {"image": image}))

    async def _run(
        self, context: ServerRequestContext, served: ServedWorkflow, given: JsonObject
    ) -> RunResult:
        state, transport = self._state, self._transport
        async with state.runs.admit(
            served,
            lambda: EncodedValues(state.sanitizer.values(served, transport.given(served, given))),
            load_seconds=state.settings.load_seconds,
            gone=_never,
        ) as (turn, inputs):
            values = await state.threads.work(inputs.decode)
            progress = _Progress(context)
            async with aclosing(turn.stream(values, (NodeProgress,))) as events:
                async for event in events:
                    if isinstance(event, NodeProgress):
                        await progress.report(event)
                    elif isinstance(event, RunResult):
                        return event
        raise AssertionError("A run gave no result.")


class _Progress:
    """Reports progress as one number that only grows, over all nodes of a run."""

    def __init__(self, context: ServerRequestContext) -> None:
        self._context = context
        self._before = 0
        self._node = ""
        self._steps = 0
        self._reported = 0.0

    async def report(self, event: NodeProgress) -> None:
        if event.node_id != self._node:
            self._before += self._steps
            self._node = event.node_id
        self._steps = event.total
        progress = float(self._before + event.step)
        if progress <= self._reported:
            return
        self._reported = progress
        message = event.message or f"Step {event.step} of {event.total}"
        await self._context.session.report_progress(
            progress, float(self._before + event.total), message
        )


async def _never() -> None:
    """Wait for ever: a call is cancelled by its task, not by its connection."""
    await asyncio.Event().wait()
