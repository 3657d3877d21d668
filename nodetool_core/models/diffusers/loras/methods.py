"""
The methods of LoRAs and their relatives: from the tensors of a layer to the change of its weight.

Each row of the table names the tensors that a method needs, and the function that makes the change
of them. All compute in float32. `weight` is the layer's own; a change that does not depend on it
uses its shape alone, so that a tensor on torch's device `meta` will do.

The formulas are those of the papers, as LyCORIS (its `lycoris/modules`) and PEFT (its
`peft/tuners`) compute them; where the two store the same method in two ways, it has two rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

_MATRIX: Final = 2

_NEUMANN_TERMS: Final = 5
"""Terms of the series by which PEFT inverts, unless a file states another number."""


@dataclass(frozen=True, slots=True)
class Factors:
    """The tensors of a layer by role, in float32, and what the file states about them."""

    tensors: Mapping[str, torch.Tensor]
    scale: float
    """Alpha by rank."""
    alpha: float | None
    settings: Mapping[str, object]
    """Of `adapter_config.json`, or of the header."""

    def __getitem__(self, role: str) -> torch.Tensor:
        return self.tensors[role]

    def get(self, role: str) -> torch.Tensor | None:
        """Return the tensor of a role; None where the layer has none."""
        return self.tensors.get(role)


Change = Callable[[Factors, "torch.Tensor"], "torch.Tensor"]
"""Returns what is added to a weight, in its shape."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to store the change of a layer."""

    name: str
    needs: tuple[tuple[frozenset[str], ...], ...]
    """Roles: of each entry all of one alternative."""
    change: Change | None
    """Of the weight; None where it has none."""
    source: str
    """The paper."""
    takes: frozenset[str] = frozenset()
    """Further roles that it may have."""
    bias: Change | None = None
    """Of the bias; None where it has none."""
    ranks: tuple[str, ...] = ()
    """Roles whose number of rows is the rank; the first that a layer has counts."""
    reads_weight: bool = False
    """Whether the change depends on the weight, besides on its shape."""

    @property
    def roles(self) -> frozenset[str]:
        """All roles that it knows."""
        return self.takes.union(*(roles for entry in self.needs for roles in entry))

    @property
    def marks(self) -> frozenset[str]:
        """Roles that show that a layer is of this method."""
        return frozenset().union(*(roles for entry in self.needs for roles in entry))

    def missing(self, roles: frozenset[str]) -> list[str]:
        """Return the roles that a layer lacks; those of the alternative that is nearest."""
        found: list[str] = []
        for entry in self.needs:
            lacks = [sorted(alternative - roles) for alternative in entry]
            found += sorted(lacks, key=len)[0]
        return found


