"""What the editor's routes take, as pydantic classes; names as in `editor/src/net/schema.ts`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_strict = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class SessionRequest(BaseModel):
    """What is traded for a session: the key of the address that was opened, or a token."""

    model_config = _strict

    key: str | None = Field(default=None, max_length=200)
    token: str | None = Field(default=None, max_length=500)


class CheckRequest(BaseModel):
    """A workflow that is being edited."""

    model_config = _strict

    document: dict[str, Any] = Field(description="The workflow, in the form of its file.")
    name: str | None = Field(
        default=None, max_length=500, description="Its name: paths start from its file's folder."
    )
    targets: list[str] | None = Field(
        default=None, max_length=10_000, description="Ids of the nodes that are wanted."
    )


class EditorRunRequest(BaseModel):
    """A workflow that is being edited, to be run as a job."""

    model_config = _strict

    workflow: dict[str, Any] = Field(description="The workflow, in the form of its file.")
    name: str | None = Field(default=None, max_length=500)
    label: str | None = Field(default=None, max_length=200)
    inputs: dict[str, Any] = Field(default_factory=dict, description="Values by input name.")
    targets: list[str] | None = Field(
        default=None, max_length=10_000, description="Ids of the nodes that are wanted."
    )
    previews: bool = Field(default=True, description="Whether images of each step are wanted.")
    use_cache: bool = True
    priority: int = Field(default=0, ge=-100, le=100)
    wait: Literal[False] = False


class JobChange(BaseModel):
    """What is to be another of a job; what is left out stays."""

    model_config = _strict

    priority: int | None = Field(default=None, ge=-100, le=100)
    label: str | None = Field(default=None, max_length=200)
    kept: bool | None = Field(default=None, description="Whether it stays however old it is.")


class PullRequest(BaseModel):
    """A model that is to be fetched from the Hub."""

    model_config = _strict

    id: str = Field(min_length=1, max_length=300, description="`owner/name`, or its page.")
    variant: str | None = Field(default=None, max_length=100, description="Such as `fp16`.")
    path: str | None = Field(default=None, max_length=500, description="A single file of it.")
    revision: str | None = Field(default=None, max_length=200, description="Branch, tag, commit.")


class DraftRequest(BaseModel):
    """What the page has not saved yet."""

    model_config = _strict

    document: dict[str, Any]
    etag: str = Field(default="", max_length=200, description="Of the file that it was begun from.")


class MoveRequest(BaseModel):
    """A workflow's new name."""

    model_config = _strict

    to: str = Field(min_length=1, max_length=500)


class RelocateRequest(BaseModel):
    """Nodes that go from one workflow into another, which may be in another folder."""

    model_config = _strict

    nodes: list[dict[str, Any]] = Field(
        max_length=100_000, description="Records of nodes, as a file has them."
    )
    before: str = Field(
        max_length=500,
        description="The workflow from whose folder their paths start; empty for one without file.",
    )
    after: str = Field(max_length=500, description="The workflow from whose folder they are to.")


class LayoutNode(BaseModel):
    """A box that wants a place."""

    model_config = ConfigDict(extra="ignore")

    id: str
    width: float = Field(gt=0, le=10_000)
    height: float = Field(gt=0, le=100_000)


class LayoutEdge(BaseModel):
    """A wire between two boxes."""

    model_config = ConfigDict(extra="ignore")

    source: str
    target: str


class LayoutRequest(BaseModel):
    """A graph to be tidied."""

    model_config = _strict

    nodes: list[LayoutNode] = Field(max_length=20_000)
    edges: list[LayoutEdge] = Field(max_length=200_000)
