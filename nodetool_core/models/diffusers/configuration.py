"""Settings that a pipeline of diffusers reads, and that the configuration of its models lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodetool_core.context import Pipeline


def complete_configuration(pipeline: Pipeline, target: type) -> None:
    """
    Add the settings that a pipeline of class `target` reads, over the components of `pipeline`.

    ChromaInpaintPipeline of diffusers 0.42 asks whether the transformer takes the guidance scale as
    an input, which a Chroma transformer never does and does not state.
    """
    if target.__name__ != "ChromaInpaintPipeline":
        return
    transformer = pipeline.components["transformer"]
    if "guidance_embeds" not in transformer.config:
        transformer.register_to_config(guidance_embeds=False)
