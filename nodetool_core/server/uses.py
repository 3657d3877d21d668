"""What a served workflow can be used for: images from a text or from images, masked or not."""

from __future__ import annotations

from typing import Final

from nodetool_core.references import ImageRef
from nodetool_core.server.served_workflow import ServedWorkflow, Task

_MASKS: Final = ("mask", "mask_image")


def image_inputs(served: ServedWorkflow) -> list[str]:
    """Return the inputs that take one image to start from, the first of them first."""
    names = [name for name, given in served.inputs.items() if given.prop.annotation is ImageRef]
    found = [name for name in names if name != mask_input(served)]
    return sorted(found, key=lambda name: name != "image")


def mask_input(served: ServedWorkflow) -> str | None:
    """Return the input that takes a mask, white where the image is made anew."""
    return next((name for name in _MASKS if _takes_image(served, name)), None)


def images_input(served: ServedWorkflow) -> str | None:
    """Return the input that takes a list of images."""
    return next(
        (name for name, given in served.inputs.items() if given.prop.annotation == list[ImageRef]),
        None,
    )


def starts_from_images(task: Task | None, served: ServedWorkflow) -> bool:
    """Return whether it makes images from images, as it is served for a task."""
    if task == "text-to-image":
        return False
    return bool(served.image_outputs and (image_inputs(served) or images_input(served)))


def _takes_image(served: ServedWorkflow, name: str) -> bool:
    return name in served.inputs and served.inputs[name].prop.annotation is ImageRef
