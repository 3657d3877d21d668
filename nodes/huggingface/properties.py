"""What several properties of a node say together, as one value."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from nodetool_core import Node

    Made = TypeVar("Made", bound=DataclassInstance)


def of_properties(kind: type[Made], node: Node) -> Made:
    """Return a dataclass of the properties of a node that are called like its fields."""
    names = (part.name for part in fields(kind) if part.name in node.spec.properties)
    return kind(**{name: getattr(node, name) for name in names})
