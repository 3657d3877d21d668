"""
Weights are whole or refused.

The libraries fill a tensor that a file lacks with random numbers, or leave it without any, and turn
whole numbers into real ones, all without a word. So every module is looked at once after it was
read, whatever it was read from: each of its tensors has to come from the files, in its shape, as
real numbers where real numbers are expected. What the libraries can do without by design does not
count: tied weights, buffers that are computed, and what a class names in
`_keys_to_ignore_on_load_missing`.

Tensors that a module has no place for are harmless where they belong to another half of a model
(the decoder beside T5's encoder). Within its own layers they mean that the files are of a larger
model than the configuration: then the image is another one, and a warning says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.sources.headers import HeaderError, StoredTensor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import torch


_SHOWN = 4
"""How many names of tensors a message lists."""

_SUSPICIOUS = 0.01
"""Share of a module's tensors from which on unexpected ones within its own layers are reported."""

_QUANTIZED = (
    "scale_weight",
    "weight_scale",
    "scale_input",
    "input_scale",
    "scaled_fp8",
    "comfy_quant",
    "absmax",
    "quant_map",
    "qweight",
)
"""
Last parts of the names of tensors without which the weights beside them mean nothing.

Formats that diffusers does not read.
"""

REMARK = "_nodetool_remark"
"""Attribute of a module: what is reported each time it is used."""


@dataclass(frozen=True)
class Gaps:
    """
    What does not fit between a module and the files that it was read from.

    Names as the module has them.
    """

    total: int
    """Tensors that the module has."""
    missing: list[str] = field(default_factory=list)
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    """Name to shape in the file and shape in the module."""
    mistyped: dict[str, str] = field(default_factory=dict)
    """Name to type in the file, which holds no real numbers."""
    unexpected: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not (self.missing or self.misshapen or self.mistyped or self.quantized)

    @property
    def quantized(self) -> list[str]:
        """Unexpected tensors of a quantization which the library does not know."""
        return quantized_names(self.unexpected)

    def __str__(self) -> str:
        """Return what is wrong, in words that follow the name of the module."""
        said = []
        if self.missing:
            said.append(
                f"lacks {len(self.missing)} of its {self.total} tensors ({_listed(self.missing)})"
            )
        if self.misshapen:
            shapes = [
                f"{name} is {_shape(has)} and has to be {_shape(wants)}"
                for name, (has, wants) in self.misshapen.items()
            ]
            said.append(
                f"has {len(self.misshapen)} of {self.total} tensors in another shape"
                f" ({_listed(shapes)})"
            )
        if self.mistyped:
            types = [f"{name} is {dtype}" for name, dtype in self.mistyped.items()]
            said.append(
                f"has {len(self.mistyped)} of {self.total} tensors that are no real numbers"
                f" ({_listed(types)})"
            )
        if self.unexpected:
            said.append(
                f"has no place for {len(self.unexpected)} tensors of the file"
                f" ({_listed(self.unexpected)})"
            )
        return ", and ".join(said)


class NotWhole(Exception):
    """A module that was read has gaps."""

    def __init__(self, gaps: Gaps, part: str = "") -> None:
        self.gaps = gaps
        self.part = part
        super().__init__(str(gaps))


def gaps_of(
    module: torch.nn.Module,
    *,
    missing: Iterable[str] = (),
    misshapen: Iterable[tuple[str, Iterable[int], Iterable[int]]] = (),
    unexpected: Iterable[str] = (),
    stored: Mapping[str, StoredTensor] | None = None,
) -> Gaps:
    """
    Return what does not fit between a module and its files.

    Args:
        module: The module after reading.
        missing: Names of its tensors that the library found in no file.
        misshapen: Name, shape in the file and shape in the module of those whose shapes differ, as
            the library reports them.
        unexpected: Names in the files that the library found no place for.
        stored: What the files hold by name; left out for quantized weights, whose whole numbers are
            meant.
    """
    state = module.state_dict()
    shapes = {name: (tuple(has), tuple(wants)) for name, has, wants in misshapen}
    lacking = {name for name in missing if name not in state or state[name].is_floating_point()}
    # Where shapes differ, the library may have stopped there.
    lacking |= set() if shapes else set(_without_data(module))
    computed = {name for name, _ in module.named_buffers()}
    return Gaps(
        total=len(state),
        missing=sorted(lacking - shapes.keys()),
        misshapen=shapes,
        mistyped=dict(sorted(_mistyped(state, stored or {}))),
        unexpected=sorted(set(unexpected) - computed),
    )


