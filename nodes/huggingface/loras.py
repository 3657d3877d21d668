"""
LoRAs of a call: what each changes is put on clones of the modules that it names.

A LoRA made for another family is refused from the heads of the files, before weights are read. What
a file holds and the pipeline lacks is named in a warning, family of names by family of names.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from nodes.huggingface.adapter_files import check_weight_dtypes
from nodetool_core import NodeError
from nodetool_core.models.diffusers.families import supports_loras
from nodetool_core.models.diffusers.loras.changes import LayerQuantized, LayerUnfit, add_layer
from nodetool_core.models.diffusers.loras.layers import FileContent, FileLayer, read_layers
from nodetool_core.models.diffusers.loras.layouts import DENOISERS, ENCODERS, LayerNames, Place
from nodetool_core.models.diffusers.loras.other_layouts import in_layout_of_diffusers
from nodetool_core.models.diffusers.modules import clone_sharing_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    import torch

    from nodes.huggingface.model_kinds import LoraModel
    from nodetool_core import Context, ModelRef
    from nodetool_core.context import Pipeline

_SHOWN: Final = 4
"""How many families of names a message lists."""

_HINT: Final = "Choose a LoRA made for this family of models."
_DAMAGED: Final = "The file is damaged: download it again, or use another one."


def check_families(
    model: ModelRef, task: str, loras: Sequence[LoraModel], context: Context
) -> None:
    """Raise NodeError where a LoRA is made for another family than the model's."""
    for lora in active(loras):
        if misfit := context.models.lora_misfit(lora, model, task, context=context):
            message = f"The LoRA {lora.repo_id!r} {misfit}"
            raise NodeError(message, _HINT, code="model_unfit", where="loras")


def active(loras: Sequence[LoraModel]) -> list[LoraModel]:
    """Return the LoRAs that change anything."""
    return [lora for lora in loras if not lora.is_empty() and (lora.scale or lora.text_scale)]


def add_loras(
    pipeline: Pipeline, loras: Sequence[LoraModel], stack: ExitStack, context: Context
) -> None:
    """
    Add LoRAs to a pipeline, which gets clones of the modules that they change.

    They have to be the last that changes modules of it.

    Raises:
        NodeError: A file is not whole, or does not fit.
        ModelError: A file can't be read.
    """
    wanted = active(loras)
    if not wanted:
        return
    name = type(pipeline).__name__
    if not supports_loras(type(pipeline)):
        context.warn(f"loras is not used: {name} takes none.")
        return
    modules = _modules(pipeline)
    names = LayerNames(modules)
    cloned: dict[str, torch.nn.Module] = {}
    for lora in wanted:
        part = stack.enter_context(context.models.use(lora, "tensors", context=context)).part
        check_weight_dtypes(part.tensors, f"The LoRA {lora.repo_id!r}", "loras")
        content = read_layers(part)
        _check_whole(content, lora)
        placed = _placed(content, names)
        if len(placed) < len(content.layers):
            other = in_layout_of_diffusers(type(pipeline), part)
            found = None if other is None else _placed(other, names)
            if other is not None and found and len(found) > len(placed):
                content, placed = other, found
        if not placed:
            message = (
                f"The LoRA {lora.repo_id!r} changes nothing of {name}: none of its"
                f" {len(part.tensors)} tensors is for a part of it."
            )
            raise NodeError(message, _HINT, code="model_unfit", where="loras")
        for layer, place in placed:
            strength = lora.text_scale if place.component in ENCODERS else lora.scale
            if strength:
                _add(pipeline, cloned, layer, place, content, strength, lora)
        _warn_of_unused(content, placed, lora, name, context)


def _add(
    pipeline: Pipeline,
    cloned: dict[str, torch.nn.Module],
    layer: FileLayer,
    place: Place,
    content: FileContent,
    strength: float,
    lora: LoraModel,
) -> None:
    component = place.component
    if component not in cloned:
        cloned[component] = clone_sharing_parameters(getattr(pipeline, component))
        setattr(pipeline, component, cloned[component])
    try:
        add_layer(cloned[component], layer, place, content.settings_of(component), strength)
    except LayerUnfit as error:
        message = f"The LoRA {lora.repo_id!r} does not fit {type(pipeline).__name__}: {error}"
        raise NodeError(message, _HINT, code="model_unfit", where="loras") from error
    except LayerQuantized as error:
        message = (
            f"The LoRA {lora.repo_id!r} ({error}) can't change {component}, whose weights are"
            " quantized."
        )
        hint = "Leave the model's `quantization` out, or choose a LoRA of the plain kind."
        raise NodeError(
            message, hint, code="model_quantization_unsupported", where="loras"
        ) from error


def _modules(pipeline: Pipeline) -> dict[str, torch.nn.Module]:
    import torch

    found = {name: getattr(pipeline, name, None) for name in (*DENOISERS, *ENCODERS)}
    return {name: module for name, module in found.items() if isinstance(module, torch.nn.Module)}


def _check_whole(content: FileContent, lora: LoraModel) -> None:
    halves = [half for layer in content.layers for half in layer.missing()]
    if halves:
        message = f"The LoRA {lora.repo_id!r} is not whole: it holds {_listed(halves)}."
        raise NodeError(message, _DAMAGED, code="model_incomplete", where="loras")


def _placed(content: FileContent, names: LayerNames) -> list[tuple[FileLayer, Place]]:
    """Return the layers that the pipeline has and that a method is known for, with their places."""
    return [
        (layer, place)
        for layer in content.layers
        if layer.methods and (place := names.find(layer.name)) is not None
    ]


def _warn_of_unused(
    content: FileContent,
    placed: list[tuple[FileLayer, Place]],
    lora: LoraModel,
    name: str,
    context: Context,
) -> None:
    """Warn of what of a file is not applied, by families of names."""
    used = {layer.name for layer, _ in placed}
    lacked = [layer.name for layer in content.layers if layer.methods and layer.name not in used]
    unread = [*content.unread, *(one for layer in content.layers for one in layer.unread())]
    reasons = []
    if lacked:
        reasons.append(
            f"{name} lacks {len(lacked)} of the layers that it changes, {_families(lacked)}"
        )
    if unread:
        reasons.append(f"{len(unread)} tensors are of no method that is known, {_families(unread)}")
    if reasons:
        context.warn(f"The LoRA {lora.repo_id!r} is used in part: {'; '.join(reasons)}.")


def _families(names: list[str]) -> str:
    """Return names with their numbers left out, each with how many there are."""
    counts = Counter(re.sub(r"(?<![A-Za-z])\d+", "*", name) for name in names)
    return _listed([f"{family} ({count})" for family, count in counts.most_common()])


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return "; ".join(names[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
