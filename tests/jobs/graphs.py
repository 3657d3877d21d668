"""Workflows for the tests."""

from __future__ import annotations

from pathlib import Path

from nodes.nodetool.input import StringInput
from nodes.nodetool.output import Output
from nodetool_core import Node, Workflow
from nodetool_core.workflow import WorkflowDocument
from tests.jobs.pack.work import Hold, Work


def workflow(**outputs: Node) -> WorkflowDocument:
    """Return a workflow with these nodes' results as outputs."""
    return Workflow(
        *(Output(name=name, value=node.output) for name, node in outputs.items())
    ).document


def words() -> WorkflowDocument:
    """Return a workflow that gives back the text that it is given."""
    return workflow(text=StringInput(name="word", value="nothing"))


def chain(length: int, log: Path, name: str = "", seconds: float = 0.02) -> WorkflowDocument:
    """
    Works one after the other, each on the result of the one before; labels are `name` and a number.
    """
    node: Node = StringInput(name="word", value="")
    for number in range(length):
        node = Work(value=node.output, label=f"{name}{number}", log=str(log), seconds=seconds)
    return workflow(text=node)


def held(gate: Path, log: Path) -> WorkflowDocument:
    """Return a workflow that waits for a file."""
    return workflow(text=Hold(value="held", gate=str(gate), log=str(log)))