def check_whole(module: torch.nn.Module, gaps: Gaps, part: str = "") -> None:
    """Raise NotWhole where a module has gaps; keep on it what is to be reported of it."""
    if not gaps.is_whole:
        raise NotWhole(gaps, part)
    own = {name.partition(".")[0] for name in module.state_dict()}
    strange = [name for name in gaps.unexpected if name.partition(".")[0] in own]
    if len(strange) > _SUSPICIOUS * gaps.total:
        said = (
            f"{len(strange)} tensors of its files belong to no layer of it ({_listed(strange)}):"
            " its configuration is of another model."
        )
        vars(module)[REMARK] = f"{part or type(module).__name__}: {said}"


def quantized_names(names: Iterable[str]) -> list[str]:
    """
    Return the names of tensors that show a quantization which diffusers does not read.
    """
    return [name for name in names if name.rpartition(".")[2] in _QUANTIZED]


def quantized_unread(name: str, tensors: list[str]) -> ModelError:
    """Return the refusal of weights that are quantized in a form of their own."""
    message = (
        f"holds weights that are quantized in a form which is not read here ({_listed(tensors)})."
    )
    hint = (
        "Use a file of this model that is not quantized, or in fp8 without scales; `quantization`"
        " fp8 makes it small when it is loaded."
    )
    return ModelError(Problem("model_quantization_unsupported", name, message, hint))


def load_failure(name: str, where: str, error: Exception) -> ModelError:
    """
    Return the error of files of which a library made no module or pipeline, or none that is whole.
    """
    from torch import OutOfMemoryError

    if isinstance(error, NotWhole):
        return _not_whole(name, where, error)
    said = _said(error)
    message = f"can't be loaded as {where}: {said}"
    if isinstance(error, (OutOfMemoryError, MemoryError)):
        return ModelError(
            Problem(
                "out_of_memory",
                name,
                message,
                "Free memory, or use a smaller model or its fp16 variant.",
            )
        )
    if isinstance(error, ImportError):
        return ModelError(
            Problem("model_needs_package", name, message, "Install the package that it names.")
        )
    if not isinstance(error, (HeaderError, OSError)):
        message = (
            f"can't be loaded as {where}: its settings do not fit together, or are of another"
            f" version. The library says: {said}"
        )
    return ModelError(
        Problem(
            "model_load_failed",
            name,
            message,
            "Check that the files are complete and of one model.",
        )
    )


def _said(error: Exception) -> str:
    """Return the first line of what a library says, with the next where it goes on there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [
        type(error).__name__
    ]
    return " ".join(lines[:2] if lines[0].endswith(":") else lines[:1])


def _not_whole(name: str, where: str, error: NotWhole) -> ModelError:
    gaps = error.gaps
    if gaps.quantized:
        return quantized_unread(name, gaps.quantized)
    if gaps.misshapen or (gaps.missing and len(gaps.unexpected) > 1):
        hint = (
            "Weights and configuration are of different models, or damaged: take both from one"
            " place, and download them again."
        )
    else:
        hint = (
            "The file is damaged or was made by a tool that left something out: download it again,"
            " or use another one."
        )
    place = f"{error.part} of {where}" if error.part else where
    return ModelError(Problem("model_incomplete", name, f"is not whole: {place} {gaps}.", hint))


def _without_data(module: torch.nn.Module) -> Iterator[str]:
    """Yield the names of tensors that never got any numbers."""
    for group in (module.named_parameters(), module.named_buffers()):
        yield from (name for name, tensor in group if tensor.is_meta)


def _mistyped(
    state: Mapping[str, torch.Tensor], stored: Mapping[str, StoredTensor]
) -> Iterator[tuple[str, str]]:
    """
    Yield the tensors of real numbers in a module that are none in the file.

    Names may differ in what they begin with.
    """
    real = {name for name, tensor in state.items() if tensor.is_floating_point()}
    for name, tensor in stored.items():
        if not tensor.is_real and (found := _named_alike(name, real)):
            yield found, tensor.dtype


def _named_alike(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is equal, or that lacks or adds a first part (`text_model.`)."""
    if name in known or "." not in name:
        return name if name in known else None
    return next(
        (
            one
            for one in known
            if one.endswith(f".{name}") or ("." in one and name.endswith(f".{one}"))
        ),
        None,
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
