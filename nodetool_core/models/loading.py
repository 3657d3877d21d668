"""
From files to a pipeline, and from one pipeline to shells of it.

A *base* is a pipeline as it was saved, loaded once; it holds the weights and is never called. A *shell* is a pipeline for
one task over the same weights, with schedulers of its own, made for one call in a few milliseconds: diffusers keeps the
state of a denoising loop in the scheduler and on the pipeline, so that two calls must share neither.
"""

from __future__ import annotations

import copy
import inspect
import logging
import os
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem, near_miss
from nodetool_core.models.layout import Layout, read_layout
from nodetool_core.models.tokenizers import lock_tokenizers

if TYPE_CHECKING:
    from nodetool_core.context import Context
    from nodetool_core.models.devices import Device
    from nodetool_core.models.hub import Hub
    from nodetool_core.models.resolve import ResolvedModel

_AUTO = {
    "image-to-image": ("AutoPipelineForImage2Image", "AUTO_IMAGE2IMAGE_PIPELINES_MAPPING", "image"),
    "text-to-image": ("AutoPipelineForText2Image", "AUTO_TEXT2IMAGE_PIPELINES_MAPPING", "prompt"),
    "inpainting": ("AutoPipelineForInpainting", "AUTO_INPAINT_PIPELINES_MAPPING", "mask_image"),
}
"""Task to the class that picks a pipeline for it, its table, and the argument without which a pipeline can't do the task."""


def load_base(resolved: ResolvedModel, task: str, device: Device, hub: Hub, context: Context) -> Any:
    """
    The pipeline in `resolved`, on the device, in its number format. Takes seconds.

    What the task can't use is refused before the weights are read. Raises ModelError, RunCancelled.
    """
    _quiet_libraries()
    context.check_cancelled()
    if resolved.kind == "file":
        base = _load_file(resolved, device, hub, context)
    else:
        layout = read_layout(resolved.path, resolved.name, resolved.variant)
        denoiser, vae = layout.config("unet"), layout.config("vae")
        check_task(layout.class_name, task, resolved.name)
        check_channels(task, layout.class_name, denoiser.get("in_channels"), vae.get("latent_channels"), resolved.name)
        base = _load_directory(layout, resolved, device)
    context.check_cancelled()
    lock_tokenizers(base)
    return base.to(device.name)


def shell(base: Any, task: str, name: str) -> Any:
    """
    A pipeline for `task` over the weights of `base`, with schedulers of its own. Raises ModelError where it can't do the task.
    """
    import diffusers

    target = check_task(type(base).__name__, task, name)
    components = base.components
    schedulers = {part: type(value).from_config(value.config) for part, value in components.items() if _is_scheduler(value)}
    unet, vae = components.get("unet"), components.get("vae")
    in_channels = unet.config.get("in_channels") if unet is not None else None
    check_channels(task, type(base).__name__, in_channels, vae.config.get("latent_channels") if vae is not None else None, name)
    if target is None:
        made = copy.copy(base)
        for part, scheduler in schedulers.items():
            setattr(made, part, scheduler)
        return made
    # The Auto class, and not `target.from_pipe`, which casts the weights that are shared.
    auto = getattr(diffusers, _AUTO[task][0])
    try:
        return auto.from_pipe(base, **schedulers)
    except ValueError as error:
        message = f"{type(base).__name__} lacks parts that {target.__name__} needs for {task}: {error}"
        raise ModelError(Problem("model_task_unsupported", name, message, "Use a complete model of this family.")) from error


def check_task(class_name: str, task: str, name: str) -> type | None:
    """
    The pipeline class that does `task` with weights saved from `class_name`; None where that class itself does it.

    Raises ModelError where neither can.
    """
    import diffusers
    from diffusers.pipelines import auto_pipeline

    if task not in _AUTO:
        raise ModelError(Problem("task_unknown", task, f"is none of the tasks {', '.join(_AUTO)}.", near_miss(task, _AUTO)))
    _, table, argument = _AUTO[task]
    target: type | None = auto_pipeline._get_task_class(getattr(auto_pipeline, table), class_name, throw_error_if_not_exist=False)
    if target is not None:
        return target
    own = getattr(diffusers, class_name, None)
    if own is None:
        hint = near_miss(class_name, dir(diffusers)) or "A newer diffusers may have it."
        raise ModelError(Problem("model_class_unknown", name, f"needs {class_name}, which diffusers {diffusers.__version__} lacks.", hint))
    taken = inspect.signature(own.__call__).parameters
    if argument not in taken or (task == "image-to-image" and "mask_image" in taken):
        kind = "an inpainting model" if "mask_image" in taken else f"a model for {class_name}"
        message = f"is {kind}, which does no {task}."
        raise ModelError(Problem("model_task_unsupported", name, message, "Choose a model made for this task."))
    return None


