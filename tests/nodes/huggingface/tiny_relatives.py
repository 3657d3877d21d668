"""
Tiny pipelines over the parts of others.

Those that repositories name, and that no automatic choice of diffusers covers.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import diffusers

from tests.nodes.huggingface.tiny_text_models import chroma
from tests.nodes.huggingface.tiny_transformers import flux2_klein, flux_kontext

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def chroma_image() -> DiffusionPipeline:
    return _over(chroma(), "ChromaImg2ImgPipeline")


def chroma_inpainting() -> DiffusionPipeline:
    return _over(chroma(), "ChromaInpaintPipeline")


def flux2_klein_inpainting() -> DiffusionPipeline:
    return _over(flux2_klein(), "Flux2KleinInpaintPipeline")


def flux2_klein_kv() -> DiffusionPipeline:
    return _over(flux2_klein(), "Flux2KleinKVPipeline")


def flux_kontext_inpainting() -> DiffusionPipeline:
    return _over(flux_kontext(), "FluxKontextInpaintPipeline")


def _over(pipeline: DiffusionPipeline, class_name: str) -> DiffusionPipeline:
    """Return a pipeline of another class with the parts of this one that it takes."""
    cls = getattr(diffusers, class_name)
    taken = inspect.signature(cls).parameters
    made: DiffusionPipeline = cls(
        **{name: part for name, part in pipeline.components.items() if name in taken}
    )
    return made


RELATIVES = {
    builder.__name__: builder
    for builder in (
        chroma_image,
        chroma_inpainting,
        flux2_klein_inpainting,
        flux2_klein_kv,
        flux_kontext_inpainting,
    )
}
"""By name."""
