"""What a call changes in a module is put back, and what others changed before it stays (M2)."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING

import pytest
import torch

from nodetool_core.models.residency.module_state import ModuleState, in_call

if TYPE_CHECKING:
    from collections.abc import Callable


class Block(torch.nn.Module):
    """A module with all that holds state: children, tensors, a list, a set, a mapping, flags."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(2, 2, 3)
        self.norm = torch.nn.BatchNorm1d(4)
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.SiLU())
        self.cached: list[object] = []
        self.tiles = {"width": 8}
        self.names = {"a", "b"}
        self.gradient_checkpointing = False


def _ignored(*_: object) -> None:
    return None


CHANGES: dict[str, Callable[[Block], object]] = {
    "hook before": lambda block: block.layers[0].register_forward_pre_hook(_ignored),
    "hook after": lambda block: block.register_forward_hook(_ignored),
    "hook on state": lambda block: block.norm.register_load_state_dict_post_hook(_ignored),
    "flag": lambda block: setattr(block.convolution, "padding_mode", "circular"),
    "new attribute": lambda block: setattr(block.layers[1], "forward", _ignored),
    "lost attribute": lambda block: vars(block).pop("gradient_checkpointing", None),
    "child replaced": lambda block: setattr(block, "norm", torch.nn.Identity()),
    "child inserted": lambda block: block.layers.append(torch.nn.Linear(4, 4)),
    "weight replaced": lambda block: setattr(
        block.convolution, "weight", torch.nn.Parameter(torch.zeros(2, 2, 3, 3))
    ),
    "container replaced": lambda block: setattr(block, "_forward_hooks", OrderedDict()),
    "list": lambda block: block.cached.append(None),
    "mapping": lambda block: block.tiles.update(width=16),
    "set": lambda block: block.names.discard("a"),
    "number format": lambda block: block.half(),
    "data": lambda block: setattr(block.layers[0].weight, "data", torch.ones(4, 4)),
    "mode": lambda block: block.train(not block.training),
}


def described(module: torch.nn.Module) -> list[object]:
    """Return what a module is like, to the last attribute."""
    found: list[object] = []
    for place, inner in module.named_modules():
        for name, value in vars(inner).items():
            held = (
                list(value.items())
                if isinstance(value, dict)
                else sorted(value)
                if isinstance(value, set)
                else list(value)
                if isinstance(value, list)
                else value
            )
            found.append((place, name, id(value), repr(held)))
    found += [
        (name, id(tensor), tensor.dtype, tensor.data_ptr(), tensor.flatten().tolist())
        for name, tensor in module.state_dict(keep_vars=True).items()
    ]
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_m2_each_change_of_a_call_is_put_back(change: str) -> None:
    block = Block()
    state = ModuleState(block)
    for _ in range(2):
        before = described(block)
        with in_call([state]):
            CHANGES[change](block)
            assert described(block) != before
        assert described(block) == before


@pytest.mark.parametrize("seed", range(40))
def test_m2_what_others_changed_between_calls_stays_and_what_calls_changed_goes(seed: int) -> None:
    chosen = random.Random(seed)
    block = Block()
    state = ModuleState(block)
    for _ in range(6):
        for change in chosen.choices(list(CHANGES), k=chosen.randint(0, 2)):
            CHANGES[change](block)
        before = described(block)
        with in_call([state]):
            for change in chosen.choices(list(CHANGES), k=chosen.randint(0, 4)):
                CHANGES[change](block)
        assert described(block) == before


def test_m2_the_last_of_calls_at_the_same_time_puts_back() -> None:
    block = Block()
    state = ModuleState(block)
    before = described(block)
    with in_call([state]):
        with in_call([state]):
            block.half()
            block.register_forward_hook(_ignored)
        assert described(block) != before
    assert described(block) == before
