"""
Nodes whose properties and outputs follow from constant values of some of their properties.

Such as a node that runs what a repository describes: which inputs that has is known once the
repository is named. The class that a registry holds takes any name; for constant values it makes a
class with the properties and outputs that go with them, which everything else reads as it reads any
class: validation, the builder, the editor. A file names the general class.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self, cast
from weakref import WeakValueDictionary

from nodetool_core.declaration import Output
from nodetool_core.errors import NodetoolError, WorkflowError
from nodetool_core.handles import holds_outputs
from nodetool_core.node_base import Node
from nodetool_core.properties import Property

if TYPE_CHECKING:
    from nodetool_core.registry import Registry
    from nodetool_core.workflow import NodeRecord


@dataclass(frozen=True)
class Declared:
    """What constant values add to the declaration of a node."""

    key: str
    """Equal where all else is."""
    properties: Mapping[str, Property] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)


class SpecializedNode(Node):
    """
    Base of nodes that have more properties, and outputs, by constant values of some properties.

    `process` returns a mapping of outputs by name.
    """

    dynamic = True
    decided_by: ClassVar[tuple[str, ...]] = ()
    """Properties whose constant values decide; one that is connected counts as its default."""
    example: ClassVar[Mapping[str, object]] = {}
    """Values of the example on the node's page, which decide something."""

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if "spec" in vars(cls):
            cls.spec = replace(cls.spec, outputs={}, unpack=_unpacked({}))

    def __new__(cls, /, **properties: object) -> Self:
        return object.__new__(
            cls if is_specialized(cls) else cls.specialized(cls._given(properties))
        )

    @classmethod
    def declared(cls, values: Mapping[str, object]) -> Declared:
        """
        Return what values of `decided_by` add. It is asked often, and asks no network.

        Raises NodetoolError where they decide nothing.
        """
        raise NotImplementedError

    @classmethod
    def specialized(cls, values: Mapping[str, object]) -> type[Self]:
        """
        Return the class for values of `decided_by`; one and the same while they mean the same.

        Raises NodetoolError where they decide nothing.
        """
        declared = cls.declared(values)
        name = (cls, declared.key)
        made = _made.get(name)
        if made is None:
            made = _made[name] = _class(cls, declared, values)
        return cast("type[Self]", made)

    @classmethod
    def deciding(cls, data: Mapping[str, object], where: str) -> dict[str, object]:
        """
        Return the values of `decided_by` in the data of a node; defaults where there are none.

        Raises WorkflowError for those that do not fit, with places that begin with `where`.
        """
        values, problems = {}, []
        for name in cls.decided_by:
            prop = cls.spec.properties[name]
            values[name] = prop.default
            if name in data:
                values[name], found = prop.validate(data[name], f"{where}.{name}")
                problems += found
        if problems:
            raise WorkflowError(problems)
        return values

    @classmethod
    def _given(cls, properties: Mapping[str, object]) -> dict[str, object]:
        """Return the deciding values among what the constructor was given."""
        constant = {name: one for name, one in properties.items() if not holds_outputs(one)}
        return cls.deciding(constant, cls.spec.title)


def general_class(node_class: type[Node]) -> type[Node]:
    """Return the class that a file names for a node: the one that a class was specialized from."""
    found = vars(node_class).get(_GENERAL)
    return node_class if found is None else cast("type[Node]", found)


def is_specialized(node_class: type[Node]) -> bool:
    """Return whether a class was made for constant values."""
    return _GENERAL in vars(node_class)


def class_of(record: NodeRecord, registry: Registry) -> type[Node] | None:
    """
    Return the class of a node of a document, for the constant values that it has.

    The general one where they decide nothing; None for an unknown type.
    """
    node_class = registry.get(record.type)
    if node_class is None or not issubclass(node_class, SpecializedNode):
        return node_class
    try:
        return node_class.specialized(node_class.deciding(record.data, "data"))
    except NodetoolError:
        return node_class


class _Specialized(type):
    """The class of classes that were made; pickled as the general one with its values."""


_GENERAL = "__general__"
_VALUES = "__deciding__"
_made: WeakValueDictionary[tuple[type[Node], str], type[Node]] = WeakValueDictionary()


def _class(
    base: type[SpecializedNode], declared: Declared, values: Mapping[str, object]
) -> type[Node]:
    made = cast(
        "type[Node]",
        _Specialized(
            base.__name__,
            (base,),
            {
                "__doc__": base.__doc__,
                "__module__": base.__module__,
                "__qualname__": base.__qualname__,
                "dynamic": False,
                _GENERAL: base,
                _VALUES: dict(values),
            },
        ),
    )
    made.spec = replace(
        base.spec,
        properties={**base.spec.properties, **declared.properties},
        outputs=dict(declared.outputs),
        unpack=_unpacked(declared.outputs),
    )
    return made


def _unpacked(
    outputs: Mapping[str, Output],
) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    names = tuple(outputs)
    return lambda value: tuple(value[name] for name in names)


def _again(base: type[SpecializedNode], values: Mapping[str, object]) -> type[Node]:
    return base.specialized(values)


def _reduced(made: type[Node]) -> tuple[object, ...]:
    return _again, (general_class(made), vars(made)[_VALUES])


copyreg.pickle(_Specialized, _reduced)  # type: ignore[arg-type]


__all__ = [
    "Declared",
    "Output",
    "Property",
    "SpecializedNode",
    "class_of",
    "general_class",
    "is_specialized",
]
