"""Tiny models on disk, a manager over them, and contexts that record what a node reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from nodetool_core.models.manager import ModelManager
from tests.nodes.huggingface import tiny_adapters, tiny_pipelines
from tests.nodes.huggingface.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine two threads were found a hundred times slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """
    Return the directory of a tiny model, by the name of its builder; written when first asked for.
    """
    made: dict[str, Path] = {}

    def directory(name: str) -> str:
        if name not in made:
            made[name] = tiny_pipelines.save(
                tiny_pipelines.BUILDERS[name], tmp_path_factory.mktemp("models") / name
            )
        return str(made[name])

    return directory


@pytest.fixture(scope="session")
def manager() -> ModelManager:
    """Return a manager that keeps every tiny model loaded for all tests."""
    return ModelManager(device="cpu")


@pytest.fixture
def recorder(manager: ModelManager) -> Recorder:
    return Recorder(manager)


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Return the path of an adapter, by kind and family; written when first asked for."""
    made: dict[tuple[str, str], str] = {}

    def path(kind: str, family: str) -> str:
        if (kind, family) not in made:
            directory = tmp_path_factory.mktemp(f"{kind}_{family}")
            target = directory / "lora.safetensors" if kind == "lora" else directory
            made[kind, family] = getattr(tiny_adapters, f"save_{kind}")(family, target)
        return made[kind, family]

    return path
