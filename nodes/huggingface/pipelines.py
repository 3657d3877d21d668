"""
Run a diffusers pipeline for a node: the one place that every diffusion node goes through.

`generate` resizes the image to a supported size, passes the arguments that the pipeline's signature
takes, reports each step, and stops at the next step when the run is cancelled. What may go wrong in
a call is for `calls.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, TypeAlias

from nodes.huggingface.arguments import Warn, call_arguments, check_steps, steps_of_call
from nodes.huggingface.calls import PipelineCalls
from nodes.huggingface.diffusion import model_image
from nodes.huggingface.latents import Latents
from nodes.huggingface.prompts import encoded_prompts
from nodes.huggingface.regions import MASKS, prompt_regions
from nodetool_core.models.diffusers.families import quirks_of
from nodetool_core.models.diffusers.finite_check import FiniteCheck
from nodetool_core.models.diffusers.image_prompts import mask_arguments
from nodetool_core.models.diffusers.latents import LatentsCapture
from nodetool_core.models.diffusers.previews import chain_callbacks, preview_callback
from nodetool_core.models.diffusers.sizes import (
    Size,
    side_multiple,
    supported_size,
    supported_square,
)
from nodetool_core.models.diffusers.step_prompts import TENSOR_INPUTS, tensor_inputs
from nodetool_core.models.diffusers.strength_mask import StrengthMask, takes_strength_mask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image
    from PIL.Image import Resampling

    from nodes.huggingface.noise import Noise
    from nodes.huggingface.units import PromptUnit
    from nodetool_core import Context, ImageRef
    from nodetool_core.context import Lease, Pipeline

Aligned: TypeAlias = "Image.Image | list[Image.Image]"
"""What lies over the result: an image, or several of one kind."""

STRENGTH_MASK = "strength_mask"
"""The aligned image that says where an image may differ, and how far."""

_NO_NOISE_ON_IMAGE = "this model begins with noise alone. Set `strength` to a little less than 1."

_TEXT_MULTIPLE = 8
"""What sides have to be multiples of in text to image: most pipelines check for 8."""


@dataclass(frozen=True)
class Generated:
    """The images of a call, and the latents of the last one."""

    images: list[Image.Image]
    latents: Latents | None = None
    """Latents of the last image, where the pipeline exposes them."""

    @property
    def image(self) -> Image.Image:
        """The first image."""
        return self.images[0]


def generate(
    lease: Lease,
    wanted: Mapping[str, object],
    *,
    noise: Noise,
    context: Context,
    image: Image.Image | None = None,
    aligned_images: Mapping[str, Aligned] | None = None,
    size: Size | None = None,
    reference_images: Sequence[Image.Image] = (),
    prompts: Sequence[PromptUnit] = (),
    count: int = 1,
    progress_slice: tuple[int, int] = (0, 1),
    restore_size: bool = False,
) -> Generated:
    """
    Call a pipeline and return the images that it generates.

    Args:
        lease: What `context.models.use` lends, or `conditioned_pipeline`.
        wanted: The node's properties by name, such as prompt, strength, num_inference_steps.
        noise: Equal noise makes equal images. The second image has that of the next seed, and so
            on.
        context: Receives progress, one report per step, and warnings.
        image: The image to start from, RGB; resized with LANCZOS where the model does not support
            its size.
        aligned_images: Images of the same area, such as a mask, by property, or several of one
            property; resized like `image`.
        size: Size of the result; None for the image's, or the model's own where there is none.
        reference_images: Further images, for pipelines that take several.
        prompts: Further prompts, each with its place.
        count: Number of images.
        progress_slice: Which slice this call is of how many, from 0, for the progress of a longer
            work.
        restore_size: The caller, or a node behind it, brings the result to the size of `image`, so
            that a changed size needs no warning.

    Raises:
        NodeError: The properties leave nothing to do, or the model does not support them.
        RunCancelled: The run was cancelled; use the pipeline no more, its weights are intact.
    """
    pipeline = lease.pipeline
    check_steps(pipeline, wanted)
    is_first = progress_slice[0] == 0
    warn = context.warn if is_first else _ignore
    encoded = encoded_prompts(lease, wanted, context, warns=is_first)
    begun = _Begun.of(pipeline, image, size, context, restore_size=restore_size)
    properties = encoded.properties | _aligned_arguments(aligned_images or {}, begun.size)
    strengths = _strength_mask(pipeline, properties.pop(STRENGTH_MASK, None), warn)
    masks = properties.pop(MASKS, None)
    regions = prompt_regions(lease, prompts, masks, wanted, context, warns=is_first)
    if begun.taken is not None:
        properties["image"] = _image_argument(pipeline, begun.taken, reference_images)
    arguments = call_arguments(pipeline, properties, begun.size, warn)
    capture, finite_check = LatentsCapture(), FiniteCheck(pipeline)
    callbacks = (
        strengths.callback() if strengths else None,
        encoded.by_step.callback() if encoded.by_step else None,
        preview_callback(pipeline, context, steps_of_call(pipeline, encoded.properties)),
        capture.callback(pipeline),
        finite_check.callback(pipeline),
    )
    if any(callbacks):
        arguments["callback_on_step_end"] = chain_callbacks(list(filter(None, callbacks)))
    if encoded.by_step:
        arguments[TENSOR_INPUTS] = tensor_inputs(type(pipeline))
    call = PipelineCalls(lease, context, capture, finite_check)
    images = []
    for index in range(count):
        call.progress_slice = (progress_slice[0] * count + index, progress_slice[1] * count)
        # Warnings about the first slice hold for all.
        is_first = progress_slice[0] == index == 0
        with (
            strengths.applied() if strengths else nullcontext(),
            regions.applied() if regions else nullcontext(),
        ):
            generated = call.image(arguments, noise.of_image(index), relays_warnings=is_first)
        if begun.taken is not None and size is None and not restore_size and is_first:
            _warn_of_chosen_size(pipeline, generated, begun.taken, context)
        images.append(begun.in_shape(generated))
    if strengths and not strengths.is_used:
        warn(f"{STRENGTH_MASK} is not used: {_NO_NOISE_ON_IMAGE}")
    if encoded.properties.get("layers") and call.layers:
        images = list(call.layers)
    latents = capture.latents(pipeline, images[-1].size)
    return Generated(images, None if latents is None else Latents.of(latents))


@dataclass(frozen=True)
class _Begun:
    """What a call starts from."""

    image: Image.Image | None
    """At a size that the model supports."""
    taken: Image.Image | None
    """The same as the pipeline takes it: some support squares only."""
    size: Size | None
    """Of the result; None for the model's own."""

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        image: Image.Image | None,
        size: Size | None,
        context: Context,
        *,
        restore_size: bool,
    ) -> Self:
        """Return what a call starts from, by its arguments; warn of what has to be changed."""
        taken = None
        if image is not None:
            image = _fit_to_model(
                pipeline, image, context, warns=not restore_size, sizes_result=size is None
            )
            taken = _stretch_to_square(pipeline, image, context)
        if size is not None:
            size = _supported_size(pipeline, size, context)
        elif taken is not None:
            size = Size(*taken.size)
        return cls(image, taken, size)

    def in_shape(self, generated: Image.Image) -> Image.Image:
        """Return a result without the stretching to a square."""
        if self.image is None or self.taken is self.image:
            return generated
        return generated.resize(self.image.size, _lanczos())


