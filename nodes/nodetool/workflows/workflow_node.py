"""A workflow used as a node."""

from __future__ import annotations

from typing import Any

from nodetool_core import Field, Lane, Node, NodeError, Role


class WorkflowNode(Node):
    """
    Runs another workflow as one node of this one. Its inputs are properties here, by their names,
    and its outputs are outputs.
    workflow, group, reuse, compose

    Use cases:
    - Use a tested chain of nodes in several workflows
    - Keep a large workflow readable
    - Apply a whole workflow to every item of a list
    """

    synonyms = ("Subgraph", "Group Node", "Smart Object", "Nested Workflow")

    role = Role.WORKFLOW
    lane = Lane.INLINE
    dynamic = True

    path: str = Field(
        place="file",
        default="",
        description="The workflow's file, relative to the file that has this node.",
    )
    workflow_json: dict[str, Any] = Field(
        default={}, description="The workflow itself, where it has no file of its own."
    )

    def process(self) -> None:
        raise NodeError(
            "A workflow node is replaced by the nodes of its workflow.",
            "Load it with Workflow.load, which puts them in its place.",
        )
