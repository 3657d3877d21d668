"""
Which pipeline takes which ControlNets and T2I-Adapters, and how many.

Read off the names of diffusers' classes and the annotations of their constructors.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Final, Literal

from nodetool_core.models.diffusers.families import OUTSIDE_AUTO_PIPELINE
from nodetool_core.models.libraries import import_libraries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nodetool_core.context import Pipeline

CONTROLNET_CLASS_NAMES = {
    "text-to-image": ("Pipeline", ("{net}Pipeline",)),
    "image-to-image": ("Img2ImgPipeline", ("{net}Img2ImgPipeline",)),
    "inpainting": ("InpaintPipeline", ("{net}InpaintPipeline", "{net}InpaintingPipeline")),
}
"""Task to the suffix of a pipeline's class name, without and with a ControlNet."""

_ADAPTED: Final[Mapping[str, str]] = {
    "StableDiffusionPipeline": "StableDiffusionAdapterPipeline",
    "StableDiffusionXLPipeline": "StableDiffusionXLAdapterPipeline",
}
"""Pipelines to those with a T2I-Adapter, which make images from texts alone."""

Several = Literal["no", "yes", "of one network"]


def controlnet_pipeline_class(
    pipeline_class: type, task: str, net: str = "ControlNet"
) -> type | None:
    """
    Return the class that does a pipeline's task with a ControlNet; None where there is none.

    Args:
        net: The kind of network in class names: `ControlNet` or `ControlNetUnion`.
    """
    import_libraries()
    import diffusers
    from diffusers.pipelines import auto_pipeline

    name = pipeline_class.__name__
    plain, controlled = CONTROLNET_CLASS_NAMES[task]
    if had := re.search(r"ControlNet(Union)?", name):
        candidates = [name.replace(had[0], net)]
    else:
        stem = name.removesuffix(plain)
        word = f"{net}PAG" if "PAG" in stem else net
        candidates = (
            [stem.replace("PAG", "") + form.format(net=word) for form in controlled]
            if name.endswith(plain)
            else []
        )
    tables = {
        "text-to-image": "TEXT2IMAGE",
        "image-to-image": "IMAGE2IMAGE",
        "inpainting": "INPAINT",
    }
    mapped = getattr(auto_pipeline, f"AUTO_{tables[task]}_PIPELINES_MAPPING").values()
    known = {found.__name__ for found in mapped} | set(OUTSIDE_AUTO_PIPELINE.get(task, ()))
    return next(
        (getattr(diffusers, candidate) for candidate in candidates if candidate in known), None
    )


def controlnet_classes(pipeline: Pipeline) -> frozenset[str]:
    """Return the names of ControlNet classes for this kind of model."""
    transformer = getattr(pipeline, "transformer", None)
    if transformer is None:
        return frozenset({"ControlNetModel", "ControlNetUnionModel"})
    name = type(transformer).__name__
    return frozenset(
        {
            name.replace("Transformer2DModel", "ControlNetModel"),
            f"{name.removesuffix('Model')}ControlNetModel",
        }
    )


def adapter_pipeline_class(pipeline_class: type, task: str) -> type | None:
    """Return the class that does a pipeline's task with T2I-Adapters; None where there is none."""
    import_libraries()
    import diffusers

    name = _ADAPTED.get(pipeline_class.__name__) if task == "text-to-image" else None
    return getattr(diffusers, name) if name else None


def takes_several(pipeline_class: type) -> Several:
    """
    Return whether a pipeline with a ControlNet takes several at once.

    `of one network`: several images, which one and the same network follows.
    """
    wanted = inspect.signature(pipeline_class).parameters.get("controlnet")
    kinds = "" if wanted is None else str(wanted.annotation)
    if "list[" in kinds:
        return "yes"
    return "of one network" if "MultiControlNet" in kinds else "no"
