"""
Lend a pipeline with what conditions it: scheduler, LoRAs, IP adapter, ControlNet.

LoRAs and IP adapters change modules, and the modules of a model are shared by all its users. So
they are loaded into a clone of the modules that shares the parameters: the module objects are new,
each parameter is the same tensor. Cloning costs 0.06 s for Stable Diffusion, 0.4 s for SDXL, and no
memory. The shared modules stay untouched, so nothing leaks into another call, even if this one
fails.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nodes.huggingface.adapter_files import (
    check_lora,
    check_weight_dtypes,
    model_unfit,
    unused_layers,
)
from nodes.huggingface.controlnets import add_controlnet, controlnet_arguments
from nodes.huggingface.diffusion import model_image
from nodes.huggingface.loras import lora_tensors
from nodes.huggingface.model_kinds import ControlNetModel, IPAdapterModel, LoraModel
from nodetool_core import ImageRef, ModelRef, NodeError
from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.families import (
    quirks_of,
    supports_ip_adapter,
    supports_loras,
)
from nodetool_core.models.diffusers.modules import clone_sharing_parameters, shown_in_compute_dtype
from nodetool_core.models.diffusers.scheduler_choice import (
    check_scheduler,
    set_scheduler,
    set_shift,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

    from nodetool_core import Context, Node
    from nodetool_core.context import Lease, Pipeline

_DENOISERS = ("unet", "transformer", "prior")
_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")


@dataclass(frozen=True)
class Conditioning:
    """What conditions a pipeline besides the prompt; each part may be absent."""

    scheduler: str = "default"
    shift: float = 0.0
    loras: list[LoraModel] = field(default_factory=list)
    ip_adapter_model: ModelRef = field(default_factory=IPAdapterModel)
    ip_adapter_image: ImageRef | None = None
    ip_adapter_scale: float = 0.5
    controlnet: ModelRef = field(default_factory=ControlNetModel)
    control_image: ImageRef | None = None
    controlnet_conditioning_scale: float = 1.0
    control_mode: int = -1

    @classmethod
    def of(cls, node: Node) -> Conditioning:
        """Return the conditioning that a node's properties of the same names set."""
        return cls(
            **{
                part.name: getattr(node, part.name)
                for part in fields(cls)
                if part.name in node.spec.properties
            }
        )


@contextmanager
def conditioned_pipeline(
    model: ModelRef, task: str, conditioning: Conditioning, context: Context
) -> Iterator[Lease]:
    """
    Lend a pipeline for `task` with `conditioning` applied, until the block ends.

    What the model does not support is left out with a warning.

    Raises:
        NodeError: Only one of an IP adapter and its image is set, or an adapter does not fit.
        ModelError: Weights can't be loaded.
    """
    _check_ip_adapter(conditioning)
    check_scheduler(conditioning.scheduler)
    with ExitStack() as stack:
        lease = stack.enter_context(context.models.use(model, task, context=context))
        if not conditioning.controlnet.is_empty():
            net = _with_dtype_of(model, conditioning.controlnet, "controlnet", context)
            add_controlnet(lease, task, net, conditioning.control_image, stack, context)
        set_scheduler(lease.pipeline, conditioning.scheduler, context)
        set_shift(lease.pipeline, conditioning.shift, context)
        _load_loras(lease.pipeline, conditioning.loras, stack, context)
        if not conditioning.ip_adapter_model.is_empty():
            _load_ip_adapter(lease, conditioning, model, stack, context)
        yield lease


def conditioning_arguments(
    pipeline: Pipeline, conditioning: Conditioning, context: Context
) -> dict[str, object]:
    """Return the arguments for the IP adapter and the ControlNet: an image, a scale, a mode."""
    arguments = controlnet_arguments(
        pipeline, conditioning.controlnet_conditioning_scale, conditioning.control_mode
    )
    if (
        not conditioning.ip_adapter_model.is_empty()
        and conditioning.ip_adapter_image
        and supports_ip_adapter(type(pipeline))
    ):
        arguments["ip_adapter_image"] = model_image(
            context, conditioning.ip_adapter_image, "ip_adapter_image"
        )
    return arguments


def _clone_modules(pipeline: Pipeline, names: tuple[str, ...]) -> None:
    """Replace the named modules of a pipeline with clones that share their parameters."""
    for name, module in _modules(pipeline, names).items():
        setattr(pipeline, name, clone_sharing_parameters(module))


def _modules(pipeline: Pipeline, names: tuple[str, ...]) -> dict[str, torch.nn.Module]:
    import torch

    found = {name: getattr(pipeline, name, None) for name in names}
    return {name: module for name, module in found.items() if isinstance(module, torch.nn.Module)}


def _check_ip_adapter(conditioning: Conditioning) -> None:
    """Raise NodeError where one of an IP adapter and its image is missing."""
    if not conditioning.ip_adapter_model.is_empty() and _is_missing(conditioning.ip_adapter_image):
        message = "ip_adapter_model is set, but there is no ip_adapter_image."
        raise NodeError(
            message,
            "Connect an image to `ip_adapter_image`.",
            code="missing_image",
            where="ip_adapter_image",
        )
    if conditioning.ip_adapter_model.is_empty() and not _is_missing(conditioning.ip_adapter_image):
        hint = "Set `ip_adapter_model`, such as h94/IP-Adapter with a file in `path`."
        raise NodeError(
            "ip_adapter_image is set, but there is no ip_adapter_model.",
            hint,
            code="missing_model",
            where="ip_adapter_model",
        )


