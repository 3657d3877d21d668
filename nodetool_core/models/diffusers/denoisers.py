"""The class of the network that runs at each step, by the pipeline's class alone."""

from __future__ import annotations

import inspect
from functools import cache

from nodetool_core.models.libraries import import_libraries


@cache
def transformer_class(pipeline_class: type) -> type | None:
    """Return the class of a pipeline's transformer; None where it has none of one class."""
    import_libraries()
    import diffusers

    wanted = inspect.signature(pipeline_class).parameters.get("transformer")
    if wanted is None:
        return None
    kind = wanted.annotation
    found = getattr(diffusers, kind, None) if isinstance(kind, str) else kind
    return found if isinstance(found, type) else None