def check_channels(task: str, class_name: str, in_channels: int | None, latent_channels: int | None, name: str) -> None:
    """
    Refuse a UNet that takes more than the latents that `task` feeds it, which diffusers finds out in the first convolution.

    Pipelines that no task is mapped to feed their UNets what they need, and are not checked. Raises ModelError.
    """
    from diffusers.pipelines import auto_pipeline

    if in_channels is None or latent_channels is None or in_channels == latent_channels:
        return
    inpaints = in_channels == 2 * latent_channels + 1
    if (task == "inpainting" and inpaints) or auto_pipeline._get_model(class_name) is None:  # type: ignore[no-untyped-call]
        return
    what = "is an inpainting checkpoint" if inpaints else f"is made for another pipeline than {task}"
    message = f"{what}: its UNet takes {in_channels} channels, {task} feeds it {latent_channels}."
    hint = "Use it with an inpainting node, or choose a model for this one." if inpaints else "Choose a model made for this task."
    raise ModelError(Problem("model_unfit", name, message, hint))


def _load_directory(layout: Layout, resolved: ResolvedModel, device: Device) -> Any:
    from diffusers import DiffusionPipeline

    try:
        return DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]
            str(layout.directory),
            dtype=device.dtype,
            variant=resolved.variant,
            use_safetensors=True,
            load_connected_pipeline=True,
            # A file that is mapped and then overwritten takes the process with it; those on the Hub's cache never are.
            disable_mmap=resolved.revision.startswith("blake3:"),
        )
    except (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError, RuntimeError) as error:
        raise _load_failure(resolved.name, layout.class_name, error) from error


def _load_file(resolved: ResolvedModel, device: Device, hub: Hub, context: Context) -> Any:
    """A pipeline from one file in the layout of its authors; which parts it has is told by a repository on the Hub."""
    import diffusers
    from diffusers.loaders.single_file_utils import fetch_diffusers_config, load_single_file_checkpoint
    from safetensors import SafetensorError

    try:
        checkpoint = load_single_file_checkpoint(str(resolved.path))  # type: ignore[no-untyped-call]
        family = fetch_diffusers_config(checkpoint)["pretrained_model_name_or_path"]  # type: ignore[no-untyped-call]
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        hint = "Fetch the file again; it may be cut short."
        raise ModelError(Problem("model_unreadable", resolved.name, f"can't be read as safetensors: {error}.", hint)) from error
    try:
        config = hub.configuration(family, context)
    except ModelError as error:
        message = f"is a single file, which says nothing of its text encoder and tokenizer; those of {family} are needed. {error}"
        hint = "Run once with a network, or use the model as a directory in diffusers form."
        raise ModelError(Problem("model_configuration_missing", resolved.name, message, hint)) from error
    class_name = str(diffusers.DiffusionPipeline.load_config(str(config))["_class_name"])
    pipeline_class = getattr(diffusers, class_name)
    try:
        return pipeline_class.from_single_file(str(resolved.path), config=str(config), dtype=device.dtype, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError, RuntimeError) as error:
        raise _load_failure(resolved.name, class_name, error) from error


def _load_failure(name: str, class_name: str, error: Exception) -> ModelError:
    from torch import OutOfMemoryError

    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    message = f"can't be loaded as {class_name}: {said}"
    if isinstance(error, OutOfMemoryError):
        return ModelError(Problem("out_of_memory", name, message, "Free memory, or use a smaller model or its fp16 variant."))
    if isinstance(error, ImportError):
        return ModelError(Problem("model_needs_package", name, message, "Install the package that it names."))
    return ModelError(Problem("model_load_failed", name, message, "Check that the files are complete and of one model."))


def _is_scheduler(value: Any) -> bool:
    from diffusers import SchedulerMixin

    return isinstance(value, SchedulerMixin)


def _quiet_libraries() -> None:
    """Progress and errors reach the user as events, so diffusers and transformers don't write to the terminal as well."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if "DIFFUSERS_VERBOSITY" not in os.environ:
        diffusers_logging.disable_default_handler()
        # Without any handler, Python itself would write to the terminal.
        logger = logging.getLogger("diffusers")
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
