"""
The declarative node: a class whose annotations are its properties and whose `process` is its work.

    class Blur(Node):
        '''
        Softens an image with a Gaussian blur.
        image, filter, blur

        Use cases:
        - Hide detail before a second pass
        '''

        image: ImageRef = Field(description="Image to soften.")
        radius: float = Field(default=2.0, ge=0.0, description="Standard deviation, in pixels.")

        def process(self, context: Context) -> ImageRef: ...

The class is the single source: validation, the builder, the command line, HTTP and the reference
page all read its `spec`. A declaration is checked when the class is created. The same class builds
graphs: a property takes a value or an output of another node (`Blur(image=photo.output)`, or
`Blur(image=photo)` where it has only one), also inside of lists, tuples and mappings; engine-side
instances carry plain values.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from inspect import Parameter, Signature
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from nodetool_core.context import Sources
from nodetool_core.declaration import NodeSpec, Output, declare
from nodetool_core.errors import Problem, WorkflowError, near_miss
from nodetool_core.handles import OutputHandle, connect, holds_outputs
from nodetool_core.ownership import own_copy
from nodetool_core.properties import ANYTHING, Field, Property


class Lane(StrEnum):
    """Where `process` runs."""

    INLINE = "inline"
    """On the scheduler's own thread: for work of microseconds, such as a constant."""
    CPU = "cpu"
    """On a worker thread: blocking or computing work. The default."""
    DEVICE = "device"
    """On the one thread of its accelerator: never two at once on a device."""
    NETWORK = "network"
    """On one of many threads: work that mostly waits."""


class Role(StrEnum):
    """What a node is to the workflow as a whole."""

    STEP = "step"
    """A step of the graph; runs when a result needs it."""
    INPUT = "input"
    """
    A named input of the workflow.

    Has the properties `name` and `value`, and takes values from `run(name=…)`.
    """
    OUTPUT = "output"
    """
    A named output of the workflow: has the properties `name` and `value`.

    Runs unless other outputs are requested.
    """
    SINK = "sink"
    """Runs for its effect (a preview, a saved file) like an output, without giving a result."""
    COMMENT = "comment"
    """Text for the reader; never runs."""
    WORKFLOW = "workflow"
    """
    Stands for the nodes of another workflow, which take its place when this one is loaded.

    Has the properties `path` and `workflow_json`, and takes that workflow's inputs by their names.
    """