def _low_rank(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    import torch

    up, down, middle = factors["up"], factors["down"], factors.get("mid")
    if middle is None:
        return _shaped(up.flatten(1) @ down.flatten(1), weight) * factors.scale
    made = torch.einsum("ij...,pi,jr->pr...", middle, up.flatten(1), down.flatten(1))
    return _shaped(made, weight) * factors.scale


def _shaped(made: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return a change in the shape of its weight: kernels of convolutions may be stored flat."""
    if made.shape[0] != weight.shape[0]:
        raise RuntimeError("the number of outputs is another")
    return made.reshape(weight.shape)


def _generalized(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    """Add a product of small matrices, and the weight times another such product."""
    import torch

    wide, narrow = factors["a1"].flatten(1), factors["a2"].flatten(1)
    own = torch.einsum("oi...,ir,rj->oj...", weight, wide, narrow)
    added = factors["b1"].flatten(1) @ factors["b2"].flatten(1)
    return (_shaped(added, weight) + own) * factors.scale


def _embedding(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    made = factors["embedding_up"] @ factors["embedding_down"]
    return _shaped(made.T, weight) * factors.scale


def _hadamard(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    parts = []
    for number in "12":
        left, right = factors[f"hada_w{number}_a"], factors[f"hada_w{number}_b"]
        core = factors.get(f"hada_t{number}")
        parts.append(left @ right if core is None else _tucker(core, left, right))
    return _shaped(parts[0] * parts[1], weight) * factors.scale


def _kronecker(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    import torch

    left, right = (_kronecker_factor(factors, number) for number in "12")
    left = left.reshape(*left.shape, *(1,) * (right.ndim - left.ndim))
    return _shaped(torch.kron(left, right.contiguous()), weight) * factors.scale


def _kronecker_factor(factors: Factors, number: str) -> torch.Tensor:
    whole = factors.get(f"lokr_w{number}")
    if whole is not None:
        return whole
    left, right = factors[f"lokr_w{number}_a"], factors[f"lokr_w{number}_b"]
    core = factors.get(f"lokr_t{number}")
    return left @ right if core is None else _tucker(core, left, right)


def _tucker(core: torch.Tensor, out: torch.Tensor, into: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.einsum("ij...,ip,jr->pr...", core, out, into)


def _rotation(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    """Rotate the outputs of a layer, block by block."""
    import torch

    rotation = _cayley(factors["oft_blocks"], factors.alpha, weight.shape[0])
    count, size = rotation.shape[:2]
    blocks = weight.reshape(count, size, -1)
    turned = torch.einsum("knm,kno->kmo", rotation, blocks).reshape(weight.shape)
    return _rescaled(factors, turned) - weight


def _butterfly(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    """Rotate the outputs of a layer in rounds; each pairs outputs that lie further apart."""
    import torch

    rotations = _cayley(factors["boft_blocks"], factors.alpha, weight.shape[0])
    size = rotations.shape[-1]
    # Outputs last, as the rounds regroup them.
    turned = weight.reshape(weight.shape[0], -1).T
    for index, rotation in enumerate(rotations):
        apart = 2**index * (size // 2)
        paired = turned.reshape(len(turned), -1, 2, apart).transpose(-2, -1)
        blocks = paired.reshape(len(turned), len(rotation), size)
        paired = torch.einsum("bij,obj->obi", rotation, blocks).reshape(paired.shape)
        turned = paired.transpose(-2, -1).reshape(turned.shape)
    return _rescaled(factors, turned.T.reshape(weight.shape)) - weight


def _cayley(blocks: torch.Tensor, constraint: float | None, outputs: int) -> torch.Tensor:
    """Return the rotations that skew-symmetric matrices stand for, within a file's constraint."""
    import torch

    skew = blocks - blocks.transpose(-1, -2)
    most = (constraint or 0.0) * outputs
    if most > 0:
        skew = skew * (most / (torch.linalg.norm(skew) + 1e-8)).clamp(max=1.0)
    unit = torch.eye(blocks.shape[-1], device=blocks.device)
    rotations: torch.Tensor = (unit + skew) @ torch.linalg.inv(unit - skew)
    return rotations


def _rescaled(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    by = factors.get("rescale")
    return weight if by is None else weight * by.reshape(-1, *(1,) * (weight.ndim - 1))


def _rotation_of_inputs(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    """Rotate the inputs of a layer, block by block, as PEFT does."""
    import torch

    vectors, inputs = factors["oft_r"], math.prod(weight.shape[1:])
    size = (1 + math.isqrt(1 + 8 * vectors.shape[1])) // 2
    rows, columns = torch.triu_indices(size, size, 1, device=vectors.device)
    skew = vectors.new_zeros(len(vectors), size, size)
    skew[:, rows, columns] = vectors
    skew = skew - skew.transpose(-1, -2)
    unit = torch.eye(size, device=vectors.device)
    if factors.settings.get("use_cayley_neumann", True):
        turns = _neumann(skew, unit, factors.settings.get("num_cayley_neumann_terms"))
    else:
        turns = torch.linalg.solve(unit + skew, unit - skew, left=False)
    turns = turns.expand(inputs // size, size, size)
    blocks = weight.reshape(weight.shape[0], len(turns), size)
    return torch.einsum("ofc,fkc->ofk", blocks, turns).reshape(weight.shape) - weight


def _butterfly_of_inputs(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    """Rotate the inputs of a layer in rounds, and scale its outputs, as PEFT does."""
    import torch

    blocks = factors["boft_r"].reshape(-1, *factors["boft_r"].shape[-3:])
    skew = 0.5 * (blocks - blocks.transpose(-1, -2))
    unit = torch.eye(blocks.shape[-1], device=blocks.device)
    rotations = torch.linalg.solve(unit + skew, unit - skew, left=False)
    count, size = rotations.shape[1:3]
    turned = weight.reshape(weight.shape[0], -1)
    for index, rotation in enumerate(rotations):
        # Halves of blocks: of each group, those at even places, and then the others.
        order = torch.arange(turned.shape[1], device=weight.device)
        if len(rotations) > 1:
            halves = order.reshape(count // 2**index, 2**index, 2, size // 2)
            order = halves.transpose(1, 2).reshape(-1)
        # Rows of the permutation name where a column comes from; its transpose leads back.
        mixed = torch.empty_like(turned)
        mixed[:, order] = turned
        mixed = torch.einsum("nij,onj->oni", rotation, mixed.reshape(-1, count, size))
        turned = mixed.reshape(turned.shape)[:, order]
    scaled = turned * factors["boft_s"].reshape(-1, 1)
    return scaled.reshape(weight.shape) - weight


def _neumann(skew: torch.Tensor, unit: torch.Tensor, terms: object) -> torch.Tensor:
    """Return 1 + 2Q + 2Q² + … + Qⁿ, which PEFT takes for (1 + Q)(1 - Q)⁻¹."""
    count = terms if isinstance(terms, int) else _NEUMANN_TERMS
    last = max(count - 1, 3) if count > 2 else count - 1
    made = power = unit.expand(skew.shape)
    for exponent in range(1, last + 1):
        power = power @ skew
        made = made + (1 if exponent == last > 1 else 2) * power
    return made


def _difference(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    return _sole(factors, weight, "diff", "w_norm")


def _difference_of_bias(factors: Factors, bias: torch.Tensor) -> torch.Tensor:
    return _sole(factors, bias, "diff_b", "b_norm")


def _sole(factors: Factors, weight: torch.Tensor, *roles: str) -> torch.Tensor:
    found = [one for role in roles if (one := factors.get(role)) is not None]
    return found[0].reshape(weight.shape) if found else weight * 0


def _multiplied(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    """Multiply outputs or inputs, by the shape of the vector, as PEFT does."""
    vector = factors["ia3_l"]
    return weight * (_along(vector, 0 if _is_of_outputs(vector, weight) else 1, weight) - 1)


def _multiplied_bias(factors: Factors, bias: torch.Tensor) -> torch.Tensor:
    vector = factors["ia3_l"]
    if not _is_of_outputs(vector, bias):
        return bias * 0
    return bias * (vector.reshape(bias.shape) - 1)


def _is_of_outputs(vector: torch.Tensor, weight: torch.Tensor) -> bool:
    """
    Return whether a vector multiplies outputs.

    For a linear layer it is a column then, and else a row. For a convolution it looks the same.
    """
    is_row = vector.ndim == _MATRIX and vector.shape[0] == 1
    return not is_row and vector.numel() == weight.shape[0]


def _along(vector: torch.Tensor, axis: int, weight: torch.Tensor) -> torch.Tensor:
    """Return a vector so that it multiplies a weight along one of its axes."""
    return vector.reshape([-1 if place == axis else 1 for place in range(weight.ndim)])


def _added_share(factors: Factors, weight: torch.Tensor) -> torch.Tensor:
    """Multiply inputs or outputs by one more than a vector, as LyCORIS does."""
    vector, axis = factors["ia3_weight"], 1 if bool(factors["on_input"]) else 0
    return weight * _along(vector, axis, weight)


def _bias_of_up(factors: Factors, bias: torch.Tensor) -> torch.Tensor:
    added = factors.get("up_bias")
    return bias * 0 if added is None else added.reshape(bias.shape) * factors.scale


def decomposed(change: torch.Tensor, weight: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """
    Return the change of DoRA: of the length of each row or column besides its direction.

    Args:
        change: What the method of the file adds.
        weight: What it is added to.
        magnitude: Lengths of rows, or of columns where it has one row.
    """
    import torch

    merged = weight + change
    by_rows = magnitude.ndim == 1 or magnitude.shape[0] == weight.shape[0]
    shape = [-1 if axis == (0 if by_rows else 1) else 1 for axis in range(weight.ndim)]
    lengths = torch.linalg.vector_norm(
        merged, dim=[axis for axis, side in enumerate(shape) if side == 1], keepdim=True
    )
    made: torch.Tensor = merged * (magnitude.reshape(shape) / lengths.clamp(min=1e-8)) - weight
    return made


def _all_of(*roles: str) -> tuple[tuple[frozenset[str], ...], ...]:
    return ((frozenset(roles),),)


_MAGNITUDE: Final = "magnitude"

METHODS: Final = (
    Method(
        "LoRA, LoCon",
        _all_of("down", "up"),
        _low_rank,
        "https://arxiv.org/abs/2106.09685",
        frozenset({"mid", "up_bias", _MAGNITUDE}),
        _bias_of_up,
        ("down",),
    ),
    Method(
        "LoRA of an embedding",
        _all_of("embedding_down", "embedding_up"),
        _embedding,
        "https://arxiv.org/abs/2106.09685",
        ranks=("embedding_down",),
    ),
    Method(
        "LoHa",
        _all_of("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
        _hadamard,
        "https://arxiv.org/abs/2108.06098",
        frozenset({"hada_t1", "hada_t2", _MAGNITUDE}),
        ranks=("hada_w1_b",),
    ),
    Method(
        "LoKr",
        tuple(
            (
                frozenset({f"lokr_w{number}"}),
                frozenset({f"lokr_w{number}_a", f"lokr_w{number}_b"}),
            )
            for number in "12"
        ),
        _kronecker,
        "https://arxiv.org/abs/2309.14859",
        frozenset({"lokr_t1", "lokr_t2", _MAGNITUDE}),
        ranks=("lokr_w1_b", "lokr_w2_b"),
    ),
    Method(
        "GLoRA",
        _all_of("a1", "a2", "b1", "b2"),
        _generalized,
        "https://arxiv.org/abs/2306.07967",
        ranks=("a2",),
        reads_weight=True,
    ),
    Method(
        "OFT",
        _all_of("oft_blocks"),
        _rotation,
        "https://arxiv.org/abs/2306.07280",
        frozenset({"rescale"}),
        reads_weight=True,
    ),
    Method(
        "BOFT",
        _all_of("boft_blocks"),
        _butterfly,
        "https://arxiv.org/abs/2311.06243",
        frozenset({"rescale"}),
        reads_weight=True,
    ),
    Method(
        "OFT of PEFT",
        _all_of("oft_r"),
        _rotation_of_inputs,
        "https://arxiv.org/abs/2506.19847",
        reads_weight=True,
    ),
    Method(
        "BOFT of PEFT",
        _all_of("boft_r", "boft_s"),
        _butterfly_of_inputs,
        "https://arxiv.org/abs/2311.06243",
        reads_weight=True,
    ),
    Method(
        "full difference",
        (
            (
                frozenset({"diff"}),
                frozenset({"diff_b"}),
                frozenset({"w_norm"}),
                frozenset({"b_norm"}),
            ),
        ),
        _difference,
        "none: the weights of one model less those of another",
        bias=_difference_of_bias,
    ),
    Method(
        "IA³",
        _all_of("ia3_weight", "on_input"),
        _added_share,
        "https://arxiv.org/abs/2205.05638",
        reads_weight=True,
    ),
    Method(
        "IA³ of PEFT",
        _all_of("ia3_l"),
        _multiplied,
        "https://arxiv.org/abs/2205.05638",
        bias=_multiplied_bias,
        reads_weight=True,
    ),
)
"""All methods. DoRA (https://arxiv.org/abs/2402.09353) goes on top of what takes a magnitude."""
