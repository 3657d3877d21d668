"""What the editor's routes give, as pydantic classes; names as in `editor/src/net/schema.ts`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from nodetool_core.server.http.files import FileAnswer
from nodetool_core.server.v1.schemas import ProblemAnswer

Kind: TypeAlias = Literal[
    "image", "text", "number", "switch", "choice", "model", "color", "file", "list", "any"
]


class Answer(BaseModel):
    """A field that says nothing is left out, where it has a default."""

    model_config = ConfigDict(extra="forbid")


class Dialect(Answer):
    """A protocol that programs can speak."""

    name: str
    title: str
    guide: str = Field(description="How a workflow is called, NAME being its own.")
    image_guide: str = Field(description="The same for one that starts from an image.")


class Device(Answer):
    """An accelerator, and how much of its memory is in use."""

    name: str
    used_bytes: int
    total_bytes: int


class Limits(Answer):
    """What the server takes, and how long it keeps results."""

    upload_bytes: int
    results_seconds: float


class StatusAnswer(Answer):
    """What the server is, and what this session may do."""

    api: int = Field(description="The version of what the page and the server say to each other.")
    version: str
    owner: bool = Field(description="Whether this session may read and write files.")
    address: str = Field(description="Where the server is reached, without a slash at the end.")
    needs_token: bool = Field(description="Whether programs have to send a token.")
    dialects: list[Dialect]
    apps: dict[str, str] = Field(
        description="Ids of the Qolaba dialect, by the workflow or model that each is for."
    )
    can_run: bool = Field(description="Whether POST /v1/runs takes workflows of this session.")
    open: str | None = Field(description="The workflow that the server was started for.")
    devices: list[Device] = Field(description="Accelerators; to the owner alone.")
    waiting: int = Field(description="Jobs.")
    running: int = Field(description="Jobs.")
    loaded_models: list[str]
    limits: Limits


class TypeInfo(Answer):
    """A type of values."""

    id: int
    name: str = Field(description="As pages spell it, such as `list[image]`.")
    kind: Kind = Field(description="How the page draws and edits its values.")


class PropertyInfo(Answer):
    """What a field for a property has to know."""

    name: str
    type: int = Field(description="The `id` of its type.")
    required: bool
    description: str
    default: object = None
    min: int | float | None = None
    max: int | float | None = None
    above: int | float | None = Field(default=None, description="Itself left out.")
    below: int | float | None = Field(default=None, description="Itself left out.")
    max_length: int | None = None
    seed: bool = Field(default=False, description="Whether -1 draws a new number for each run.")
    choices: list[object] | None = None
    widget: Literal["prompt", "multiline", "path", "folder"] | None = None


class OutputInfo(Answer):
    """An output of a node."""

    name: str
    type: int = Field(description="The `id` of its type.")
    description: str


class Ports(Answer):
    """All properties and outputs of one node."""

    properties: list[PropertyInfo]
    outputs: list[OutputInfo]


class NodeType(Ports):
    """The declaration of a node."""

    type: str
    title: str
    namespace: str
    pack: str
    description: str
    tags: list[str]
    synonyms: list[str] = Field(description="What other programs call it, or what it does.")
    use_cases: list[str]
    role: str
    lane: str
    streams: bool
    dynamic: bool = Field(
        description="Whether it takes properties of any name; a check has them, as `ports`."
    )


class ExplanationAnswer(Answer):
    """What an error code means."""

    code: str
    means: str
    do: str


class CatalogueAnswer(Answer):
    """The nodes there are."""

    types: list[TypeInfo]
    accepts: list[list[int]] = Field(
        description="`accepts[output type][property type]` is 1 where an edge is allowed."
    )
    nodes: list[NodeType]
    models: list[PropertyInfo] = Field(
        description="What a reference to a model can have besides its id, whichever model it is."
    )
    aliases: dict[str, str] = Field(
        description="Types that nodes had once, and what they are called now."
    )


class Fix(Answer):
    """What mends a mistake."""

    value: str
    text: str
    of: Literal["value", "property", "type"] = Field(
        description="What is to be another: a value, the name of a property, a node's type."
    )


class PlacedProblem(ProblemAnswer):
    """A mistake, with what it is about in the document where that is known."""

    level: Literal["error", "warning", "note"]
    node: str = Field(default="", description="The id of the node that it is about.")
    property: str = ""
    edge: int = Field(default=0, description="The number of the edge that it is about.")
    fix: Fix | None = Field(default=None, description="A near miss: what the value should be.")


class NodeCheck(Answer):
    """What is known of a node before the run."""

    key: str | None = Field(
        description="Names the result that its values give; null where a run has to show it."
    )
    state: Literal["known", "missing", "volatile", "unneeded", "broken"]
    reason: str = Field(description="Why it is not known.")
    ports: Ports | None = Field(default=None, description="Of a node that takes any properties.")


class CheckAnswer(Answer):
    """Every mistake in a workflow, and what a run would compute."""

    problems: list[PlacedProblem]
    notes: list[PlacedProblem]
    nodes: dict[str, NodeCheck] = Field(description="By id.")
    will_run: int = Field(description="Nodes that would be computed.")
    total: int = Field(description="Nodes that a run looks at.")


class ResultAnswer(Answer):
    """The result that a key names."""

    outputs: dict[str, object] = Field(
        description=(
            "Values by output name. An image is an object with `type`, `url`, `width` and"
            " `height`; the address takes `?side=256`."
        )
    )
    left_out: dict[str, int] = Field(
        description="How many items of a list are not among the outputs, by output name."
    )


class ImportedNode(Answer):
    """What became of a node of another tool's file."""

    node: str = Field(description="As notes name it.")
    fate: Literal["same", "other form", "approximated", "lost"]
    nodes: list[str] = Field(description="Ids of the nodes that were made of it.")
    messages: list[str]


