"""Nodes whose properties and outputs follow from constant values, wherever classes are read."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nodes.nodetool.output import Output as Result
from nodetool_core import Field, NodeError, Registry, Workflow, WorkflowError
from nodetool_core.declaration import Output
from nodetool_core.editor.catalogue import Catalogue
from nodetool_core.editor.ports import ports_of
from nodetool_core.properties import Property
from nodetool_core.specialized import Declared, SpecializedNode
from nodetool_core.validation import build_graph
from nodetool_core.workflow import WorkflowDocument


class Sums(SpecializedNode):
    """Adds numbers that a text names, and gives the sum under its first name."""

    decided_by = ("names",)

    names: str = Field(default="", description="Names of numbers, by blanks.")
    scale: int = 1

    @classmethod
    def declared(cls, values: Mapping[str, Any]) -> Declared:
        names = values["names"].split()
        if not names:
            raise NodeError("names nothing.", code="invalid_value", where="names")
        return Declared(
            " ".join(names),
            {name: Property(name, int, 0, f"The number {name}.", {"le": 9}) for name in names},
            {f"{name}s": Output(f"{name}s", int) for name in names[:1]},
        )

    def process(self) -> dict[str, int]:
        names = self.names.split()
        return {f"{names[0]}s": self.scale * sum(vars(self)[name] for name in names)}


REGISTRY = Registry(Registry.installed().packs, [Sums])


def document(**data: object) -> WorkflowDocument:
    graph = {
        "nodes": [
            {"id": "sums", "type": Sums.spec.node_type, "data": data},
            {"id": "out", "type": Result.spec.node_type, "data": {"name": "x"}},
        ],
        "edges": [
            {"source": "sums", "sourceHandle": "as", "target": "out", "targetHandle": "value"}
        ],
    }
    return WorkflowDocument.from_json({"graph": graph})


def refused(**data: object) -> dict[str, str]:
    with pytest.raises(WorkflowError) as raised:
        build_graph(document(**data), REGISTRY)
    return {problem.where: problem.code for problem in raised.value.problems}


def test_a_document_is_checked_against_what_the_values_decide() -> None:
    node = build_graph(document(names="a b", a=2, b=3), REGISTRY).nodes[0]

    assert node.values == {"names": "a b", "scale": 1, "a": 2, "b": 3}
    assert refused(names="a b", c=3) == {"nodes[0].data.c": "unknown_property"}
    assert refused(names="a b", a=10) == {"nodes[0].data.a": "invalid_value"}
    assert refused(names="b a", a=1) == {"edges[0].sourceHandle": "unknown_handle"}
    assert refused() == {"nodes[0].data": "invalid_value"}
    assert refused(names=3) == {"nodes[0].data.names": "invalid_value"}


def test_equal_values_make_one_class_that_can_be_sent_elsewhere() -> None:
    first, second = (
        build_graph(document(names=names, a=2), REGISTRY).nodes[0].node_class
        for names in ("a b", "a  b")
    )

    assert first is second is pickle.loads(pickle.dumps(first))
    assert first.spec.node_type == Sums.spec.node_type


def test_it_is_built_run_and_written_like_any_other() -> None:
    node = Sums(names="a b", a=2, b=3, scale=2)
    workflow = Workflow(Result(name="x", value=node))

    assert workflow.run().outputs == {"x": 10}
    assert workflow.document.graph.nodes[0].data == {
        "names": "a b",
        "scale": 2,
        "a": 2,
        "b": 3,
    }
    assert [*inspect.signature(type(node)).parameters] == ["names", "scale", "a", "b"]
    with pytest.raises(WorkflowError, match="no property 'c'"):
        Sums(names="a b", c=3)


def test_the_editor_sees_its_properties_and_outputs() -> None:
    records = document(names="a b").graph.nodes

    ports = ports_of(records, REGISTRY, Catalogue(REGISTRY), Path(), ())["sums"]

    assert [one.name for one in ports.properties] == ["names", "scale", "a", "b"]
    assert [one.name for one in ports.outputs] == ["as"]
    assert ports_of(document().graph.nodes, REGISTRY, Catalogue(REGISTRY), Path(), ()) == {}
