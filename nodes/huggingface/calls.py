"""
One call of a pipeline for one image: seeded, explained where it fails, done again where it must be.

What diffusers does not explain (a black result, numbers that overflow, arguments that it refuses)
becomes an error or a warning.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodetool_core import NodeError
from nodetool_core.models.diffusers.families import quirks_of
from nodetool_core.models.diffusers.finite_check import FiniteCheck, NotFiniteError
from nodetool_core.models.diffusers.full_precision import wide_arguments
from nodetool_core.models.diffusers.latents import LatentsCapture
from nodetool_core.models.diffusers.progress import relayed_warnings, report_steps
from nodetool_core.models.diffusers.prompts import warn_of_truncated_prompts
from nodetool_core.models.diffusers.scheduler_choice import uses_global_rng

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch
    from PIL import Image

    from nodes.huggingface.noise import Noise
    from nodetool_core import Context
    from nodetool_core.context import Lease, Pipeline

_GLOBAL_RNG: Final = threading.Lock()
"""Held while one call uses torch's global random generator, which the process shares."""


@dataclass
class PipelineCalls:
    """Calls of the pipeline of a lease, for one image each."""

    lease: Lease
    context: Context
    capture: LatentsCapture
    finite_check: FiniteCheck
    progress_slice: tuple[int, int] = (0, 1)
    layers: tuple[Image.Image, ...] = ()
    """Of the last image, the lowest first, where the pipeline makes it of layers."""
    is_wide: bool = False
    """Whether it computes in float32, as half precision was too narrow."""

    def image(
        self, arguments: Mapping[str, object], noise: Noise, *, relays_warnings: bool
    ) -> Image.Image:
        """
        Return the image of a call; done again in float32 where numbers overflow.

        Raises NodeError where there is none, or only black.
        """
        generator = noise.generator(self.lease.pipeline, self.context)
        drawn = generator.get_state()
        try:
            return self._checked(arguments, generator, relays_warnings=relays_warnings)
        except NotFiniteError as error:
            dtype = str(self.lease.pipeline.dtype).removeprefix("torch.")
            if self.is_wide or not self.lease.in_full_precision():
                raise _not_finite(error, dtype) from error
            self.context.warn(f"{error} in {dtype}, and it is done again in float32.")
        self.is_wide = True
        try:
            return self._checked(
                arguments, generator.set_state(drawn), relays_warnings=relays_warnings
            )
        except NotFiniteError as error:
            raise _not_finite(error, "float32") from error

    def _checked(
        self, arguments: Mapping[str, object], generator: torch.Generator, *, relays_warnings: bool
    ) -> Image.Image:
        pipeline = self.lease.pipeline
        report_steps(pipeline, self.context, self.progress_slice)
        given = wide_arguments(arguments) if self.is_wide else arguments
        result = _call_pipeline(
            self.lease, given, generator, self.context, relays_warnings=relays_warnings
        )
        self.finite_check.check(pipeline, self.capture.last, self.context)
        made = _made_image(pipeline, result)
        self.layers = tuple(made) if isinstance(made, list) else ()
        image = flatten_layers(made) if isinstance(made, list) else made
        return _checked_image(pipeline, result, image, self.context)


def _not_finite(error: NotFiniteError, dtype: str) -> NodeError:
    """Return the error for a result that holds no numbers, computed in a number format."""
    hint = (
        "The weights are damaged, or a scale (of a LoRA, of guidance) is far too great."
        if dtype == "float32"
        else "Set the model's `dtype` to float32, or to bfloat16, which reaches further; or use a"
        " variant made for this format (for SDXL, a VAE fixed for fp16)."
    )
    return NodeError(f"{error}: computed in {dtype}.", hint, code="not_finite", where="model")


def _call_pipeline(
    lease: Lease,
    arguments: Mapping[str, object],
    generator: torch.Generator,
    context: Context,
    *,
    relays_warnings: bool,
) -> object:
    """Return the result of one call, with the failures of diffusers explained."""
    import torch

    from nodetool_core.models.diffusers.mixed_noise import mixing, unused

    pipeline = lease.pipeline
    context.check_cancelled()
    relayed = (
        relayed_warnings(
            context, truncated=warn_of_truncated_prompts(pipeline, arguments, context.warn)
        )
        if relays_warnings
        else nullcontext()
    )
    with (
        torch.no_grad(),
        relayed,
        _explained_failures(pipeline),
        _seeded_global_rng(pipeline, generator),
        mixing(generator),
    ):
        result = lease.run({**arguments, "generator": generator})
    for prop in unused(generator) if relays_warnings else ():
        context.warn(f"{prop} is not used: {type(pipeline).__name__} draws no such noise.")
    return result


@contextmanager
def _seeded_global_rng(pipeline: Pipeline, generator: torch.Generator) -> Iterator[None]:
    """Seed torch's global generator for a call that draws from it, and restore it afterwards."""
    import torch

    is_global = uses_global_rng(getattr(pipeline, "scheduler", None)) or any(
        quirk.uses_global_rng for quirk in quirks_of(type(pipeline).__name__)
    )
    if not is_global:
        yield
        return
    with _GLOBAL_RNG, torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator.initial_seed())
        yield


def _made_image(pipeline: Pipeline, result: object) -> Image.Image | list[Image.Image]:
    """Return the image of a pipeline's result, or its layers. Raises NodeError without one."""
    # Kandinsky 5 says `image` of a list.
    images = getattr(result, "images", getattr(result, "image", None))
    if images is None or len(images) == 0:
        raise NodeError(
            f"{type(pipeline).__name__} returned no image.",
            "Choose a model that makes images.",
            code="no_image_returned",
            where="model",
        )
    made: Image.Image | list[Image.Image] = images[0]
    return made


def _checked_image(
    pipeline: Pipeline, result: object, image: Image.Image, context: Context
) -> Image.Image:
    """
    Return the image of a pipeline's result.

    Warn where the safety checker blackened it; raise NodeError where it is only black.
    """
    flagged = getattr(result, "nsfw_content_detected", None)
    if flagged and any(flagged):
        context.warn(
            "The model's safety checker found the result unsafe and blackened it. Try another"
            " prompt, seed or strength."
        )
    elif image.convert("RGB").getbbox() is None:
        message = (
            f"{type(pipeline).__name__} returned nothing but black: its numbers overflowed in"
            f" {pipeline.dtype}."
        )
        hint = (
            "Use a variant of the model for this number format (for SDXL, a VAE fixed for fp16), or"
            " run on the CPU."
        )
        raise NodeError(message, hint, code="black_image", where="model")
    return image


def flatten_layers(layers: list[Image.Image]) -> Image.Image:
    """Return the composite of RGBA layers, the first at the bottom."""
    from PIL import Image as Pillow

    image = layers[0].convert("RGBA")
    for layer in layers[1:]:
        image = Pillow.alpha_composite(image, layer.convert("RGBA"))
    return image


@contextmanager
def _explained_failures(pipeline: Pipeline) -> Iterator[None]:
    """Turn failures of a pipeline that a user can fix into errors that say how."""
    name = type(pipeline).__name__
    try:
        yield
    except ValueError as error:
        raise NodeError(
            f"{name} refused its arguments: {error}",
            "Change the property that it names.",
            code="pipeline_refused",
        ) from error