class ReadAnswer(Answer):
    """What a file is that somebody dropped."""

    kind: Literal["workflow", "comfyui", "image", "unknown"] = Field(
        description="`comfyui` is every file of another tool."
    )
    document: dict[str, object] | None = Field(default=None, description="The workflow in it.")
    notes: list[ProblemAnswer] = Field(default=[], description="What an import has to say.")
    grade: Literal["whole", "with notes", "with losses"] | None = Field(
        default=None, description="How much of another tool's file the workflow keeps."
    )
    report: list[ImportedNode] = Field(
        default=[], description="What became of each node of another tool's file."
    )
    upload: FileAnswer | None = Field(default=None, description="The image, which is kept.")


class Position(Answer):
    """Where a node goes."""

    x: float
    y: float


class LayoutAnswer(Answer):
    """Where the nodes of a graph go."""

    positions: dict[str, Position] = Field(description="By id.")


class SavedAnswer(Answer):
    """A workflow's file as it is now."""

    etag: str
    problems: list[PlacedProblem]


class MovedAnswer(Answer):
    """A workflow's file under its new name."""

    etag: str


class DraftAnswer(Answer):
    """What has not been saved."""

    document: dict[str, object]
    etag: str = Field(description="Of the file that it was begun from; empty for a new one.")
    saved: float = Field(description="Unix time in seconds.")


class VersionInfo(Answer):
    """What a file held once."""

    id: str
    saved: float = Field(description="Unix time in seconds.")
    bytes: int


class VersionsAnswer(Answer):
    """What a workflow's file held before, the newest first."""

    versions: list[VersionInfo]


class PathChange(Answer):
    """A relative path that leads to the same file from another folder."""

    node: int = Field(description="The place of the node's record in the request.")
    place: list[str | int] = Field(description="Where the value is below that record.")
    value: str


class RelocateAnswer(Answer):
    """The paths that change."""

    changes: list[PathChange]


class FileEntry(Answer):
    """A file of a folder."""

    name: str
    size: int = Field(description="Bytes.")
    modified: float = Field(description="Unix time in seconds.")


class PlacesAnswer(Answer):
    """What lies in a folder below that of the workflows."""

    path: str = Field(description="From that folder; empty for itself.")
    parent: str | None
    folders: list[str]
    files: list[FileEntry]
    left_out: int = Field(description="Entries beyond those that are listed.")


class LocalModelAnswer(Answer):
    """A model on this machine."""

    id: str
    tasks: list[str]
    on_disk: bool = Field(description="Whether nothing lacks of it.")
    gaps: list[str] = Field(description="What lacks of it, a sentence each.")
    loaded: bool
    devices: list[str] = Field(description="Where its weights are loaded.")
    used: float | None = Field(
        description="When its weights were last read: a Unix time in seconds; null for never."
    )
    size: int = Field(description="Bytes.")
    family: str
    licence: str
    ships: bool = Field(description="Whether it came with a pack: then it can't be removed.")
    used_by: list[str] = Field(description="Workflows of the folder that name it.")


class LocalModelsAnswer(Answer):
    """The models on this machine."""

    models: list[LocalModelAnswer]


class PullAnswer(Answer):
    """A model that is being fetched."""

    id: str


class RemovedModel(Answer):
    """A model that was removed."""

    id: str
    bytes: int = Field(description="What that has freed.")
