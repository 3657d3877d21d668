"""
Step caches of diffusers: what a transformer computed in a step serves in the next ones.

Steps next to each other differ little. A cache skips blocks, or attention in them, and takes what
they gave before: less time for a result that is near to the plain one. It is put on the transformer
for a call, and taken off when the call ends.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from nodetool_core.models.diffusers.denoisers import transformer_class

if TYPE_CHECKING:
    from nodetool_core.context import Pipeline

_ONE_FORWARD: Final = re.compile(r"^FluxPipeline$")
"""Pipelines whose transformer runs once in a step, where they are not guided by a second prompt."""

_WITHOUT_CONDITIONS: Final = frozenset({"pyramid_attention", "faster"})
"""Caches that keep one state, whichever prompt the transformer runs for."""

_WITH_RATIOS: Final = re.compile(r"^FluxPipeline$")
"""Pipelines for whose models diffusers has the ratios that MagCache needs."""

_USUAL_STEPS: Final = 28


def step_cache_refusal(
    pipeline_class: type, name: str, arguments: Mapping[str, object] | None = None
) -> str:
    """
    Return why a pipeline can't work with a step cache; empty where it can.

    Args:
        arguments: Those of a call; None before it is known.
    """
    pipeline = pipeline_class.__name__
    if not _marks_its_steps(pipeline_class):
        return f"{pipeline} does not say to its transformer which call is which, as caches need it"
    if name == "mag" and not _WITH_RATIOS.search(pipeline):
        return f"MagCache needs ratios that are measured for each model, and {pipeline} has none"
    if name in _WITHOUT_CONDITIONS and not _ONE_FORWARD.search(pipeline):
        return f"{pipeline} runs its transformer twice in a step, which {name} would mix up"
    if name in _WITHOUT_CONDITIONS and _is_guided(arguments or {}):
        return f"a negative prompt runs the transformer twice in a step, which {name} would mix up"
    return ""


def _is_guided(arguments: Mapping[str, object]) -> bool:
    """Return whether a call of a pipeline of `_ONE_FORWARD` is guided by a second prompt."""
    scale = arguments.get("true_cfg_scale")
    has_second = any(
        arguments.get(name) is not None for name in ("negative_prompt", "negative_prompt_embeds")
    )
    return has_second and isinstance(scale, (int, float)) and scale > 1


@cache
def _marks_its_steps(pipeline_class: type) -> bool:
    from diffusers.models.cache_utils import CacheMixin

    transformer = transformer_class(pipeline_class)
    return (
        transformer is not None
        and issubclass(transformer, CacheMixin)
        and "cache_context" in inspect.getsource(pipeline_class.__call__)
    )


@contextmanager
def step_cache(pipeline: Pipeline, name: str, arguments: Mapping[str, object]) -> Iterator[None]:
    """Have the transformer of a pipeline work with a step cache until the block ends."""
    transformer = pipeline.components["transformer"]
    transformer.enable_cache(_configuration(pipeline, name, arguments))
    try:
        yield
    finally:
        if transformer.is_cache_enabled:
            transformer.disable_cache()


def _configuration(pipeline: Pipeline, name: str, arguments: Mapping[str, object]) -> object:
    """Return the settings of a cache: those of diffusers, made for the number of steps."""
    from diffusers.hooks.faster_cache import FasterCacheConfig
    from diffusers.hooks.first_block_cache import FirstBlockCacheConfig
    from diffusers.hooks.mag_cache import FLUX_MAG_RATIOS, MagCacheConfig
    from diffusers.hooks.pyramid_attention_broadcast import PyramidAttentionBroadcastConfig
    from diffusers.hooks.taylorseer_cache import TaylorSeerCacheConfig

    given = arguments.get("num_inference_steps")
    steps = given if isinstance(given, int) else _USUAL_STEPS
    timestep = partial(attrgetter("current_timestep"), pipeline)
    if name == "first_block":
        return FirstBlockCacheConfig(threshold=0.1)
    if name == "taylor_seer":
        return TaylorSeerCacheConfig(cache_interval=3, disable_cache_before_step=max(2, steps // 5))
    if name == "mag":
        return MagCacheConfig(mag_ratios=FLUX_MAG_RATIOS, num_inference_steps=steps)
    if name == "pyramid_attention":
        return PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2,
            spatial_attention_timestep_skip_range=(100, 900),
            current_timestep_callback=timestep,
        )
    return FasterCacheConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=(-1, 901),
        current_timestep_callback=timestep,
        attention_weight_callback=lambda _: 0.3,
        is_guidance_distilled=True,
    )
