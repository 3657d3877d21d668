"""What our own API takes and gives, as pydantic classes: the OpenAPI document is made from them."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nodetool_core.errors import Problem
from nodetool_core.jobs.job import Job
from nodetool_core.server.http.http_errors import public

_strict = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class RunRequest(BaseModel):
    """What is to be run, and how."""

    model_config = _strict | ConfigDict(
        json_schema_extra={
            "examples": [
                {"inputs": {"prompt": "a winter night"}},
                {"inputs": {}, "wait": False, "priority": 5},
            ]
        }
    )

    inputs: dict[str, Any] = Field(
        default_factory=dict,
        description=(
            "Values by input name. An image is a data: URI, an http(s) address, or an object with"
            " the `asset_id` of a stored one."
        ),
    )
    wait: bool = Field(
        default=True, description="Whether the answer is the result; else it is 202 with a job."
    )
    outputs: list[str] | None = Field(
        default=None,
        max_length=100,
        description="Names of the outputs that are wanted; all unless given.",
    )
    use_cache: bool = Field(
        default=True,
        description="Whether results that are known may be taken instead of being computed.",
    )
    image_format: Literal["PNG", "JPEG", "WEBP"] = Field(
        default="PNG", description="The format of result images."
    )
    inline: bool = Field(
        default=False,
        description=(
            "With `wait`: whether images are in the answer, as base64 in `data`, instead of being"
            " kept and named by `url`."
        ),
    )
    previews: bool = Field(
        default=False,
        description="Of a job: whether `GET /v1/events` shows images of each step.",
    )
    priority: int = Field(
        default=0, ge=-100, le=100, description="Jobs of higher priority go first."
    )
    deadline_seconds: float | None = Field(
        default=None, gt=0, le=10**7, description="A job that has not ended by then expires."
    )
    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description=(
            "With `wait` false: a second request with the same key gets the first one's job."
        ),
    )

    @model_validator(mode="after")
    def _inline_is_waited_for(self) -> Self:
        if self.inline and not self.wait:
            raise ValueError(
                "`inline` only goes together with `wait`: the results of a job are kept"
            )
        return self


class WorkflowRunRequest(RunRequest):
    """A client's own workflow, and how it is to be run."""

    workflow: dict[str, Any] = Field(description="The workflow, in the form of its file.")


class RunAnswer(BaseModel):
    """The result of a run that was waited for."""

    outputs: dict[str, Any] = Field(
        description=(
            "Values by output name; images as files with a `url`, or with `inline` as base64 in"
            " `data`."
        )
    )
    seconds: float
    seeds: dict[str, dict[str, int]] = Field(
        description="The seeds that were used, by node and property."
    )
    warnings: list[str] = Field(description="What was not done as requested.")
    computed: int = Field(description="Nodes that were computed.")
    cached: int = Field(description="Nodes whose results were known.")


class ProblemAnswer(BaseModel):
    """One thing that is wrong."""

    code: str
    where: str
    message: str
    hint: str

    @classmethod
    def of(cls, problem: Problem) -> ProblemAnswer:
        return cls(
            code=problem.code, where=problem.where, message=problem.message, hint=problem.hint
        )


class JobAnswer(BaseModel):
    """A job as it is now. Times are Unix times in seconds."""

    id: str
    workflow: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "expired"]
    priority: int
    created: float
    started: float | None
    ended: float | None
    deadline: float | None
    attempts: int = Field(
        description="How often it was begun: more than once where a worker was lost."
    )
    cancel_requested: bool
    retry_of: str | None
    idempotency_key: str | None
    label: str = Field(default="", description="What the owner of the server calls it.")
    kept: bool = Field(default=False, description="Whether it stays however old it is.")
    prompts: list[str] = Field(
        default=[], description="The prompts of a workflow that the owner of the server has run."
    )
    problems: list[ProblemAnswer] = Field(description="Why it did not end well.")
    report: dict[str, Any] = Field(description="How the run went: seeds, warnings, seconds.")
    outputs: dict[str, Any] = Field(description="Results by output name, once it has ended.")

    @classmethod
    def of(cls, job: Job, outputs: dict[str, Any]) -> JobAnswer:
        problems = [ProblemAnswer.of(public(problem)) for problem in job.problems]
        fields = {
            name: getattr(job, name)
            for name in cls.model_fields
            if name not in ("state", "problems", "report", "outputs", "label", "kept", "prompts")
        }
        report = {name: value for name, value in job.report.items() if name != "models"}
        return cls(
            **fields,
            state=job.state.value,
            label=str(job.note.get("label", "")),
            kept=job.note.get("kept") is True,
            prompts=prompts if isinstance(prompts := job.note.get("prompts"), list) else [],
            problems=problems,
            report=report,
            outputs=outputs,
        )


class JobsAnswer(BaseModel):
    """A page of jobs, the newest first."""

    jobs: list[JobAnswer]
    next: str | None = Field(
        description="Give it as `before` to get the next page; null on the last one."
    )


class FormRow(BaseModel):
    """A field of a workflow's form, as its document wants it."""

    name: str = Field(description="Of the input.")
    label: str = ""
    group: str = Field(default="", description="The heading above it.")
    more: bool = Field(default=False, description="Whether it is shown on request alone.")
    widget: str = Field(default="", description="Another field, such as `multiline` or `number`.")


class WorkflowAnswer(BaseModel):
    """A workflow that is served."""

    name: str
    title: str
    description: str
    task: Literal["image-to-image", "text-to-image"] | None = Field(
        description="What the Hugging Face API can use it for, if anything."
    )
    inputs: dict[str, Any] = Field(description="JSON Schema of the inputs.")
    outputs: dict[str, Any] = Field(description="JSON Schema of the outputs.")
    form: list[FormRow] = Field(
        default=[], description="How its form is arranged, where its document says so."
    )
    modified: float = Field(
        default=0.0, description="When its file was changed last, Unix time in seconds; 0 for none."
    )
    thumbnail: str | None = Field(
        default=None, description="Where its example image is, on this server; null without one."
    )


class WorkflowsAnswer(BaseModel):
    """Everything that is served."""

    workflows: list[WorkflowAnswer]
    problems: dict[str, list[ProblemAnswer]] = Field(
        description="Workflows that could not be read, and why."
    )


class ModelAnswer(BaseModel):
    """A model that clients may name."""

    id: str
    tasks: list[str]
    loaded: bool


class ModelObject(BaseModel):
    """A name that clients of the OpenAI API may give."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "nodetool"


class ModelsAnswer(BaseModel):
    """The models that clients may name; `object` and `data` are for clients of the OpenAI API."""

    models: list[ModelAnswer]
    object: Literal["list"] = "list"
    data: list[ModelObject]


class FreeAnswer(BaseModel):
    """What was let go of."""

    freed_bytes: int
