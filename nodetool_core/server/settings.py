"""
How a server is set up: one class, from which the table in docs/serving.md is made.

A value is looked for on the command line, then in the environment (`NODETOOL_SERVE_` and the name
in capitals), then in the configuration file (TOML, the same names), and then is the default.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from nodetool_core.server.security.urls import (
    bound_host,
    read_allowed,
    read_authority,
    read_url,
)
from nodetool_core.server.settings_sources import (
    ENVIRONMENT_PREFIX,
    SettingsError,
    invalid_settings,
    read_file,
    unknown_variables,
)

_TOKEN: Final = re.compile(r"[!-~]+")
MIB = 1024 * 1024

Names = Annotated[tuple[str, ...], NoDecode]
"""Several names; one text with commas in the environment."""


DialectName = Literal[
    "openai", "a1111", "mcp", "comfyui", "replicate", "huggingface", "qolaba", "nodetool"
]

_HOST_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "host": bound_host,
    "public_url": read_url,
    "allowed_hosts": read_allowed,
    "image_hosts": read_authority,
    "webhook_hosts": read_authority,
}
"""What raises ValueError for a value, or one of several, that is no host."""


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True)

    graphs: Path = Field(
        default=Path("graphs"),
        description="Folder of the workflows; each file is served under its name.",
    )
    models: Names = Field(
        default=("nodetool/tiny-landscapes",),
        description=(
            "Models that clients may name: Hub ids, or folders on this machine. Each is served"
            " under its id."
        ),
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=8188, ge=0, le=65535, description="Port to listen on; 0 for any free one."
    )
    token: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="Bearer token that clients must send; several with commas between."
    )
    owner_token: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description=(
            "Token that opens the editor to the operator, with all rights to workflows and runs;"
            " nobody has them where empty."
        ),
    )
    insecure_without_token: bool = Field(
        default=False, description="Listen on another address than loopback without a token."
    )
    public_url: str = Field(
        default="",
        description=(
            "Address under which clients see the server, for links in answers; its pages may ask."
        ),
    )
    allowed_hosts: Names = Field(
        default=(),
        description=(
            "Further hosts that the server answers for: `name`, `name:port`, `*.name`; `*` for"
            " every one, where a token is set."
        ),
    )

    data: Path = Field(
        default=Path("nodetool-data"), description="Folder for uploads, jobs and results."
    )
    database: str = Field(
        default="",
        description=(
            "Where jobs are recorded, as an SQLAlchemy URL; a SQLite file in `data` where empty."
        ),
    )
    broker: str = Field(
        default="",
        description=(
            "Redis URL, where `nodetool worker` processes run the jobs; in this process where"
            " empty."
        ),
    )
    results: str = Field(
        default="",
        description=(
            "Where results of jobs are kept: a folder, or a URL such as s3://…; in `data` where"
            " empty."
        ),
    )
    results_seconds: float = Field(
        default=86_400, gt=0, description="How long results of jobs and uploads are kept."
    )

    data_bytes: int = Field(
        default=10 * 1024 * MIB,
        ge=0,
        description=(
            "Most bytes of uploads and results; beyond, those go that were used longest ago and no"
            " job needs. 0 for any number."
        ),
    )
    spare_bytes: int = Field(
        default=512 * MIB,
        ge=0,
        description=(
            "Bytes that uploads and results leave free on the disk; more are answered with 507."
        ),
    )

    dialects: Annotated[tuple[DialectName, ...], NoDecode] = Field(
        default=get_args(DialectName),
        description=(
            "Dialects of the server; those that are left out are switched off. `nodetool` is our"
            " own API under /v1."
        ),
    )
    client_workflows: bool = Field(
        default=False,
        description=(
            "Whether clients may send workflows of their own, to POST /v1/runs, and graphs of"
            " ComfyUI."
        ),
    )
    max_body_bytes: int = Field(default=32 * MIB, ge=1024, description="Largest request body.")
    max_pixels: int = Field(
        default=40_000_000, ge=1, description="Most pixels of an image that is decoded."
    )
    decoded_bytes: int = Field(
        default=1024 * MIB,
        ge=1024 * 1024,
        description=(
            "Most bytes of decoded images of all runs under way; those that wait stay encoded. One"
            " request with more gets 413."
        ),
    )
    image_hosts: Names = Field(
        default=(),
        description=(
            "Hosts (`name` or `name:port`) that images are fetched from though their address is not"
            " public."
        ),
    )
    webhook_hosts: Names = Field(
        default=(),
        description=(
            "Hosts (`name` or `name:port`) that webhooks are sent to though their address is not"
            " public."
        ),
    )
    fetch_seconds: float = Field(
        default=20.0, gt=0, description="How long fetching an image from the web may take."
    )

    concurrency: int = Field(
        default=4,
        ge=1,
        description=(
            "Runs under way at once; a device takes one call of a model at a time, a processor"
            " `calls`."
        ),
    )
    queue: int = Field(
        default=64,
        ge=0,
        description="Requests that may wait for their run; more are answered with 429.",
    )
    run_seconds: float = Field(
        default=600.0,
        gt=0,
        description="How long a request waits for its run, which is then cancelled.",
    )
    job_workers: int = Field(
        default=1,
        ge=0,
        description="Jobs that this process runs at once; 0 leaves them to `nodetool worker`.",
    )
    job_queue: int = Field(
        default=1000, ge=1, description="Jobs that may wait; more are answered with 429."
    )
    device: str = Field(
        default="",
        description=(
            "Where models run: `cuda`, `cuda:0,cuda:1`, `cpu`; the best there is where empty."
        ),
    )
    device_memory: str = Field(
        default="auto",
        description="Memory of each device for weights and working memory: `auto`, or `12GB`.",
    )
    host_memory: str = Field(
        default="auto",
        description="Host memory for weights that are not on a device: `auto`, or `32GB`.",
    )
    models_dir: Names = Field(
        default=(),
        description=(
            "Folders of models as ComfyUI or A1111 have them, or `extra_model_paths.yaml`: names of"
            " files in them are found, and clients may name LoRAs and embeddings in them; with"
            " `client_workflows`, all that is in them."
        ),
    )
    idle_seconds: float = Field(
        default=0.0,
        ge=0,
        description="Seconds without a use after which weights are evicted; 0 keeps them.",
    )
    calls: int = Field(
        default=0,
        ge=0,
        le=64,
        description=(
            "Calls of models at once on a processor; 0 for its cores over torch's threads"
            " (`OMP_NUM_THREADS`)."
        ),
    )
    batch: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Equal calls of a model that are done as one; 1 does each alone, bit for bit.",
    )
    preload: bool = Field(
        default=True,
        description=(
            "Load the first of `models` when the server starts; it is not ready until then, for"
            " `load_seconds`."
        ),
    )
    load_patience: float = Field(
        default=5.0, ge=0, description="Seconds that a request waits for its model before 503."
    )
    load_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Seconds that a request with `x-wait-for-model` waits for its model.",
    )
    cache_bytes: int = Field(
        default=256 * MIB,
        ge=0,
        description="Most bytes of answers kept for repeated requests; 0 keeps none.",
    )
    result_bytes: int = Field(
        default=512 * MIB,
        ge=0,
        description="Most bytes of nodes' results kept in memory, besides those on disk.",
    )
    cache_seconds: float = Field(
        default=3600.0, gt=0, description="How long an answer is kept for repeated requests."
    )
    connections: int = Field(
        default=500,
        ge=1,
        description="Connections open at once; further ones are answered with 503 and closed.",
    )
    head_seconds: float = Field(
        default=20.0, gt=0, description="How long the head of a request may take."
    )
    body_seconds: float = Field(
        default=30.0,
        gt=0,
        description=(
            "How long a body may come in slower than 4 KiB/s, and an answer wait for its reader."
        ),
    )
    client_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description=(
            "How much of `queue` and `job_queue` one client may fill, where there are several"
            " tokens."
        ),
    )
    rate: float = Field(
        default=0.0,
        ge=0,
        description="Requests per second and client (token, else address); 0 for no limit.",
    )
    burst: int = Field(
        default=20,
        ge=1,
        description="Requests that a client may send at once before `rate` counts.",
    )
    provenance: bool = Field(
        default=False,
        description="Whether images in answers say what made them: workflow, seeds, paths.",
    )

    qolaba_apps: Path | None = Field(
        default=None,
        description="JSON file: Qolaba app ids and the workflow or model of each.",
    )
    openai_models: Mapping[str, Names] = Field(
        default={},
        description=(
            "What serves a name that clients of the OpenAI API give, such as `gpt-image-1`: names"
            " of workflows or models, of which the first is taken that can do what is asked; `*`"
            " for all other names. A table in the file, JSON in the environment."
        ),
    )
    drain_seconds: float = Field(
        default=30.0, ge=0, description="How long requests under way may take after SIGTERM."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged."
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="One JSON object a line, or text for people."
    )

    @field_validator(
        "models",
        "models_dir",
        "image_hosts",
        "webhook_hosts",
        "allowed_hosts",
        "token",
        "owner_token",
        "dialects",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("openai_models", mode="before")
    @classmethod
    def _split_each(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {name: cls._split(names) for name, names in value.items()}

    @field_validator("host", "public_url", "allowed_hosts", "image_hosts", "webhook_hosts")
    @classmethod
    def _check_hosts(cls, value: Any, info: ValidationInfo) -> Any:
        for text in (value,) if isinstance(value, str) else value:
            if text:
                _HOST_READERS[info.field_name or ""](text)
        return value

    @field_validator("token", "owner_token", mode="before")
    @classmethod
    def _check_token(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip(" ,"):
            raise ValueError("A token was given, and is empty: leave it out where none is needed")
        return value

    @field_validator("token", "owner_token")
    @classmethod
    def _check_tokens(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_TOKEN.fullmatch(token.get_secret_value()) for token in value):
            raise ValueError(
                "A token may hold letters, digits and signs of ASCII, and no blanks: no header"
                " carries others"
            )
        return value

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that are accepted; none where everybody may ask."""
        return tuple(token.get_secret_value() for token in self.token)

    @property
    def owner_tokens(self) -> tuple[str, ...]:
        """The tokens that open the editor."""
        return tuple(token.get_secret_value() for token in self.owner_token)

    @property
    def jobs_database(self) -> str:
        """Where jobs are recorded: a URL, or the path of a SQLite file."""
        return self.database or str(self.data / "jobs.sqlite")

    @property
    def jobs_storage(self) -> str:
        """Where the files of jobs lie: a URL or a folder."""
        return self.results or str(self.data / "files")

    @classmethod
    def read(cls, file: Path | None = None, **given: Any) -> Self:
        """
        Return the settings from a file, the environment and what is given here.

        The last counts most.

        Raises SettingsError with everything that is wrong.
        """

        if problems := unknown_variables(os.environ, cls.model_fields):
            raise SettingsError(problems)
        said = {} if file is None else read_file(file)

        class WithFile(cls):  # type: ignore[valid-type, misc]
            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                **unused: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return (
                    init_settings,
                    env_settings,
                    InitSettingsSource(settings_cls, init_kwargs=said),
                )

        try:
            found = WithFile(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise SettingsError(invalid_settings(error, cls.model_fields)) from None
        return cls.model_construct(**dict(found))

    def share_of(self, queue: int) -> int:
        """Return how much of a queue one client may fill: all of it where there is but one."""
        return math.ceil(queue * self.client_share) if len(self.tokens) > 1 else queue
