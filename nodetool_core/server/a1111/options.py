"""
Options, which the web UI has once for everybody. Here each client has its own.

`override_settings` of a request change them for that request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from nodetool_core.json_types import Json, JsonObject
from nodetool_core.server.http.json_body import checked, without_nulls

_CLIENTS: Final = 10_000
"""Clients whose options are kept; those that came first are forgotten."""

_THEIR_DEFAULTS: Final[Mapping[str, tuple[Json, ...]]] = {
    "sd_vae": ("Automatic", "None", ""),
}
"""Options that change nothing here, with the values that ask for nothing."""


class Options(BaseModel):
    """The options that there are."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    sd_model_checkpoint: str = Field(
        default="", max_length=500, description="A title that /sd-models lists."
    )
    CLIP_stop_at_last_layers: int = Field(
        default=1,
        ge=0,
        le=12,
        description="Which layer of the text encoder counts, from the last one, which is 1.",
    )
    samples_format: Literal["png", "jpg", "jpeg", "webp"] = Field(
        default="png", description="What images are encoded as."
    )
    jpeg_quality: int = Field(default=80, ge=1, le=100, description="That of JPEG and WEBP.")
    enable_pnginfo: bool = Field(
        default=True, description="Whether images hold the text that they are made with."
    )


class ClientOptions:
    """The options of each client. Its methods are called on the event loop's thread."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Options] = OrderedDict()

    def of(self, client: str) -> Options:
        """Return the options of a client."""
        return self._of.get(client, Options())

    def set(self, client: str, options: Options) -> None:
        """Keep the options of a client."""
        self._of[client] = options
        self._of.move_to_end(client)
        if len(self._of) > _CLIENTS:
            self._of.popitem(last=False)


def changed(options: Options, given: Mapping[str, object]) -> tuple[Options, list[str]]:
    """
    Return options with others of a client in their place, and notes on those that there are not.

    Raises HttpError 422 for values that do not fit.
    """
    known = {name: value for name, value in given.items() if name in Options.model_fields}
    notes = [
        f"the option {name[:80]} is not used here"
        for name, value in given.items()
        if name not in Options.model_fields
        and value is not None
        and value not in _THEIR_DEFAULTS.get(name, ())
    ]
    return checked(Options, without_nulls(options.model_dump() | without_nulls(known))), notes


def shown(options: Options, checkpoint: str) -> JsonObject:
    """Return the answer of `/options`, where a client has chosen a checkpoint or another stands."""
    found: JsonObject = options.model_dump() | {"sd_model_checkpoint": checkpoint}
    return found | {name: values[0] for name, values in _THEIR_DEFAULTS.items()}