def _is_missing(image: ImageRef | None) -> bool:
    return image is None or image.is_empty()


def _load_loras(
    pipeline: Pipeline, loras: list[LoraModel], stack: ExitStack, context: Context
) -> None:
    """Load LoRAs into the pipeline, except those with scale 0."""
    scaled = [lora for lora in loras if lora.scale != 0 and not lora.is_empty()]
    if not scaled:
        return
    name = type(pipeline).__name__
    if not supports_loras(type(pipeline)):
        context.warn(f"loras is not used: {name} takes none.")
        return
    _clone_modules(pipeline, (*_DENOISERS, *_ENCODERS))
    for index, lora in enumerate(scaled):
        part = stack.enter_context(context.models.use(lora, "tensors", context=context)).part
        denoiser = next(name for name in _DENOISERS if hasattr(pipeline, name))
        _load_lora(pipeline, lora, lora_tensors(part, denoiser), f"lora_{index}", context)
    pipeline.set_adapters(
        [f"lora_{index}" for index in range(len(scaled))], [lora.scale for lora in scaled]
    )


def _load_lora(
    pipeline: Pipeline,
    lora: LoraModel,
    tensors: Mapping[str, torch.Tensor],
    adapter: str,
    context: Context,
) -> None:
    name = type(pipeline).__name__
    hint = "Choose a LoRA made for this family of models."
    check_lora(tensors, lora.repo_id)
    try:
        with shown_in_compute_dtype(_modules(pipeline, (*_DENOISERS, *_ENCODERS)).values()):
            pipeline.load_lora_weights(tensors, adapter_name=adapter)
    except Exception as error:
        raise model_unfit(f"The LoRA {lora.repo_id!r}", name, error, hint, "loras") from error
    if adapter not in {added for names in pipeline.get_list_adapters().values() for added in names}:
        message = (
            f"The LoRA {lora.repo_id!r} changes nothing of {name}: none of its {len(tensors)}"
            " tensors is for a part of it."
        )
        raise NodeError(message, hint, code="model_unfit", where="loras")
    if unused := unused_layers(pipeline, tensors, adapter):
        context.warn(
            f"The LoRA {lora.repo_id!r} is used in part: {name} lacks {unused} of the layers that"
            " it changes."
        )


def _with_dtype_of(model: ModelRef, other: ModelRef, prop: str, context: Context) -> ModelRef:
    """Return a reference to an add-on in the dtype of the model: no other works with it."""
    if other.dtype not in (None, model.dtype):
        context.warn(
            f"{prop} is used in {model.dtype or 'the usual format of the device'}, like the model,"
            f" and not in {other.dtype}."
        )
    return other.model_copy(update={"dtype": model.dtype})


def _load_ip_adapter(
    lease: Lease, conditioning: Conditioning, model: ModelRef, stack: ExitStack, context: Context
) -> None:
    """Load an IP adapter and its image encoder into the pipeline."""
    pipeline = lease.pipeline
    if not supports_ip_adapter(type(pipeline)):
        context.warn(
            f"ip_adapter_model is not used: {type(pipeline).__name__} takes no image prompt."
        )
        return
    adapter = stack.enter_context(
        context.models.use(conditioning.ip_adapter_model, "tensors", context=context)
    ).part
    groups = _adapter_groups(adapter.tensors)
    if not (groups["image_proj"] and groups["ip_adapter"]):
        message = (
            f"{conditioning.ip_adapter_model.repo_id!r} holds no IP adapter: no tensors named"
            " image_proj.… and ip_adapter.…"
        )
        raise NodeError(
            message,
            "Choose the file of an IP adapter in `path`.",
            code="model_unfit",
            where="ip_adapter_model",
        )
    if getattr(pipeline, "image_encoder", None) is None:
        adapter_model = _with_dtype_of(
            model, conditioning.ip_adapter_model, "ip_adapter_model", context
        )
        encoder = _image_encoder_of(adapter_model, type(pipeline).__name__, stack, context)
        network, processor = encoder.part.model, encoder.part.processor
        pipeline.register_modules(image_encoder=network)
        if processor is not None and getattr(pipeline, "feature_extractor", None) is None:
            pipeline.register_modules(feature_extractor=processor)
        lease.compose(pipeline, encoder)
    check_weight_dtypes(
        adapter.tensors,
        f"The IP adapter {conditioning.ip_adapter_model.repo_id!r}",
        "ip_adapter_model",
    )
    _clone_modules(pipeline, _DENOISERS)
    try:
        pipeline.load_ip_adapter(groups, subfolder=None, weight_name=None)
    except Exception as error:
        hint = "Choose an IP adapter made for this family of models."
        raise model_unfit(
            "The IP adapter", type(pipeline).__name__, error, hint, "ip_adapter_model"
        ) from error
    pipeline.set_ip_adapter_scale(conditioning.ip_adapter_scale)


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
