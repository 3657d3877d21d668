"""
The engine that a command runs workflows on.

Every installed pack, results kept on disk from one command to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nodetool_core.cli.messages import WrongUseError
from nodetool_core.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from nodetool_core.context import Models
    from nodetool_core.engine.caching.tiered import TieredCache
    from nodetool_core.engine.engine import Engine


@contextmanager
def engine(models: Models | None = None, cache: TieredCache | None = None) -> Iterator[Engine]:
    """
    Yield an engine for the time of a command.

    What it has finished is on disk when the block ends, also after Ctrl-C.
    """
    from nodetool_core.engine.caching.tiered import default_cache
    from nodetool_core.engine.engine import Engine
    from nodetool_core.registry import Registry

    cache = cache or default_cache()
    try:
        with Engine(registry=Registry.installed(), models=models, cache=cache) as made:
            yield made
    finally:
        cache.close()


def models(
    device: str | None, device_memory: str, host_memory: str, folders: Sequence[Path] = ()
) -> Models | None:
    """
    Return a weights manager as the command line states; None where it states nothing.

    Raises WrongUseError for what is no device and no amount of memory, ModelError for what is no
    folder of models.
    """
    from nodetool_core.models.residency.devices import check_names, parse_bytes

    try:
        if device is not None:
            # Looked at here, because a run that finds everything in the cache needs no device.
            check_names(device, "--device")
        budget, host_budget = (
            parse_bytes(device_memory, "--device-memory"),
            parse_bytes(host_memory, "--host-memory"),
        )
    except ModelError as error:
        raise WrongUseError(error.problems) from None
    if device is None and budget is None and host_budget is None and not folders:
        return None
    from nodetool_core.models.manager import ModelManager
    from nodetool_core.models.sources.model_folders import ModelFolders
    from nodetool_core.registry import Registry

    return ModelManager(
        Registry.installed().weights(),
        device=device,
        budget=budget,
        host_budget=host_budget,
        folders=ModelFolders(folders),
    )
