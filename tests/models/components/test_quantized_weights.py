"""
M7: weights that are wrappers of other tensors, as torchao's are.

They are counted, moved, shared and let go of like any others.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils._python_dispatch import return_and_correct_aliasing

from nodetool_core.models.diffusers import assembly
from nodetool_core.models.manager import ModelManager
from nodetool_core.models.residency.devices import Device
from nodetool_core.models.residency.replicas import clone_sharing_storage
from nodetool_core.models.residency.transfer import (
    ModuleCopier,
    is_wrapper,
    module_bytes,
    plain_parts,
    tensors,
)
from tests.nodes.huggingface.recorder import Recorder
from tests.nodes.huggingface.test_image_to_image import run

if TYPE_CHECKING:
    from collections.abc import Callable

KEEPS = {
    torch.ops.aten.detach.default,
    torch.ops.aten.clone.default,
    torch.ops.aten._to_copy.default,
    torch.ops.aten.alias.default,
}


class Int8Weight(torch.Tensor):
    """
    Weights in 8 bits with a scale for each row, in the manner of torchao.

    It has no memory of its own.
    """

    numbers: torch.Tensor
    scale: torch.Tensor

    @staticmethod
    def __new__(cls, numbers: torch.Tensor, scale: torch.Tensor) -> Any:
        return torch.Tensor._make_wrapper_subclass(
            cls, numbers.shape, dtype=scale.dtype, device=numbers.device
        )  # type: ignore[attr-defined]

    def __init__(self, numbers: torch.Tensor, scale: torch.Tensor) -> None:
        self.numbers, self.scale = numbers, scale

    @classmethod
    def of(cls, weight: torch.Tensor) -> Any:
        scale = weight.abs().amax(1, keepdim=True) / 127
        return cls((weight / scale).round().to(torch.int8), scale)

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["numbers", "scale"], None

    @classmethod
    def __tensor_unflatten__(
        cls, inner: dict[str, torch.Tensor], context: None, size: Any, stride: Any
    ) -> Any:
        return cls(inner["numbers"], inner["scale"])

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in KEEPS:
            made = cls(
                *(
                    function(part, *args[1:], **(kwargs or {}))
                    for part in (args[0].numbers, args[0].scale)
                )
            )
            return return_and_correct_aliasing(function, args, kwargs or {}, made)
        plain = [one.numbers * one.scale if isinstance(one, cls) else one for one in args]
        return function(*plain, **(kwargs or {}))


def quantize(module: torch.nn.Module) -> None:
    """Replace the weights of all linear layers."""
    for layer in module.modules():
        if type(layer) is torch.nn.Linear:
            layer.weight = torch.nn.Parameter(Int8Weight.of(layer.weight.data), requires_grad=False)


@pytest.fixture
def quantizing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every network read as a quantized repository has it."""
    read = assembly.read_component

    def read_quantized(*arguments: Any) -> Any:
        module = read(*arguments)
        quantize(module)
        return module

    monkeypatch.setattr(assembly, "read_component", read_quantized)


def linear() -> torch.nn.Module:
    """Two layers whose weights are tied, and one of the same shape that is not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = torch.nn.Sequential(*(torch.nn.Linear(6, 6) for _ in range(3)))
    quantize(module)
    module[1].weight = module[0].weight
    return module.requires_grad_(False)


def test_m7_bytes_are_those_of_what_a_wrapper_is_made_of() -> None:
    assert all(is_wrapper(layer.weight) for layer in linear())  # type: ignore[arg-type]
    assert module_bytes(linear()) == 2 * (6 * 6 + 6 * 4) + 3 * 6 * 4


def test_m7_wrappers_go_to_a_device_and_back() -> None:
    module, device = linear(), Device("cpu", torch.float32)
    before, seen = [id(one) for one in tensors(module)], module(torch.eye(6))
    places = {part.data_ptr() for one in tensors(module) for part in plain_parts(one)}
    host_copy = ModuleCopier().to_device(module, device, keep=True)
    assert host_copy is not None
    assert [id(one) for one in tensors(module)] == before, "who holds a parameter need not know"
    moved = {part.data_ptr() for one in tensors(module) for part in plain_parts(one)}
    assert places.isdisjoint(moved) and torch.equal(module(torch.eye(6)), seen)
    assert module[0].weight is module[1].weight and module_bytes(module) == module_bytes(linear())  # type: ignore[index]
    ModuleCopier().to_host(module, host_copy)
    assert {part.data_ptr() for one in tensors(module) for part in plain_parts(one)} == places
    assert torch.equal(module(torch.eye(6)), seen)
    other = clone_sharing_storage(module)
    assert {part.data_ptr() for one in tensors(other) for part in plain_parts(one)} == places
    ModuleCopier().discard(module)
    assert module_bytes(module) == 0 and torch.equal(other(torch.eye(6)), seen)


@pytest.mark.parametrize(
    ("budget", "host_budget"), [(2**30, 0), (1, 0), (1, 2**30), (300_000, 2**30)]
)
def test_m7_quantized_models_run_under_any_budget(
    budget: int, host_budget: int, quantizing: None, model: Callable[[str], str], tmp_path: Path
) -> None:
    names = [
        str(shutil.copytree(model(family), tmp_path / family))
        for family in ("stable_diffusion", "lcm")
    ]
    alone = {
        name: run(Recorder(ModelManager(device="cpu")), name, seed=1).tobytes() for name in names
    }
    models = ModelManager(device="cpu", budget=budget, host_budget=host_budget, calls=2)
    for name in (*names, *names):
        assert run(Recorder(models), name, seed=1).tobytes() == alone[name]
        with models.at(models.slots[1]):
            assert run(Recorder(models), name, seed=1).tobytes() == alone[name]
    assert models.runtime.store.used("cpu") <= budget
    models.free()
    assert models.runtime.store.components() == []
