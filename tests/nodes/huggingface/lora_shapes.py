"""
Every shape of LoRA that is read, as the tensors of a file and merged by hand.

Merging is NumPy's, written from the papers, and knows nothing of the product's code.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Made = tuple[dict[str, Array], Array]
"""The tensors of a layer by suffix, and its weight with them merged."""

RANK = 2


def _random(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def _share(change: Array, weight: Array) -> Array:
    """Return what brings a change to the size of the weights, so that images are no noise."""
    return np.float32(np.linalg.norm(weight) / np.linalg.norm(change))


def lora(rng: np.random.Generator, weight: Array) -> Made:
    out, rest = weight.shape[0], weight.shape[1:]
    down, up = _random(rng, RANK, *rest), _random(rng, out, RANK)
    up *= _share(up @ down.reshape(RANK, -1), weight)
    change = np.zeros_like(weight)
    for rank in range(RANK):
        change += np.multiply.outer(up[:, rank], down[rank])
    shaped = up.reshape(out, RANK, *(1,) * (weight.ndim - 2))
    tensors = {"lora_down.weight": down, "lora_up.weight": shaped, "alpha": np.float32(1)}
    return tensors, weight + change * (1 / RANK)


def lora_with_middle(rng: np.random.Generator, weight: Array) -> Made:
    out, into, *kernel = weight.shape
    down, up = _random(rng, RANK, into, 1, 1), _random(rng, out, RANK, 1, 1)
    middle = _random(rng, RANK, RANK, *kernel)
    change = np.zeros_like(weight)
    for i in range(RANK):
        for j in range(RANK):
            pair = np.outer(up[:, i, 0, 0], down[j, :, 0, 0])
            change += pair[:, :, None, None] * middle[i, j]
    by = _share(change, weight)
    tensors = {
        "lora_down.weight": down,
        "lora_up.weight": up * by,
        "lora_mid.weight": middle,
        "alpha": np.float32(2),
    }
    return tensors, weight + change * by


def loha(rng: np.random.Generator, weight: Array) -> Made:
    out, flat = weight.shape[0], int(np.prod(weight.shape[1:]))
    sides = [(_random(rng, out, RANK), _random(rng, RANK, flat)) for _ in range(2)]
    change = (sides[0][0] @ sides[0][1]) * (sides[1][0] @ sides[1][1])
    by = _share(change, weight)
    tensors = {
        "hada_w1_a": sides[0][0] * by,
        "hada_w1_b": sides[0][1],
        "hada_w2_a": sides[1][0],
        "hada_w2_b": sides[1][1],
        "alpha": np.float32(1),
    }
    return tensors, weight + (change * by / RANK).reshape(weight.shape)


def loha_with_core(rng: np.random.Generator, weight: Array) -> Made:
    out, into, *kernel = weight.shape
    tensors: dict[str, Array] = {"alpha": np.float32(RANK)}
    change = np.ones_like(weight)
    for number in (1, 2):
        left, right = _random(rng, RANK, out), _random(rng, RANK, into)
        core = _random(rng, RANK, RANK, *kernel)
        half = np.zeros_like(weight)
        for i in range(RANK):
            for j in range(RANK):
                half += np.outer(left[i], right[j])[:, :, None, None] * core[i, j]
        tensors |= {
            f"hada_w{number}_a": left,
            f"hada_w{number}_b": right,
            f"hada_t{number}": core,
        }
        change *= half
    by = _share(change, weight)
    tensors["hada_w1_a"] *= by
    return tensors, weight + change * by


def lokr(rng: np.random.Generator, weight: Array) -> Made:
    """With both factors whole, where alpha does not count."""
    out, into, *kernel = weight.shape
    left, right = _random(rng, 2, 4), _random(rng, out // 2, into // 4, *kernel)
    change = np.zeros_like(weight)
    rows, columns = right.shape[:2]
    for i in range(2):
        for j in range(4):
            block = (slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns))
            change[block] = left[i, j] * right
    by = _share(change, weight)
    tensors = {"lokr_w1": left * by, "lokr_w2": right, "alpha": np.float32(77)}
    return tensors, weight + change * by


def lokr_factored(rng: np.random.Generator, weight: Array) -> Made:
    out, into, *kernel = weight.shape
    flat = into // 2 * int(np.prod(kernel, dtype=int))
    left, a, b = _random(rng, 4, 2), _random(rng, out // 4, RANK), _random(rng, RANK, flat)
    change = np.kron(left, a @ b)
    by = _share(change, weight)
    tensors = {
        "lokr_w1": left * by,
        "lokr_w2_a": a,
        "lokr_w2_b": b,
        "alpha": np.float32(1),
    }
    return tensors, weight + (change * by / RANK).reshape(weight.shape)


def lokr_with_core(rng: np.random.Generator, weight: Array) -> Made:
    out, into, *kernel = weight.shape
    left, core = _random(rng, 2, 2), _random(rng, RANK, RANK, *kernel)
    a, b = _random(rng, RANK, out // 2), _random(rng, RANK, into // 2)
    right = np.zeros((out // 2, into // 2, *kernel), np.float32)
    for i in range(RANK):
        for j in range(RANK):
            right += np.outer(a[i], b[j])[:, :, None, None] * core[i, j]
    change = np.kron(left[:, :, None, None], right)
    by = _share(change, weight)
    tensors = {
        "lokr_w1": left * by,
        "lokr_w2_a": a,
        "lokr_w2_b": b,
        "lokr_t2": core,
        "alpha": np.float32(RANK),
    }
    return tensors, weight + change * by


def full(rng: np.random.Generator, weight: Array) -> Made:
    change = _random(rng, *weight.shape)
    change *= _share(change, weight)
    return {"diff": change}, weight + change


def dora(rng: np.random.Generator, weight: Array) -> Made:
    """With a length for each input, as kohya's scripts and LyCORIS store it by default."""
    tensors, merged = lora(rng, weight)
    lengths = np.sqrt((merged**2).sum(axis=tuple(a for a in range(weight.ndim) if a != 1)))
    wanted = np.abs(_random(rng, len(lengths))) + np.float32(0.5)
    shape = (1, -1, *(1,) * (weight.ndim - 2))
    tensors["dora_scale"] = wanted.reshape(shape)
    return tensors, merged * (wanted / lengths).reshape(shape)


