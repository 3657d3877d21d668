"""The nodes there are, for the editor: types, which may be connected, and each node's form."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final, get_args

from nodetool_core.editor.answers import (
    CatalogueAnswer,
    Kind,
    NodeType,
    OutputInfo,
    PropertyInfo,
    TypeInfo,
)
from nodetool_core.node_base import Node, Role
from nodetool_core.properties import Property
from nodetool_core.references import (
    AssetRef,
    ColorRef,
    FolderRef,
    FontRef,
    ImageRef,
    ModelRef,
)
from nodetool_core.registry import Registry
from nodetool_core.types import (
    Annotation,
    choices,
    is_assignable,
    origin_of,
    strip,
    type_name,
    union_members,
)

_KINDS: Final[tuple[tuple[tuple[type, ...], Kind], ...]] = (
    ((bool,), "switch"),
    ((enum.Enum,), "choice"),
    ((int, float), "number"),
    ((str,), "text"),
    ((ImageRef,), "image"),
    ((ModelRef,), "model"),
    ((ColorRef,), "color"),
    ((FolderRef, FontRef, AssetRef), "file"),
    ((list, tuple), "list"),
)
"""What the page draws and how it edits it, by class; the first that fits counts."""

_MULTILINE: Final = frozenset({"prompt", "negative_prompt", "text", "template", "comment"})
_EDITED: Final = (Role.WORKFLOW,)


class Catalogue:
    """What `GET /v1/nodes` answers, made once from a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._numbers: dict[Annotation, int] = {}

    def answer(self) -> CatalogueAnswer:
        """Return the types, the matrix of what accepts what, and all nodes."""
        classes = sorted(self._registry, key=lambda node_class: node_class.spec.node_type)
        nodes = [self.node(node_class) for node_class in classes]
        models = self.model_properties()
        accepts = [
            [int(is_assignable(source, target)) for target in self._numbers]
            for source in self._numbers
        ]
        return CatalogueAnswer(
            types=[
                TypeInfo(id=number, name=type_name(annotation), kind=kind_of(annotation))
                for annotation, number in self._numbers.items()
            ],
            accepts=accepts,
            nodes=nodes,
            models=models,
            aliases={
                old: alias.type
                for pack in self._registry.packs
                for old, alias in pack.aliases.items()
            },
        )

    def node(self, node_class: type[Node]) -> NodeType:
        """Return one node's declaration, with numbers for its types."""
        spec = node_class.spec
        return NodeType(
            type=spec.node_type,
            title=spec.title,
            namespace=spec.namespace,
            pack=spec.node_type.partition(".")[0],
            description=spec.description,
            tags=list(spec.tags),
            synonyms=list(spec.synonyms),
            use_cases=list(spec.use_cases),
            role=node_class.role.value,
            lane=node_class.lane.value,
            streams=spec.streams,
            dynamic=node_class.dynamic or node_class.role in _EDITED,
            properties=self.properties(node_class),
            outputs=self.outputs(
                (output.name, output.annotation, output.description)
                for output in spec.outputs.values()
            ),
        )

    def outputs(self, given: Iterable[tuple[str, Annotation, str]]) -> list[OutputInfo]:
        return [
            OutputInfo(name=name, type=self._number(annotation), description=description)
            for name, annotation, description in given
        ]

    def properties(self, node_class: type[Node]) -> list[PropertyInfo]:
        """Return what fields for all properties of a node have to know."""
        found = []
        for prop in node_class.spec.properties.values():
            shown = self.property(prop)
            if _names_a_path(prop, node_class):
                shown.widget = "folder" if prop.place == "folder" else "path"
            found.append(shown)
        return found

    def model_properties(self) -> list[PropertyInfo]:
        """Return what fields for the parts of a model reference have to know, but for its id."""
        found = []
        for name, field in ModelRef.model_fields.items():
            annotation, default = field.annotation, field.get_default()
            if name in ("type", "repo_id") or annotation is None:
                continue
            shown = self.property(
                Property(name, annotation, default, field.description or "", bounds={})
            )
            members = [one for one in union_members(annotation) if one not in (None, type(None))]
            if len(members) == 1 and (allowed := choices(members[0])) is not None:
                shown.choices = [None, *allowed]
            found.append(shown)
        return found

    def property(self, prop: Property) -> PropertyInfo:
        """Return what a field for a property has to know; what says nothing stays unset."""
        found = PropertyInfo(
            name=prop.name,
            type=self._number(prop.annotation),
            required=prop.required,
            description=prop.description,
        )
        if not prop.required:
            found.default = prop.to_json(prop.default)
        for bound, name in (("ge", "min"), ("le", "max"), ("gt", "above"), ("lt", "below")):
            if bound in prop.bounds:
                setattr(found, name, prop.bounds[bound])
        if prop.max_length is not None:
            found.max_length = prop.max_length
        if prop.seed:
            found.seed = True
        allowed = choices(prop.annotation)
        if allowed is not None:
            found.choices = list(allowed)
        if prop.annotation is str and prop.name in _MULTILINE:
            found.widget = "prompt" if "prompt" in prop.name else "multiline"
        return found

    def _number(self, annotation: Annotation) -> int:
        return self._numbers.setdefault(strip(annotation), len(self._numbers))


def _names_a_path(prop: Property, node_class: type[Node]) -> bool:
    """Return whether a text names a file or a folder that there has to be."""
    # A sink names what it writes, and a node with a repository a file of that.
    names_another = node_class.role is Role.SINK or "repo_id" in node_class.spec.properties
    return prop.annotation is str and prop.place in ("file", "folder") and not names_another


def kind_of(annotation: Annotation) -> Kind:
    """Return how the page draws and edits values of a type."""
    members = [member for member in union_members(annotation) if member not in (None, type(None))]
    if choices(annotation) is not None:
        return "choice"
    found = {_kind(member) for member in members}
    return found.pop() if len(found) == 1 else "any"


def _kind(member: Annotation) -> Kind:
    member = strip(member)
    plain = origin_of(member) or member
    if isinstance(plain, type):
        for classes, kind in _KINDS:
            if issubclass(plain, classes):
                return kind
    return "choice" if get_args(member) and choices(member) is not None else "any"
