"""
IP adapters: images that serve as prompts, several at once, and each where its mask says.

An adapter and its image encoder are loaded into clones of the modules (`conditioning.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nodes.huggingface.adapter_files import check_weight_dtypes, model_unfit
from nodes.huggingface.diffusion import model_image
from nodetool_core import ImageRef, ModelRef, NodeError
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.families import quirks_of, supports_ip_adapter
from nodetool_core.models.diffusers.image_prompts import takes_masks, takes_several_image_prompts
from nodetool_core.models.diffusers.modules import clone_sharing_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    import torch
    from PIL import Image

    from nodes.huggingface.units import IPAdapterUnit
    from nodetool_core import Context
    from nodetool_core.context import Lease, Pipeline

DENOISERS = ("unet", "transformer", "prior")


def clone_modules(pipeline: Pipeline, names: tuple[str, ...]) -> None:
    """Replace the named modules of a pipeline with clones that share their parameters."""
    for name, module in modules_of(pipeline, names).items():
        setattr(pipeline, name, clone_sharing_parameters(module))


def modules_of(pipeline: Pipeline, names: tuple[str, ...]) -> dict[str, torch.nn.Module]:
    """Return those of the named modules that a pipeline has."""
    import torch

    found = {name: getattr(pipeline, name, None) for name in names}
    return {name: module for name, module in found.items() if isinstance(module, torch.nn.Module)}


def check_image_prompts(
    model: ModelRef,
    task: str,
    own: IPAdapterUnit,
    units: Sequence[IPAdapterUnit],
    context: Context,
) -> None:
    """
    Refuse image prompts that lack a part, or that a model can't take, before weights are read.

    Args:
        own: What the properties for one adapter say.
        units: All adapters that are used.

    Raises NodeError.
    """
    if own.model.is_empty() and not is_missing(own.image):
        raise NodeError(
            "ip_adapter_image is set, but there is no ip_adapter_model.",
            "Set `ip_adapter_model`, such as h94/IP-Adapter with a file in `path`.",
            code="missing_model",
            where="ip_adapter_model",
        )
    if not own.model.is_empty() and is_missing(own.image):
        raise NodeError(
            "ip_adapter_model is set, but there is no ip_adapter_image.",
            "Connect an image to `ip_adapter_image`.",
            code="missing_image",
            where="ip_adapter_image",
        )
    for unit in units:
        lacking = "model" if unit.model.is_empty() else "image" if is_missing(unit.image) else ""
        if lacking:
            raise NodeError(
                f"one of the ip_adapters has no {lacking}.",
                f"Give each its {lacking}.",
                code=f"missing_{lacking}",
                where="ip_adapters",
            )
    has_masks = any(not is_missing(unit.mask) for unit in units)
    if len(units) < 2 and not has_masks:
        return
    found = context.models.class_of(model, task, context=context)
    if found is None or not supports_ip_adapter(found):
        return
    if len(units) > 1 and not takes_several_image_prompts(found):
        raise _refused(
            f"{found.__name__} takes one IP adapter, and {len(units)} are given.",
            "Use one IP adapter with this model.",
        )
    if has_masks and not takes_masks(found):
        raise _refused(
            f"{found.__name__} follows image prompts everywhere, and takes no masks.",
            "Leave the masks out, or use a model of the families of Stable Diffusion 1, 2 or XL.",
        )


def _refused(message: str, hint: str) -> NodeError:
    return NodeError(message, hint, code="model_unfit", where="ip_adapters")


def is_missing(image: ImageRef | None) -> bool:
    """Return whether there is no image."""
    return image is None or image.is_empty()


def adapter_masks(
    units: Sequence[IPAdapterUnit], context: Context
) -> dict[str, Image.Image | list[Image.Image]]:
    """Return a mask for each adapter; nothing where none has one."""
    from PIL import Image as Pillow

    masks = [
        None
        if unit.mask is None or unit.mask.is_empty()
        else model_image(context, unit.mask, "mask", "L")
        for unit in units
    ]
    size = next((mask.size for mask in masks if mask is not None), None)
    if size is None:
        return {}
    return {"ip_adapter_masks": [mask or Pillow.new("L", size, 255) for mask in masks]}


def image_prompt_arguments(
    pipeline: Pipeline, units: Sequence[IPAdapterUnit], context: Context
) -> dict[str, object]:
    """Return the argument with the images that serve as prompts, for pipelines that take some."""
    if not units or not supports_ip_adapter(type(pipeline)):
        return {}
    images = [
        model_image(context, unit.image, "ip_adapter_image")
        for unit in units
        if unit.image is not None
    ]
    return {"ip_adapter_image": images if len(images) > 1 else images[0]}


def load_ip_adapters(
    lease: Lease,
    units: Sequence[IPAdapterUnit],
    encoder: ModelRef,
    stack: ExitStack,
    context: Context,
) -> None:
    """
    Load IP adapters and their image encoder into a pipeline.

    Args:
        encoder: The adapter beside which the image encoder is looked for, in the model's dtype.

    Raises NodeError where an adapter does not fit.
    """
    pipeline = lease.pipeline
    name = type(pipeline).__name__
    if not supports_ip_adapter(type(pipeline)):
        context.warn(f"ip_adapter_model is not used: {name} takes no image prompt.")
        return
    groups = [_read_adapter(unit.model, stack, context) for unit in units]
    if getattr(pipeline, "image_encoder", None) is None:
        _check_one_encoder(units)
        found = _image_encoder_of(encoder, name, stack, context)
        network, processor = found.part.model, found.part.processor
        pipeline.register_modules(image_encoder=network)
        if processor is not None and getattr(pipeline, "feature_extractor", None) is None:
            pipeline.register_modules(feature_extractor=processor)
        lease.compose(pipeline, found)
    clone_modules(pipeline, DENOISERS)
    several = len(groups) > 1
    places: list[None] | None = [None] * len(groups) if several else None
    try:
        pipeline.load_ip_adapter(
            groups if several else groups[0], subfolder=places, weight_name=places
        )
    except Exception as error:
        hint = "Choose an IP adapter made for this family of models."
        raise model_unfit("The IP adapter", name, error, hint, "ip_adapter_model") from error
    scales = [unit.scale for unit in units]
    pipeline.set_ip_adapter_scale(scales if several else scales[0])


def _read_adapter(
    ref: ModelRef, stack: ExitStack, context: Context
) -> dict[str, dict[str, torch.Tensor]]:
    """Return the tensors of an adapter in the groups of diffusers. Raises NodeError for others."""
    adapter = stack.enter_context(context.models.use(ref, "tensors", context=context)).part
    groups = _adapter_groups(adapter.tensors)
    if not (groups["image_proj"] and groups["ip_adapter"]):
        message = (
            f"{ref.repo_id!r} holds no IP adapter: no tensors named image_proj.… and ip_adapter.…"
        )
        raise NodeError(
            message,
            "Choose the file of an IP adapter in `path`.",
            code="model_unfit",
            where="ip_adapter_model",
        )
    check_weight_dtypes(adapter.tensors, f"The IP adapter {ref.repo_id!r}", "ip_adapter_model")
    return groups


def _check_one_encoder(units: Sequence[IPAdapterUnit]) -> None:
    """Refuse adapters for different image encoders: a pipeline has one. Raises NodeError."""
    folders: dict[str, set[str]] = {}
    for encoder, task in (_image_encoder_reference(unit.model) for unit in units):
        folders.setdefault(encoder.repo_id, set()).add(task.removeprefix("network:"))
    for repo_id, found in folders.items():
        if len(found) > 1:
            raise _refused(
                f"the IP adapters of {repo_id} see with different image encoders:"
                f" {' and '.join(sorted(found))}.",
                "Use adapters for the same image encoder.",
            )


def _adapter_groups(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """Return the tensors of an IP adapter in the two groups of diffusers; Flux names its own."""
    groups: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, tensor in tensors.items():
        prefix, _, rest = key.partition(".")
        group = {"ip_adapter_proj_model": "image_proj", "double_blocks": "ip_adapter"}.get(
            prefix, prefix
        )
        if group in groups:
            groups[group][
                re.sub(r"processor\.ip_adapter_double_stream_([kv])_proj", r"to_\1_ip", rest)
            ] = tensor
    return groups


def _image_encoder_of(
    adapter: ModelRef, pipeline: str, stack: ExitStack, context: Context
) -> Lease:
    """Return the image encoder of an IP adapter: the one beside its file, or its family's."""
    encoder, task = _image_encoder_reference(adapter)
    try:
        return stack.enter_context(context.models.use(encoder, task, context=context))
    except ModelError as error:
        shared = next(
            (quirk.image_encoder for quirk in quirks_of(pipeline) if quirk.image_encoder), None
        )
        if shared is None or error.problem.code != "model_not_diffusers":
            raise
    ref = ModelRef(repo_id=shared, dtype=adapter.dtype)
    return stack.enter_context(context.models.use(ref, "network:image_encoder", context=context))


def _image_encoder_reference(adapter: ModelRef) -> tuple[ModelRef, str]:
    """
    Return where the image encoder of an IP adapter lies, as a reference and a task.

    It is the folder `image_encoder` beside the file; adapters for ViT-H share the one in `models`.
    """
    path = PurePosixPath(adapter.path or "")
    repo_id = adapter.repo_id
    if not adapter.path and repo_id.lower().endswith((".safetensors", ".sft")):
        path, repo_id = (
            PurePosixPath(PurePosixPath(repo_id).name),
            str(PurePosixPath(repo_id).parent),
        )
    folder = (
        PurePosixPath("models")
        if path.parent.name == "sdxl_models" and "vit-h" in path.name
        else path.parent
    )
    return (
        ModelRef(repo_id=repo_id, revision=adapter.revision, dtype=adapter.dtype),
        f"network:{folder / 'image_encoder'}",
    )
