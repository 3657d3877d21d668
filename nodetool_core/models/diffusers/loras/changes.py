"""
Put the changes of LoRAs on the layers of a pipeline, without changing a weight.

A layer that is changed computes with `weight + strength · change`, which is made anew each time
that it runs, in float32, and thrown away. So a model takes no more memory than without, wherever
its weights are at the moment, and there is nothing to put back. A plain LoRA costs less: its two
matrices act on the layer's input beside it, which works with quantized weights as well.

The layers must be the caller's own: those of a clone that shares its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.loras.methods import Factors, Method, decomposed
from nodetool_core.models.diffusers.modules import compute_dtype

if TYPE_CHECKING:
    import torch

    from nodetool_core.models.diffusers.loras.layers import FileLayer
    from nodetool_core.models.diffusers.loras.layouts import Place

_PLAIN: Final = frozenset({"down", "up", "up_bias"})
"""Roles of a LoRA whose matrices may act on the input."""

_CONVOLVED: Final = 4
"""Sides of the weight of a convolution over images."""


class LayerUnfit(ValueError):
    """A layer of a file does not fit the model; the message says which, and what it has."""


class LayerQuantized(ValueError):
    """The weight of a layer is quantized, and the change of the file is none beside it."""


def add_layer(
    module: torch.nn.Module,
    layer: FileLayer,
    place: Place,
    settings: Mapping[str, object],
    strength: float,
) -> None:
    """
    Have the layers at a place in a component compute with what a file holds for them.

    Args:
        module: The component, the caller's own.
        layer: What the file holds.
        place: Where it belongs, in this component.
        settings: Of the file, for this component.
        strength: What the change is multiplied by.

    Raises:
        LayerUnfit: A tensor has another shape than the layer.
        LayerQuantized: The layer is quantized, and takes no change of this kind.
    """
    targets = [_target(module, path) for path in place.paths]
    shapes = [_shape(owner, name) for owner, name in targets]
    whole = (sum(shape[0] for shape in shapes), *shapes[0][1:])
    for method in layer.methods:
        factors = layer.factors(method, settings)
        _check_shapes(layer, method, factors, whole, place)
        start = 0
        for (owner, name), shape in zip(targets, shapes, strict=True):
            part = _Part(
                [one for one, _ in targets], owner, whole, slice(start, start + shape[0]), place
            )
            _add(owner, name, method, factors, part, strength)
            start += shape[0]


@dataclass(frozen=True, slots=True)
class _Part:
    """A layer that may be one of several that are one in the file."""

    owners: list[torch.nn.Module]
    """All of them, from the first outputs to the last."""
    owner: torch.nn.Module
    whole: tuple[int, ...]
    """The shape of the layer in the file."""
    rows: slice
    """Which of its outputs are those of this layer."""
    place: Place

    def whole_weight(self, own: torch.Tensor, name: str, *, reads: bool) -> torch.Tensor:
        """Return the weight as the file's layer has it; without content where nothing reads it."""
        import torch

        if not reads:
            return torch.empty(self.whole, device="meta")
        others = [
            own if one is self.owner else getattr(one, name).to(own.device, own.dtype)
            for one in self.owners
        ]
        return self._ordered(torch.cat(others) if len(others) > 1 else own)

    def own_part(self, change: torch.Tensor) -> torch.Tensor:
        """Return the rows of this layer, of what the file's layer has."""
        return self._ordered(change)[self.rows]

    def _ordered(self, tensor: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.cat(tensor.chunk(2)[::-1]) if self.place.is_swapped else tensor


@dataclass(frozen=True, slots=True)
class _WeightChange:
    """What is added to one parameter of one layer."""

    change: Callable[[Factors, torch.Tensor], torch.Tensor]
    factors: Factors
    part: _Part
    name: str
    strength: float
    reads_weight: bool

    def added_to(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the parameter, which is in float32, with what is added to it."""
        factors = replace(
            self.factors,
            tensors={
                role: tensor.to(weight.device, weight.dtype)
                for role, tensor in self.factors.tensors.items()
            },
        )
        magnitude = factors.get("magnitude") if self.name == "weight" else None
        whole = self.part.whole_weight(
            weight, self.name, reads=self.reads_weight or magnitude is not None
        )
        change = self.change(factors, whole)
        if magnitude is not None:
            change = decomposed(change, whole, magnitude)
        return weight + self.strength * self.part.own_part(change)


@dataclass(frozen=True, slots=True)
class _LowRank:
    """The two matrices of a LoRA, beside a layer."""

    down: torch.Tensor
    up: torch.Tensor
    bias: torch.Tensor | None
    scale: float

    def of(self, layer: torch.nn.Module, given: torch.Tensor) -> torch.Tensor:
        """Return what is added to the layer's output for an input."""
        import torch
        from torch.nn import functional

        down, up = (one.to(given.device, given.dtype) for one in (self.down, self.up))
        if isinstance(layer, torch.nn.Conv2d):
            middle = functional.conv2d(
                given,
                down,
                stride=layer.stride,
                padding=layer.padding,
                dilation=layer.dilation,
            )
            made = functional.conv2d(middle, up)
        else:
            made = functional.linear(functional.linear(given, down), up)
        if self.bias is not None:
            bias = self.bias.to(made.device, made.dtype)
            made = made + (bias if self.down.ndim != _CONVOLVED else bias[:, None, None])
        return made * self.scale


class _ChangedLayer:
    """Stands in place of `forward` of one layer."""

    def __init__(self, layer: torch.nn.Module) -> None:
        self._layer = layer
        self._forward: Callable[..., torch.Tensor] = layer.forward
        self.weights: dict[str, list[_WeightChange]] = {}
        self.beside: list[_LowRank] = []

    def __call__(self, *arguments: torch.Tensor, **options: torch.Tensor) -> torch.Tensor:
        own = self._layer._parameters
        kept = {name: own[name] for name in self.weights}
        try:
            for name, changes in self.weights.items():
                own[name] = self._changed(name, kept[name], changes)
            made = self._forward(*arguments, **options)
        finally:
            own.update(kept)
        given = (*arguments, *options.values())[:1]
        for one in self.beside:
            made = made + one.of(self._layer, *given)
        return made

    def _changed(
        self, name: str, parameter: torch.nn.Parameter | None, changes: list[_WeightChange]
    ) -> torch.nn.Parameter:
        import torch

        if parameter is None:
            # A difference may give a bias to a layer that has none.
            weight = self._layer._parameters["weight"]
            assert weight is not None
            made = torch.zeros(len(weight), device=weight.device)
            dtype = compute_dtype(self._layer, weight)
        else:
            made, dtype = parameter.detach().float(), compute_dtype(self._layer, parameter)
        for change in changes:
            made = change.added_to(made)
        return torch.nn.Parameter(made.to(dtype), requires_grad=False)


def _add(
    owner: torch.nn.Module,
    name: str,
    method: Method,
    factors: Factors,
    part: _Part,
    strength: float,
) -> None:
    if _acts_beside(owner, name, factors, part):
        _changed_layer(owner).beside.append(_low_rank(owner, factors, part, strength))
        return
    if _is_quantized(owner, name):
        raise LayerQuantized(method.name)
    has_weight = any(role not in ("diff_b", "b_norm") for role in factors.tensors)
    has_bias = method.bias is not None and (
        method.reads_weight or not factors.tensors.keys().isdisjoint(_OF_BIAS)
    )
    reads = method.reads_weight
    if method.change is not None and has_weight:
        change = _WeightChange(method.change, factors, part, name, strength, reads)
        _changed_layer(owner).weights.setdefault(name, []).append(change)
    if method.bias is not None and has_bias and name == "weight":
        if reads and any(one._parameters.get("bias") is None for one in part.owners):
            return
        whole = replace(part, whole=part.whole[:1])
        change = _WeightChange(method.bias, factors, whole, "bias", strength, reads)
        _changed_layer(owner).weights.setdefault("bias", []).append(change)


_OF_BIAS: Final = frozenset({"diff_b", "b_norm", "up_bias"})


def _changed_layer(owner: torch.nn.Module) -> _ChangedLayer:
    found = vars(owner).get("forward")
    if not isinstance(found, _ChangedLayer):
        found = _ChangedLayer(owner)
        owner.forward = found
    return found


def _acts_beside(owner: torch.nn.Module, name: str, factors: Factors, part: _Part) -> bool:
    import torch

    if name != "weight" or not {"down", "up"} <= factors.tensors.keys() <= _PLAIN:
        return False
    if isinstance(owner, torch.nn.Conv2d):
        return owner.groups == 1 and owner.padding_mode == "zeros"
    return isinstance(owner, torch.nn.Linear)


def _low_rank(owner: torch.nn.Module, factors: Factors, part: _Part, strength: float) -> _LowRank:
    down, up = factors["down"], part.own_part(factors["up"].flatten(1))
    if len(part.whole) == _CONVOLVED:
        down, up = down.reshape(len(down), *part.whole[1:]), up[:, :, None, None]
    else:
        down = down.flatten(1)
    bias = factors.get("up_bias")
    own_bias = None if bias is None else part.own_part(bias)
    return _LowRank(down, up, own_bias, factors.scale * strength)


def _check_shapes(
    layer: FileLayer, method: Method, factors: Factors, whole: tuple[int, ...], place: Place
) -> None:
    """Raise LayerUnfit where the change of a layer has not the shape of its weight."""
    import torch

    on_meta = replace(
        factors,
        tensors={
            role: torch.empty(tensor.shape, device="meta") if role != "on_input" else tensor
            for role, tensor in factors.tensors.items()
        },
    )
    weight = torch.empty(whole, device="meta")
    try:
        made = [method.change(on_meta, weight)] if method.change is not None else []
        if made and (magnitude := on_meta.get("magnitude")) is not None:
            made = [decomposed(made[0], weight, magnitude)]
        if method.bias is not None and (len(whole) > 1 or "diff" not in factors.tensors):
            method.bias(on_meta, torch.empty(whole[:1], device="meta"))
        fits = all(one.shape == weight.shape for one in made)
    except (RuntimeError, IndexError) as error:
        raise LayerUnfit(_misfit(layer, method, factors, whole, place)) from error
    if not fits:
        raise LayerUnfit(_misfit(layer, method, factors, whole, place))


def _misfit(
    layer: FileLayer, method: Method, factors: Factors, whole: tuple[int, ...], place: Place
) -> str:
    shapes = ", ".join(
        f"{layer.names[role]} ({_sides(tuple(tensor.shape))})"
        for role, tensor in factors.tensors.items()
    )
    return (
        f"{shapes} make no change ({method.name}) of the shape ({_sides(whole)}), which"
        f" {place.component}.{' + '.join(place.paths)} has."
    )


def _sides(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _target(module: torch.nn.Module, path: str) -> tuple[torch.nn.Module, str]:
    """Return the layer at a path, and the parameter that is meant."""
    import torch

    owner_path, _, name = path.rpartition(".")
    owner = module.get_submodule(owner_path)
    found = getattr(owner, name)
    return (found, "weight") if isinstance(found, torch.nn.Module) else (owner, name)


def _shape(owner: torch.nn.Module, name: str) -> tuple[int, ...]:
    """Return the shape of a parameter, of quantized ones that which they stand for."""
    import torch

    if name == "weight" and isinstance(owner, torch.nn.Linear):
        return owner.out_features, owner.in_features
    found = getattr(owner, name, None)
    if not isinstance(found, torch.Tensor):
        raise LayerUnfit(f"{type(owner).__name__} has no {name} that could be changed.")
    return tuple(found.shape) or (1,)


def _is_quantized(owner: torch.nn.Module, name: str) -> bool:
    import torch

    parameter = owner._parameters.get(name)
    if parameter is None:
        return False
    return type(parameter.data) is not torch.Tensor or not parameter.is_floating_point()
