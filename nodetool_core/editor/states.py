"""
What the page says of each node before a run: of the forecast, or of what stands in it or beside it.

A workflow node is what its inner nodes are, an input what its takers need, and an output what it is
given. Linear in nodes, inner nodes and edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from nodetool_core.editor.answers import NodeCheck
from nodetool_core.engine.forecast import NodeForecast, Outlook
from nodetool_core.node_base import Role
from nodetool_core.workflow import EdgeRecord

_RANK: Final = (Outlook.UNNEEDED, Outlook.KNOWN, Outlook.VOLATILE, Outlook.MISSING)
"""What counts for a workflow node, of what its inner nodes are: the last of these."""


class NodeStates:
    """The states of the nodes of a document, which are right."""

    def __init__(
        self,
        forecasts: Mapping[str, NodeForecast],
        roles: Mapping[str, Role],
        edges: Iterable[EdgeRecord],
    ) -> None:
        """
        Take what is known of a document.

        Args:
            edges: Those of the document, led past what is bypassed.
        """
        self._forecasts = forecasts
        self._roles = roles
        self._sources: dict[str, list[str]] = {}
        self._takers: dict[str, list[str]] = {}
        for edge in edges:
            self._sources.setdefault(edge.target, []).append(edge.source)
            self._takers.setdefault(edge.source, []).append(edge.target)
        self._inner: dict[str, Outlook] = {}
        """Of workflow nodes."""
        for name, one in forecasts.items():
            while "/" in name:
                name = name.rpartition("/")[0]
                so_far = self._inner.get(name, Outlook.UNNEEDED)
                self._inner[name] = max(so_far, one.outlook, key=_RANK.index)

    def of(self, node_id: str) -> NodeCheck:
        own, role = self._forecasts.get(node_id), self._roles.get(node_id)
        if own is None:
            outlook = self._inner.get(node_id, Outlook.UNNEEDED)
            return NodeCheck(key=None, state=outlook.value, reason=_reason(outlook, None))
        key = None if own.key is None else own.key.hex()
        if role is Role.INPUT and own.outlook is not Outlook.VOLATILE and self._is_taken(node_id):
            # Its value is what stands in it; its result is asked for only where the cache has it.
            is_known = own.outlook is Outlook.KNOWN
            return NodeCheck(key=key if is_known else None, state="known", reason="")
        if role is Role.OUTPUT and own.outlook is Outlook.MISSING and self._is_fed(node_id):
            # An output passes on what it is given.
            return NodeCheck(key=None, state="known", reason="")
        return NodeCheck(key=key, state=own.outlook.value, reason=_reason(own.outlook, own))

    def _is_taken(self, node_id: str) -> bool:
        """Return whether a run looks at something that takes from a node."""
        for name in self._takers.get(node_id, ()):
            own = self._forecasts.get(name)
            outlook = self._inner.get(name, Outlook.UNNEEDED) if own is None else own.outlook
            if outlook is not Outlook.UNNEEDED:
                return True
        return False

    def _is_fed(self, node_id: str) -> bool:
        """Return whether all that a node is given is known."""
        sources = [
            self._forecasts[name].outlook
            for name in self._sources.get(node_id, ())
            if name in self._forecasts
        ]
        return bool(sources) and all(one is Outlook.KNOWN for one in sources)


def _reason(outlook: Outlook, own: NodeForecast | None) -> str:
    if outlook is Outlook.KNOWN:
        return ""
    if outlook is Outlook.UNNEEDED:
        return "Nothing that is wanted needs it."
    if outlook is Outlook.VOLATILE:
        draws = own is not None and own.draws_seed
        return "Draws a new seed each time." if draws else "Is made anew each time."
    if own is not None and own.in_loop:
        return "Runs once for each item."
    return "Has not been computed with these values."