def _strength_mask(pipeline: Pipeline, mask: object, warn: Warn) -> StrengthMask | None:
    """Return the mask of strengths of a call; None where it changes nothing."""
    from PIL import Image as Pillow

    if not isinstance(mask, Pillow.Image):
        return None
    made = StrengthMask(pipeline, mask)
    if made.is_neutral:
        return None
    if not takes_strength_mask(type(pipeline)):
        warn(f"{STRENGTH_MASK} is not used: {type(pipeline).__name__} has no such setting.")
        return None
    return made


def strength_masks(
    ref: ImageRef | None, size: tuple[int, int], context: Context
) -> dict[str, Image.Image]:
    """Return the mask of strengths of a node as an image that lies over the result, if any."""
    if ref is None or ref.is_empty():
        return {}
    return {STRENGTH_MASK: resized(model_image(context, ref, STRENGTH_MASK, "L"), size)}


def _aligned_arguments(images: Mapping[str, Aligned], size: Size | None) -> dict[str, object]:
    """Return images of the same area as arguments of a pipeline, in the size that it takes."""
    aligned: dict[str, object] = {
        name: image if size is None else map_aligned(image, partial(resized, size=size))
        for name, image in images.items()
    }
    if isinstance(masks := aligned.pop("ip_adapter_masks", None), list):
        aligned |= mask_arguments(masks)
    return aligned


