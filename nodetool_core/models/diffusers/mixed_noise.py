"""
Noise of two seeds, mixed; and noise of an image of another size.

A pipeline draws its noise itself, with the generator that it is given. A `MixedGenerator` knows two
seeds, and within `mixing` each tensor that is drawn with it is drawn by both and mixed by slerp,
which keeps the length of the noise. So all noise of a call is mixed, that of a scheduler's steps as
well, and a share of 1 is the other seed. With a size, the noise of that size is put into the
middle. Both are what the AUTOMATIC1111 web UI calls "variation seed" and "resize seed from".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from torch.overrides import TorchFunctionMode

_PARALLEL: Final = 1e-3
"""Sine of an angle below which two directions count as one."""
_MIXED, _PLACED = "variation_strength", "seed_width"
_get_state, _set_state = torch.Generator.get_state, torch.Generator.set_state

Latents = tuple[int, int]
"""Height and width of latents."""
_Draw = Callable[[Sequence[int], torch.Generator], torch.Tensor]
"""Returns noise of a size, drawn with a generator."""


class MixedGenerator(torch.Generator):
    """A random generator on the CPU, of two seeds."""

    unused: set[str]
    """Properties of nodes that nothing was drawn by so far."""
    _other: torch.Generator
    _share: float
    _middle: Latents | None

    @classmethod
    def of(
        cls, seed: int, other: int, share: float, middle: Latents | None = None
    ) -> MixedGenerator:
        """
        Return a new generator.

        Args:
            seed: That of whatever is not mixed.
            other: The seed that is mixed in.
            share: How much of it, from 0 to 1.
            middle: The size whose noise is put into the middle; None for none.
        """
        made = cls("cpu")
        made.manual_seed(seed)
        made._other = torch.Generator("cpu").manual_seed(other)
        made._share, made._middle = share, middle
        made.unused = ({_MIXED} if share else set()) | ({_PLACED} if middle else set())
        return made

    def get_state(self) -> torch.Tensor:
        """Return the states of both seeds."""
        return torch.cat([_get_state(self), _get_state(self._other)])

    def set_state(self, new_state: torch.Tensor) -> MixedGenerator:
        """Set the states of both seeds to what `get_state` returned."""
        own, other = new_state.chunk(2)
        _set_state(self, own.clone())
        _set_state(self._other, other.clone())
        return self

    def draw(self, size: Sequence[int], draw: _Draw) -> torch.Tensor:
        """Return noise of a size, of both seeds."""
        # Latents that are drawn as a sequence have no middle.
        middle = self._middle if len(size) >= 4 else None
        self.unused -= {_MIXED, _PLACED} if middle else {_MIXED}
        own, other = (_with_middle(size, middle, one, draw) for one in (self, self._other))
        return slerp(own, other, self._share)


class _Mixing(TorchFunctionMode):
    """Draws what is asked for of a `MixedGenerator` by that."""

    def __torch_function__(
        self,
        func: Callable[..., torch.Tensor],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> torch.Tensor:
        """Call a function of torch."""
        given = dict(kwargs or {})
        generator = given.get("generator")
        is_noise = func is torch.randn
        if not is_noise or not isinstance(generator, MixedGenerator):
            return func(*args, **given)
        return generator.draw(
            _size(args, given.pop("size", None)),
            lambda size, by: func(size, **given | {"generator": by}),
        )


def mixing(generator: torch.Generator) -> AbstractContextManager[object]:
    """Have what is drawn with a generator in this thread mixed, where it is of two seeds."""
    return _Mixing() if isinstance(generator, MixedGenerator) else nullcontext()


def unused(generator: torch.Generator) -> list[str]:
    """Return the properties of a node that a call with a generator had no use for."""
    return sorted(generator.unused) if isinstance(generator, MixedGenerator) else []


def slerp(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """Return noise between two, each column of it on the arc from one to the other."""
    rows = max(0, first.ndim - 2)
    lengths = [one.norm(dim=rows, keepdim=True).clamp(min=1e-12) for one in (first, second)]
    cosine = ((first / lengths[0]) * (second / lengths[1])).sum(rows, keepdim=True).clamp(-1, 1)
    angle = cosine.acos()
    sine = angle.sin()
    is_flat = sine < _PARALLEL
    sine = sine.masked_fill(is_flat, 1)
    own = (((1 - share) * angle).sin() / sine).masked_fill(is_flat, 1 - share)
    other = ((share * angle).sin() / sine).masked_fill(is_flat, share)
    mixed: torch.Tensor = own * first + other * second
    return mixed


def _size(args: Sequence[object], named: object) -> tuple[int, ...]:
    """Return the size among the arguments of `torch.randn`: a sequence, or a number each."""
    given = named if named is not None else args[0] if isinstance(args[0], Sequence) else args
    assert isinstance(given, Sequence)
    return tuple(int(side) for side in given)


def _with_middle(
    size: Sequence[int], middle: Latents | None, generator: torch.Generator, draw: _Draw
) -> torch.Tensor:
    """Return noise of a size, with that of another size in its middle."""
    if middle is None or middle == tuple(size[-2:]):
        return draw(size, generator)
    drawn = _get_state(generator)
    inner = draw((*size[:-2], *middle), generator)
    _set_state(generator, drawn)
    whole = draw(size, generator)
    places, parts = zip(
        *(_overlap(*sides) for sides in zip(size[-2:], middle, strict=True)), strict=True
    )
    whole[..., places[0], places[1]] = inner[..., parts[0], parts[1]]
    return whole


def _overlap(outer: int, inner: int) -> tuple[slice, slice]:
    """Return where a length in the middle of another one lies, in each of them."""
    length, shift = min(outer, inner), (outer - inner) // 2
    start, begin = max(0, shift), max(0, -shift)
    return slice(start, start + length), slice(begin, begin + length)