def dora_of_rows(rng: np.random.Generator, weight: Array) -> Made:
    tensors, merged = lora(rng, weight)
    lengths = np.sqrt((merged.reshape(len(merged), -1) ** 2).sum(axis=1))
    wanted = np.abs(_random(rng, len(lengths))) + np.float32(0.5)
    shape = (-1, *(1,) * (weight.ndim - 1))
    tensors["dora_scale"] = wanted.reshape(shape)
    return tensors, merged * (wanted / lengths).reshape(shape)


def _cayley(blocks: Array) -> Array:
    unit = np.eye(blocks.shape[-1])
    found = [
        (unit + one - one.T) @ np.linalg.inv(unit - one + one.T)
        for one in blocks.reshape(-1, *blocks.shape[-2:]).astype(np.float64)
    ]
    return np.stack(found).reshape(blocks.shape)


def glora(rng: np.random.Generator, weight: Array) -> Made:
    """Add a product of small matrices, and one that the inputs pass through first."""
    out, into, *kernel = weight.shape
    point = (1,) * len(kernel)
    a1, a2 = _random(rng, into, RANK, *point), _random(rng, RANK, into, *point)
    b1, b2 = _random(rng, out, RANK, *point), _random(rng, RANK, into, *kernel)
    before = a1.reshape(into, RANK) @ a2.reshape(RANK, into)
    through = np.moveaxis(np.tensordot(weight, before, axes=(1, 0)), -1, 1)
    by = _share(through, weight)
    added = (b1.reshape(out, RANK) @ b2.reshape(RANK, -1)).reshape(weight.shape)
    tensors = {
        "a1.weight": a1 * by,
        "a2.weight": a2,
        "b1.weight": b1 * _share(added, weight),
        "b2.weight": b2,
        "alpha": np.float32(1),
    }
    return tensors, weight + (through * by + added * _share(added, weight)) / RANK


