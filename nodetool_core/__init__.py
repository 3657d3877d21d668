"""
A node-based workflow engine for image AI.

    from nodetool_core import Node, Field, Context, ImageRef, Workflow

Names are imported when first used, so that `import nodetool_core` costs little.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nodetool_core.api import RunResult, Workflow
    from nodetool_core.assets.image_data import ImageData
    from nodetool_core.context import Context, Sources
    from nodetool_core.engine.caching.disk import DiskCache
    from nodetool_core.engine.caching.memory import MemoryCache
    from nodetool_core.engine.default import close_default_engine, default_engine
    from nodetool_core.engine.engine import Engine
    from nodetool_core.engine.options import NodePolicy, RunOptions
    from nodetool_core.engine.result import RunError
    from nodetool_core.errors import NodeError, NodetoolError, RunCancelled, WorkflowError
    from nodetool_core.functions import node
    from nodetool_core.node_base import SKIPPED, Field, Lane, Node, Role
    from nodetool_core.own_types import JsonValue
    from nodetool_core.packs import Pack
    from nodetool_core.references import (
        ColorRef,
        FolderRef,
        FontRef,
        ImageRef,
        ImageSizeRef,
        ImageToImageModel,
        ModelRef,
    )
    from nodetool_core.registry import Registry
    from nodetool_core.type_forms import register_type

_HOME = {
    "close_default_engine": "engine.default",
    "ColorRef": "references",
    "Context": "context",
    "default_engine": "engine.default",
    "DiskCache": "engine.caching.disk",
    "Engine": "engine.engine",
    "Field": "node_base",
    "FolderRef": "references",
    "FontRef": "references",
    "ImageRef": "references",
    "ImageSizeRef": "references",
    "ImageToImageModel": "references",
    "JsonValue": "own_types",
    "register_type": "type_forms",
    "Lane": "node_base",
    "MemoryCache": "engine.caching.memory",
    "ModelRef": "references",
    "Node": "node_base",
    "node": "functions",
    "NodeError": "errors",
    "NodePolicy": "engine.options",
    "NodetoolError": "errors",
    "Pack": "packs",
    "ImageData": "assets.image_data",
    "Registry": "registry",
    "Role": "node_base",
    "RunCancelled": "errors",
    "RunError": "engine.result",
    "RunOptions": "engine.options",
    "RunResult": "api",
    "SKIPPED": "node_base",
    "Sources": "context",
    "Workflow": "api",
    "WorkflowError": "errors",
}

OWN_VARIABLES: Final = {
    # Torch's threads spin while they wait for one another. Where other programs need the cores,
    # that makes a second of work half a minute. It is read when torch is imported.
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""Variables of the environment that are set on import, where they are not set already."""

os.environ.update(OWN_VARIABLES | os.environ)

__version__ = "0.1.0"

DISTRIBUTION = "nodetool-imaging"
"""What the package index and pip call this project; there, `nodetool` is another one."""

__all__ = [
    "SKIPPED",
    "ColorRef",
    "Context",
    "DiskCache",
    "Engine",
    "Field",
    "FolderRef",
    "FontRef",
    "ImageData",
    "ImageRef",
    "ImageSizeRef",
    "ImageToImageModel",
    "JsonValue",
    "Lane",
    "MemoryCache",
    "ModelRef",
    "Node",
    "NodeError",
    "NodePolicy",
    "NodetoolError",
    "Pack",
    "Registry",
    "Role",
    "RunCancelled",
    "RunError",
    "RunOptions",
    "RunResult",
    "Sources",
    "Workflow",
    "WorkflowError",
    "close_default_engine",
    "default_engine",
    "node",
    "register_type",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