def map_aligned(images: Aligned, change: Callable[[Image.Image], Image.Image]) -> Aligned:
    """Return an image, or each of several, with `change` applied."""
    return [change(one) for one in images] if isinstance(images, list) else change(images)


def _image_argument(
    pipeline: Pipeline, image: Image.Image, reference_images: Sequence[Image.Image]
) -> Image.Image | list[Image.Image]:
    """Return the image as a pipeline takes it: by itself, or in a list with reference images."""
    if reference_images:
        return [image, *reference_images]
    return _in_mode_of_vae(pipeline, image)


def _ignore(message: str) -> None:
    return None


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an image in a size."""
    return image if image.size == size else image.resize(size, _lanczos())


def _supported_size(pipeline: Pipeline, size: Size, context: Context) -> Size:
    """Return the supported size nearest to the requested one; warn where they differ."""
    multiple = math.lcm(side_multiple(pipeline), _TEXT_MULTIPLE)
    possible = Size(*(max(multiple, side // multiple * multiple) for side in size))
    if possible != size:
        context.warn(
            f"width and height were changed from {size} to {possible}, which the model can make.",
            given=size,
            used=possible,
        )
    return possible


def _fit_to_model(
    pipeline: Pipeline, image: Image.Image, context: Context, *, warns: bool, sizes_result: bool
) -> Image.Image:
    """Return the image at a supported size; warn where it was resized."""
    given = Size(*image.size)
    any_area = any(quirk.any_area for quirk in quirks_of(type(pipeline).__name__))
    fitting = supported_size(pipeline, given, any_area=any_area)
    if fitting == given:
        return image
    if warns:
        context.warn(
            f"image was resized from {given} to {fitting}, which the model can take."
            + (" The result has that size." if sizes_result else ""),
            given=tuple(given),
            used=tuple(fitting),
        )
    return image.resize(fitting, _lanczos())


def say_that_size_is_kept(pipeline: Pipeline, image: Image.Image, context: Context) -> None:
    """Warn, before a call, of a result that is made in another size and resized back."""
    given = Size(*image.size)
    any_area = any(quirk.any_area for quirk in quirks_of(type(pipeline).__name__))
    fitting = supported_size(pipeline, given, any_area=any_area)
    if fitting != given:
        context.warn(
            f"the result is made at {fitting}, which the model can take, and resized to {given}:"
            " what is finer is lost.",
            given=tuple(given),
            used=tuple(fitting),
        )


def kept_in_size(made: Generated, source: Image.Image) -> Generated:
    """Return what was made, with all images in the size of another one."""
    return Generated([resized(image, source.size) for image in made.images], made.latents)


def _stretch_to_square(pipeline: Pipeline, image: Image.Image, context: Context) -> Image.Image:
    """Return the image stretched to a square where the pipeline supports no other shape."""
    name = type(pipeline).__name__
    square_only = any(quirk.square_only for quirk in quirks_of(name))
    if not square_only or image.width == image.height:
        return image
    square = supported_square(pipeline, Size(*image.size))
    context.warn(
        f"image was stretched to {square} and the result back, as {name} takes only squares."
    )
    return image.resize(square, _lanczos())


def _in_mode_of_vae(pipeline: Pipeline, image: Image.Image) -> Image.Image:
    """Return the image with an alpha channel where the VAE encodes one."""
    vae = getattr(pipeline, "vae", None)
    return (
        image.convert("RGBA")
        if vae is not None and vae.config.get("input_channels") == 4
        else image
    )


def _warn_of_chosen_size(
    pipeline: Pipeline, image: Image.Image, source: Image.Image, context: Context
) -> None:
    """Warn where the pipeline chose the size of the result itself."""
    name = type(pipeline).__name__
    if image.size != source.size and not any(quirk.any_area for quirk in quirks_of(name)):
        context.warn(
            f"the result has the size {Size(*image.size)}, which {name} chooses itself.",
            used=image.size,
        )


def _lanczos() -> Resampling:
    from PIL import Image as Pillow

    return Pillow.Resampling.LANCZOS