def oft(rng: np.random.Generator, weight: Array) -> Made:
    count = len(weight) // 4
    blocks, rescale = _random(rng, count, 4, 4), np.abs(_random(rng, len(weight))) + 1
    whole = np.zeros((len(weight), len(weight)))
    for index, turn in enumerate(_cayley(blocks)):
        whole[index * 4 : index * 4 + 4, index * 4 : index * 4 + 4] = turn.T
    merged = (whole @ weight.reshape(len(weight), -1)).reshape(weight.shape)
    shape = (-1, *(1,) * (weight.ndim - 1))
    tensors = {
        "oft_blocks": blocks,
        "rescale": rescale.reshape(shape),
        "alpha": np.float32(0),
    }
    return tensors, (merged * rescale.reshape(shape)).astype(np.float32)


def boft(rng: np.random.Generator, weight: Array) -> Made:
    """Turn outputs in two rounds, four at a time: neighbours, and then those that lie apart."""
    outputs, size, rounds = len(weight), 4, 2
    blocks = _random(rng, rounds, outputs // size, size, size)
    turned = weight.reshape(outputs, -1).astype(np.float64)
    for index, turns in enumerate(_cayley(blocks)):
        apart = 2**index * size // 2
        order = np.arange(outputs).reshape(-1, 2, apart).transpose(0, 2, 1).reshape(-1)
        mixed = turned[order]
        for number, turn in enumerate(turns):
            rows = slice(number * size, (number + 1) * size)
            mixed[rows] = turn @ mixed[rows]
        turned = np.empty_like(mixed)
        turned[order] = mixed
    return {"oft_blocks": blocks}, turned.reshape(weight.shape).astype(np.float32)


def boft_of_peft(rng: np.random.Generator, weight: Array) -> Made:
    """Turn inputs in two rounds by matrices of the whole size, as PEFT writes the method down."""
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    inputs, size, rounds = flat.shape[1], 4, 2
    blocks, lengths = _random(rng, rounds, inputs // size, size, size), _random(rng, len(flat), 1)
    whole = np.eye(inputs)
    for index, own in enumerate(blocks):
        turn = np.zeros((inputs, inputs))
        for number, block in enumerate(own):
            skew, unit = (block - block.T) / 2, np.eye(size)
            place = slice(number * size, (number + 1) * size)
            turn[place, place] = (unit - skew) @ np.linalg.inv(unit + skew)
        permutation = np.zeros((inputs, inputs))
        group, half = size * 2**index, size // 2
        for row in range(inputs):
            place, inside = divmod(row % group, half)
            evens = 2**index
            source = 2 * place if place < evens else 2 * (place - evens) + 1
            permutation[row, row // group * group + source * half + inside] = 1
        whole = permutation @ turn @ permutation.T @ whole
    merged = flat @ whole.T * lengths
    return {"boft_R": blocks, "boft_s": lengths}, merged.reshape(weight.shape).astype(np.float32)


def ia3(rng: np.random.Generator, weight: Array) -> Made:
    by = _random(rng, len(weight))
    merged = weight * (1 + by).reshape(-1, *(1,) * (weight.ndim - 1))
    return {"weight": by, "on_input": np.int64(0)}, merged


def ia3_of_inputs(rng: np.random.Generator, weight: Array) -> Made:
    by = _random(rng, weight.shape[1])
    merged = weight * (1 + by).reshape(1, -1, *(1,) * (weight.ndim - 2))
    return {"weight": by, "on_input": np.int64(1)}, merged


FOR_ALL: dict[str, Callable[[np.random.Generator, Array], Made]] = {
    one.__name__: one
    for one in (
        lora,
        loha,
        lokr,
        lokr_factored,
        full,
        dora,
        dora_of_rows,
        glora,
        oft,
        boft,
        boft_of_peft,
        ia3,
        ia3_of_inputs,
    )
}
FOR_CONVOLUTIONS: dict[str, Callable[[np.random.Generator, Array], Made]] = {
    one.__name__: one for one in (lora_with_middle, loha_with_core, lokr_with_core)
}
