"""A node's class as a plan has it: how it is called, and what its outputs are checked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nodetool_core.context import Context
from nodetool_core.declaration import NodeSpec
from nodetool_core.engine.keys import has_fingerprint
from nodetool_core.errors import NodetoolError, Problem
from nodetool_core.node_base import SKIPPED, Lane, Node, Role
from nodetool_core.ownership import NoCopyError, own_copy
from nodetool_core.types import checker, exact_type, type_name, value_type_name
from nodetool_core.values import CONTAINERS, TOO_DEEP, is_too_deep

Values = tuple[Any, ...]


_OUTPUT_HINT: Final = (
    "A fault of the node, not of the workflow: report it to its author, or correct what `process`"
    " returns or declares."
)


class MisfitError(NodetoolError):
    """A value that arrived, or was returned, is not of the declared type or within its bounds."""


class CompiledNode:
    """Everything about a node class that planning and calling it needs, looked up once."""

    __slots__ = (
        "checks",
        "dynamic",
        "exact",
        "is_input",
        "is_plain",
        "is_regular",
        "lane",
        "node_class",
        "places",
        "process",
        "seeds",
        "shareable",
        "spec",
        "takes_context",
        "unpack",
        "varies",
    )

    def __init__(self, node_class: type[Node]) -> None:
        self.node_class = node_class
        self.spec: NodeSpec = node_class.spec
        self.lane = node_class.lane
        self.dynamic = node_class.dynamic
        self.process: Callable[..., Any] = node_class.process  # type: ignore[attr-defined]
        self.takes_context = self.spec.takes_context
        self.unpack = self.spec.unpack
        self.checks = [checker(output.annotation) for output in self.spec.outputs.values()]
        annotations = [output.annotation for output in self.spec.outputs.values()]
        self.exact = exact_type(annotations[0]) if self.unpack is None else None
        """The type of the one output, where being of that type is enough."""
        self.is_input = node_class.role is Role.INPUT
        self.seeds = tuple(name for name, prop in self.spec.properties.items() if prop.seed)
        self.places = frozenset(name for name, prop in self.spec.properties.items() if prop.place)
        """Properties whose value is a name of what lies elsewhere."""
        self.varies = (
            not node_class.cacheable
            or bool(self.seeds)
            or bool(node_class.services)
            or has_fingerprint(node_class)
        )
        """
        Whether the node's own part of its key may differ from run to run whatever its values are.
        """
        is_ordinary = not (self.spec.streams or node_class.lazy)
        self.is_regular = is_ordinary and not (
            node_class.gathers or node_class.branches or node_class.merges
        )
        """Whether it takes all its inputs at once, and returns all its outputs once."""
        self.is_plain = (
            is_ordinary
            and self.lane is Lane.INLINE
            and not (self.spec.is_async or node_class.merges or node_class.gathers)
        )
        """Whether calling it is a matter of microseconds, and of nothing else."""
        self.shareable = (
            is_ordinary and node_class.cacheable and node_class.role in (Role.STEP, Role.INPUT)
        )
        """Whether a result may come from the cache, or from an equal node."""

    def is_current(self) -> bool:
        """Return whether the class still has the function that is called."""
        return self.process is self.node_class.process  # type: ignore[attr-defined]

    def call(self, instance: Node, context: Context | None) -> Any:
        return self.process(instance, context) if self.takes_context else self.process(instance)

    def values(self, returned: Any) -> Values:
        """
        Return what `process` returned as one value per output, in own copies.

        Whoever made it may go on changing it.

        Raises MisfitError where it is not what was declared.
        """
        if self.unpack is None:
            return (self._checked(0, returned),)
        try:
            values = self.unpack(returned)
        except (TypeError, AttributeError):
            values = None
        if values is None or len(values) != len(self.checks):
            expected = ", ".join(self.spec.outputs)
            got = value_type_name(returned)
            message = f"{self.spec.title} should return its outputs ({expected}), got {got}."
            raise MisfitError(Problem("wrong_output", "", message, _OUTPUT_HINT))
        return tuple([self._checked(position, value) for position, value in enumerate(values)])

    def _checked(self, position: int, value: Any) -> Any:
        """
        Return an own copy of the value of an output.

        Raises MisfitError where it is not of its type, or none can be made.
        """
        if value is SKIPPED:
            return value
        output, hint = list(self.spec.outputs.values())[position], _OUTPUT_HINT
        if isinstance(value, CONTAINERS) and is_too_deep(value):
            complaint = TOO_DEEP
        elif not self.checks[position](value):
            complaint = (
                f"should be {type_name(output.annotation)}, but process returned"
                f" {value_type_name(value)}."
            )
        else:
            try:
                return own_copy(value)
            except NoCopyError as error:
                complaint, hint = error.problem.message, error.problem.hint
        raise MisfitError(
            Problem("wrong_output", "", f"{self.spec.title}.{output.name} {complaint}", hint)
        )