class _Skipped:
    """The type of `SKIPPED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SKIPPED"

    def __reduce__(self) -> str:
        return "SKIPPED"


SKIPPED = _Skipped()
"""As the value of an output: this branch is not taken; whoever depends on it does not run."""


class _Signature:
    """
    The signature of a node class, as notebooks and `inspect.signature` show it.

    Made on use: otherwise each of the many classes would pay for one at import.
    """

    def __get__(self, instance: object, owner: type[Node]) -> Signature | None:
        spec = getattr(owner, "spec", None)
        if spec is None:
            return None
        parameters = [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if prop.required else prop.default,
                annotation=prop.annotation,
            )
            for name, prop in spec.properties.items()
            if name.isidentifier() and not iskeyword(name)
        ]
        if owner.dynamic:
            parameters.append(Parameter("properties", Parameter.VAR_KEYWORD))
        return Signature(parameters)


@dataclass_transform(kw_only_default=True, field_specifiers=(Field,))
class Node:
    """
    Base of all nodes. Subclass it, annotate properties, write `process`.

    `process(self)` or `process(self, context)` is a function, a coroutine function, or a generator
    of items. Its return
    annotation declares the outputs: one type is the output `output`; a `NamedTuple`, dataclass or
    `TypedDict` one output per field; `Iterator[T]` / `AsyncIterator[T]` a stream of items. A node
    keeps nothing between calls.
    """

    spec: ClassVar[NodeSpec]
    """The declaration, read off the class when it is created."""
    lane: ClassVar[Lane] = Lane.CPU
    role: ClassVar[Role] = Role.STEP
    synonyms: ClassVar[tuple[str, ...]] = ()
    """What other programs call the node or what it does; found by searches beside its tags."""
    cacheable: ClassVar[bool] = True
    """False for a node that is never the same twice, such as a clock."""
    dynamic: ClassVar[bool] = False
    """
    True where properties of any name are accepted besides the declared ones.

    Found in `self.dynamic_values`.
    """
    lazy: ClassVar[frozenset[str]] = frozenset()
    """Properties whose upstream runs only once `demand` requests them."""
    gathers: ClassVar[frozenset[str]] = frozenset()
    """Properties that take the list of all items of the innermost loop, and so close it."""
    gap_policy: ClassVar[str] = ""
    """
    Property that sets what an item that failed leaves in a gathered list.

    `fail` (no list), `skip` or `none`.
    """
    spreads: ClassVar[str] = ""
    """Property that sets whether what follows may run on workers, for each item that it yields."""
    carries: ClassVar[bool] = False
    """
    True where what it gathers goes back to the node that opened the loop, round by round.

    That one declares `Generator[Item, Mapping[str, Any], Mapping[str, Any]]`: it is sent the
    gathered properties by name, and what it returns, by name, is what this node takes in the end.
    """
    branches: ClassVar[bool] = False
    """
    True where outputs may be `SKIPPED`.

    What only a branch not taken needs then waits for the decision, and does not run.
    """
    merges: ClassVar[bool] = False
    """
    True where the node runs as long as one of its inputs is there.

    Skipped ones keep their defaults.
    """
    services: ClassVar[tuple[type, ...]] = ()
    """Classes of the services that it uses, which `context.service` gives."""
    __signature__ = _Signature()
    if TYPE_CHECKING:
        # Not at run time, where every annotation is a property.
        dynamic_values: dict[str, Any]

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if getattr(cls, "process", None) is not None:
            cls.spec = declare(cls, sys._getframe(1).f_locals)

    def __init__(self, /, **properties: object) -> None:
        spec = getattr(type(self), "spec", None)
        if spec is None:
            raise TypeError(f"{type(self).__name__} has no process method, so it is no node yet.")
        values = {
            name: own_copy(prop.default)
            for name, prop in spec.properties.items()
            if not prop.required
        }
        dynamic: dict[str, object] = {}
        problems: list[Problem] = []
        for name, value in properties.items():
            prop = spec.properties.get(name)
            if prop is None and not self.dynamic:
                problems.append(_unknown(spec, name))
                continue
            if holds_outputs(value):
                value, found = connect(
                    value, Any if prop is None else prop.annotation, f"{spec.title}.{name}"
                )
            else:
                value, found = (prop or ANYTHING).validate(value, f"{spec.title}.{name}")
            (dynamic if prop is None else values)[name] = value
            problems.extend(found)
        if problems:
            raise WorkflowError(problems)
        self.__dict__.update(values)
        self.__dict__["dynamic_values"] = dynamic

    @classmethod
    def instantiate(cls, values: dict[str, Any]) -> Node:
        """
        Return an instance that takes over already validated values.

        What the engine calls `process` on.
        """
        node = object.__new__(cls)
        object.__setattr__(node, "__dict__", values)
        return node

    def demand(self, values: dict[str, Any]) -> frozenset[str]:
        """
        Return the lazy properties to evaluate, given the values that are there.

        Called once all others have arrived.
        """
        return self.lazy

    @classmethod
    def fingerprint(cls, values: dict[str, Any], sources: Sources) -> str | None:
        """
        Return what else the result depends on, such as the content of a file that a text names.

        Part of the cache key.

        Only called on classes that define it. None where it can't be known before the run, as when
        the name comes over an
        edge: the result then counts as never the same.
        """
        return None

    def run(self) -> Any:
        """
        Run this node with all that it needs, and return its output; of several, a mapping by name.

        None where it has no output. Raises what `Workflow.run` raises.
        """
        # The public face, which lies above: only here does a node know of what runs it.
        from nodetool_core import Workflow

        return next(iter(Workflow(self).run().outputs.values()), None)

    def __getitem__(self, output: str) -> OutputHandle[Any]:
        """
        Return the output of that name, also where a property has the same one: `node["image"]`.
        """
        if output not in self.spec.outputs:
            hint = (
                near_miss(output, self.spec.outputs)
                or f"It has {', '.join(self.spec.outputs) or 'none'}."
            )
            raise WorkflowError(
                Problem("unknown_handle", self.spec.title, f"has no output {output!r}.", hint)
            )
        return OutputHandle(self, output)

    def __getattr__(self, name: str) -> Any:
        spec: NodeSpec | None = getattr(type(self), "spec", None)
        if spec is not None and name in spec.outputs:
            return OutputHandle(self, name)
        if spec is None or name.startswith("__"):
            raise AttributeError(name)
        if name in spec.properties:
            raise AttributeError(f"{spec.title}.{name} is required and was not given.")
        hint = near_miss(name, [*spec.outputs, *spec.properties])
        raise AttributeError(f"{spec.title} has no output or property {name!r}. {hint}".rstrip())

    def __dir__(self) -> list[str]:
        """Return the names of outputs too, which notebooks complete."""
        return [*super().__dir__(), *self.spec.outputs]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__name__}.{name} can't be assigned: give properties to the constructor,"
            " keep nothing on a node."
        )

    def __repr__(self) -> str:
        given = ", ".join(
            f"{name}={value!r}"
            for name, value in self.__dict__.items()
            if name in self.spec.properties
        )
        return f"{self.spec.title}({given})"


def _unknown(spec: NodeSpec, name: str) -> Problem:
    known = f"It has {', '.join(spec.properties)}." if spec.properties else "It has none."
    hint = near_miss(name, spec.properties) or known
    return Problem(
        "unknown_property", f"{spec.title}.{name}", f"{spec.title} has no property {name!r}.", hint
    )


__all__ = [
    "SKIPPED",
    "Field",
    "Lane",
    "Node",
    "NodeSpec",
    "Output",
    "OutputHandle",
    "Property",
    "Role",
]
