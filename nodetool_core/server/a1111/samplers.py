"""Samplers and schedules as the web UI's API lists them, and takes them."""

from __future__ import annotations

from nodetool_core.errors import near_miss
from nodetool_core.importing.samplers import KARRAS, SAMPLERS, SCHEDULES, scheduler_named
from nodetool_core.json_types import JsonObject
from nodetool_core.server.http.http_errors import HttpError, wrong


def scheduler_of(sampler: str, schedule: str) -> tuple[str, list[str]]:
    """
    Return our scheduler for a sampler and a schedule, and notes on what it does not do.

    Args:
        schedule: `automatic` where it is empty. Old names of samplers end in it.

    Raises HttpError 404 for a sampler that is not listed.
    """
    found = scheduler_named(sampler, schedule)
    if found is None:
        raise _unknown(sampler)
    scheduler, note = found
    return scheduler, [note] if note else []


def _unknown(sampler: str) -> HttpError:
    hint = near_miss(sampler, SAMPLERS) or "GET /sdapi/v1/samplers lists those there are."
    return wrong(
        404, "unknown_sampler", "sampler_name", f"Sampler not found: {sampler[:80]!r}.", hint
    )


def sampler_list() -> list[JsonObject]:
    """Return the answer of `/samplers`."""
    return [
        {
            "name": name,
            "aliases": list(one.aliases),
            "options": {"scheduler": KARRAS} if one.is_karras else {},
        }
        for name, one in SAMPLERS.items()
    ]


def schedule_list() -> list[JsonObject]:
    """Return the answer of `/schedulers`."""
    return [
        {
            "name": name,
            "label": label,
            "aliases": None,
            "default_rho": 7.0 if name == KARRAS else -1.0,
            "need_inner_model": name == "uniform",
        }
        for name, label in SCHEDULES.items()
    ]
