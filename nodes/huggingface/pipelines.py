"""
Running a diffusers pipeline for a node: the one place that every diffusion node goes through.

`generate` brings the image to a size the model can take, passes the arguments that the pipeline's
signature takes, reports each step, ends at the next step when the run is cancelled, and answers
what diffusers leaves unsaid (a black result, memory that ran out) with an error or a warning.
"""

from __future__ import annotations

import logging
import math
import re
import secrets
import threading
from collections.abc import Sequence, Sized
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nodes.huggingface.arguments import call_arguments, check_steps
from nodes.huggingface.families import quirks_of
from nodes.huggingface.finite_check import FiniteCheck
from nodes.huggingface.latents import Latents, LatentsCapture
from nodes.huggingface.previews import chain_callbacks, preview_callback
from nodes.huggingface.prompts import warn_of_truncated_prompts
from nodes.huggingface.schedulers import uses_global_rng
from nodes.huggingface.sizes import Size, side_multiple, supported_size, supported_square
from nodetool_core import NodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import torch
    from PIL import Image

    from nodetool_core import Context

_ANY_AREA = re.compile(r"Upscale")
"""Pipelines whose image has no native area: they enlarge whatever they get."""

_SQUARE_ONLY = re.compile(r"^KandinskyImg2Img")
"""
Pipelines that fail on all but squares.

Diffusers 0.42 takes width for height on one of two paths, and compares them.
"""

_SEEDS = 2**64
"""How many seeds torch's generators tell apart."""

_GLOBAL_RNG: Final = threading.Lock()
"""Held while torch's own generator, which the whole process has in common, is one call's."""

_TEXT_MULTIPLE = 8
"""
What sides have to be multiples of where an image is made from text.

Most pipelines check for 8, whatever their model can do.
"""

_RELAYED = re.compile(r"ignored|will be (changed|resized)", re.IGNORECASE)
"""What diffusers logs of the user's own values; the rest is of its insides."""

_TRUNCATED = re.compile(r"truncated", re.IGNORECASE)
"""What it logs of some prompts, for encoders whose length is not known here."""

_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|failed to allocate", re.IGNORECASE
)


@dataclass(frozen=True)
class Generated:
    """What a call made."""

    images: list[Image.Image]
    latents: Latents | None = None
    """What the last image was decoded from, where the pipeline shows it."""

    @property
    def image(self) -> Image.Image:
        """The first image."""
        return self.images[0]


def generate(
    pipeline: Any,
    wanted: Mapping[str, Any],
    *,
    seed: int,
    context: Context,
    image: Image.Image | None = None,
    aligned_images: Mapping[str, Image.Image] | None = None,
    size: Size | None = None,
    reference_images: Sequence[Image.Image] = (),
    count: int = 1,
    progress_slice: tuple[int, int] = (0, 1),
    restore_size: bool = False,
) -> Generated:
    """
    Call a pipeline and return the images it makes.

    Args:
        pipeline: A pipeline of the caller's own, as `context.models.use` lends it.
        wanted: The node's properties by name, such as prompt, strength, num_inference_steps.
        seed: Of the random generator; the same seed gives the same image. The second image is that
            of the next seed.
        context: Gets progress, one report per step, and warnings.
        image: The image to start from, RGB; resized with LANCZOS where the model can't take its
            size.
        aligned_images: Images that lie upon it, such as a mask, by property; brought to the same size.
        size: Of the result, where there is no image to start from; None for the size that the model
            was made for.
        reference_images: Further images to look at, for pipelines that take several.
        count: How many images.
        progress_slice: Which part of how many this call is of a longer work, for its progress.
        restore_size: The caller brings the result back to the size of `image`, so that another one is
            nothing to tell.

    Raises:
        NodeError: The properties leave nothing to do, or the model can't do it.
        RunCancelled: The run was cancelled; the pipeline must not be used again, its weights may.
    """
    check_steps(pipeline, wanted)
    model_input, model_size = image, size
    if image is not None:
        image = _fit_to_model(pipeline, image, context, warns=not restore_size)
        model_input = _stretch_to_square(pipeline, image, context)
        model_size = Size(*model_input.size)
    elif model_size is not None:
        model_size = _supported_size(pipeline, model_size, context)
    image_arguments: dict[str, Any] = (
        {}
        if model_input is None
        else {"image": _image_argument(pipeline, model_input, reference_images)}
    )
    aligned = {
        name: other if model_size is None else _resized(other, model_size)
        for name, other in (aligned_images or {}).items()
    }
    arguments = call_arguments(
        pipeline,
        {**wanted, **image_arguments, **aligned},
        model_size,
        context.warn if progress_slice[0] == 0 else _ignore,
    )
    capture, finite_check = LatentsCapture(), FiniteCheck(pipeline)
    callbacks = [
        show
        for show in (
            preview_callback(pipeline, context, _steps(arguments)),
            capture.callback(pipeline),
        )
        if show is not None
    ]
    if callbacks:
        arguments["callback_on_step_end"] = chain_callbacks(callbacks)
    images = []
    for index in range(count):
        _report_steps(
            pipeline, context, (progress_slice[0] * count + index, progress_slice[1] * count)
        )
        arguments["generator"] = seeded_generator(seed_at(seed, index), context)
        # What is to be said of the first part is so of all.
        is_first = progress_slice[0] == index == 0
        generated = _call_pipeline(pipeline, arguments, context, relays_warnings=is_first)
        finite_check.warn(capture.last, context)
        if model_input is not None and not restore_size and is_first:
            _warn_of_chosen_size(pipeline, generated, model_input, context)
        images.append(
            generated
            if model_input is image or image is None
            else generated.resize(image.size, _lanczos())
        )
    return Generated(images, capture.latents(pipeline, images[-1].size))


def _call_pipeline(
    pipeline: Any, arguments: Mapping[str, Any], context: Context, *, relays_warnings: bool
) -> Image.Image:
    """Return the image of one call; what diffusers says of it reaches the user where it `relays_warnings`."""
    import torch

    context.check_cancelled()
    relayed = (
        _relayed_warnings(
            context, truncated=warn_of_truncated_prompts(pipeline, arguments, context.warn)
        )
        if relays_warnings
        else nullcontext()
    )
    with (
        torch.no_grad(),
        relayed,
        _explained_failures(pipeline),
        _seeded_global_rng(pipeline, arguments["generator"]),
    ):
        result = context.models.call(pipeline, arguments, context=context)
    return _checked_image(pipeline, result, context)


def _image_argument(
    pipeline: Any, image: Image.Image, reference_images: Sequence[Image.Image]
) -> Any:
    """Return the image as a pipeline takes it: by itself, or in a list with those beside it."""
    if reference_images or any(quirk.image_as_list for quirk in quirks_of(type(pipeline).__name__)):
        return [image, *reference_images]
    return _in_mode_of_vae(pipeline, image)


def _ignore(message: str) -> None:
    return None


def _resized(image: Image.Image, size: Size) -> Image.Image:
    return image if image.size == size else image.resize(size, _lanczos())


def _supported_size(pipeline: Any, size: Size, context: Context) -> Size:
    """
    Return the size nearest to what was asked for that the model can make, told where it is another.
    """
    multiple = math.lcm(side_multiple(pipeline), _TEXT_MULTIPLE)
    possible = Size(*(max(multiple, side // multiple * multiple) for side in size))
    if possible != size:
        context.warn(
            f"width and height were changed from {size} to {possible}, which the model can make.",
            given=size,
            used=possible,
        )
    return possible


def _steps(arguments: Mapping[str, Any]) -> int:
    """How many steps the arguments ask for."""
    return max(1, int(arguments.get("num_inference_steps", 1) * arguments.get("strength", 1.0)))


def _fit_to_model(
    pipeline: Any, image: Image.Image, context: Context, *, warns: bool
) -> Image.Image:
    """Return the image at a size that the model can take, told where it is another than its own."""
    given = Size(*image.size)
    fitting = supported_size(
        pipeline, given, any_area=bool(_ANY_AREA.search(type(pipeline).__name__))
    )
    if fitting == given:
        return image
    if warns:
        context.warn(
            f"image was resized from {given} to {fitting}, which the model can take.",
            given=tuple(given),
            used=tuple(fitting),
        )
    return image.resize(fitting, _lanczos())


def _stretch_to_square(pipeline: Any, image: Image.Image, context: Context) -> Image.Image:
    """
    Return the image stretched to a square for a pipeline that takes no other shape.

    The image itself for the rest.
    """
    name = type(pipeline).__name__
    if not _SQUARE_ONLY.search(name) or image.width == image.height:
        return image
    square = supported_square(pipeline, Size(*image.size))
    context.warn(
        f"image was stretched to {square} and the result back, as {name} takes only squares."
    )
    return image.resize(square, _lanczos())


def _in_mode_of_vae(pipeline: Any, image: Image.Image) -> Image.Image:
    """Return the image with an alpha channel for an autoencoder that encodes one."""
    vae = getattr(pipeline, "vae", None)
    return (
        image.convert("RGBA")
        if vae is not None and vae.config.get("input_channels") == 4
        else image
    )


def _warn_of_chosen_size(
    pipeline: Any, image: Image.Image, source: Image.Image, context: Context
) -> None:
    """Warn of a pipeline that chose the size of the result itself."""
    name = type(pipeline).__name__
    if image.size != source.size and not _ANY_AREA.search(name):
        context.warn(
            f"the result has the size {Size(*image.size)}, which {name} chooses itself.",
            used=image.size,
        )


def _lanczos() -> Any:
    from PIL import Image as Pillow

    return Pillow.Resampling.LANCZOS


def seed_at(seed: int, index: int) -> int:
    """
    Returns the seed of the image that is `index` places after the first.

    After the greatest comes 0. Below 0 each is drawn.
    """
    return seed if seed < 0 or index == 0 else (seed + index) % _SEEDS


def seeded_generator(seed: int, context: Context) -> torch.Generator:
    """Return a fresh generator on the CPU, whose numbers are the same on every device."""
    import torch

    if seed < 0:
        seed = secrets.randbelow(2**32)
        context.warn(f"seed was drawn: {seed}.", seed=seed)
    if seed >= _SEEDS:
        raise NodeError(
            f"{seed} is above {_SEEDS - 1}.",
            "Choose a smaller seed.",
            code="invalid_value",
            where="seed",
        )
    return torch.Generator("cpu").manual_seed(seed)


@contextmanager
def _seeded_global_rng(pipeline: Any, generator: torch.Generator) -> Iterator[None]:
    """
    Numbers that a pipeline draws besides those of its generator follow from the same seed, and
    change nothing for others.
    """
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


def _checked_image(pipeline: Any, result: Any, context: Context) -> Image.Image:
    """
    Return the image in what a pipeline returned, looked at for the ways in which it can be none.
    """
    images = getattr(result, "images", None)
    if images is None or len(images) == 0:
        raise NodeError(
            f"{type(pipeline).__name__} returned no image.",
            "Choose a model that makes images.",
            code="no_image_returned",
            where="model",
        )
    image: Image.Image = flatten_layers(images[0]) if isinstance(images[0], list) else images[0]
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
    """Return the image that RGBA layers make, the first at the bottom."""
    from PIL import Image as Pillow

    image = layers[0].convert("RGBA")
    for layer in layers[1:]:
        image = Pillow.alpha_composite(image, layer.convert("RGBA"))
    return image


class StepReporter:
    """
    Stands in for a pipeline's progress bar.

    Reports each step to a context, which raises where the run was cancelled.

    Every diffusers pipeline draws its loop with `self.progress_bar`, with the true number of steps;
    only most have a callback, of three kinds. So this is the one way to follow them all. Used as a
    context manager or as an iterator.
    """

    def __init__(
        self,
        context: Context,
        message: str,
        iterable: Iterable[Any] | None = None,
        total: int | None = None,
        progress_slice: tuple[int, int] = (0, 1),
    ) -> None:
        self._context = context
        self._message = message
        self._iterable = iterable
        self._total = len(iterable) if total is None and isinstance(iterable, Sized) else total or 0
        self._done = 0
        self._before, self._shares = progress_slice

    def update(self, n: int = 1) -> None:
        self._done += n
        total = max(self._total, self._done)
        self._context.progress(
            self._before * total + self._done, self._shares * total, self._message
        )

    def __iter__(self) -> Iterator[Any]:
        for item in () if self._iterable is None else self._iterable:
            self._context.check_cancelled()
            yield item
            self.update()

    def __enter__(self) -> StepReporter:
        self._context.check_cancelled()
        return self

    def __exit__(self, *error: object) -> None:
        return None


def _report_steps(pipeline: Any, context: Context, progress_slice: tuple[int, int]) -> None:
    """Have the pipeline, and those it is made of, report their steps."""
    from diffusers import DiffusionPipeline

    inner = {
        name: part for name, part in vars(pipeline).items() if isinstance(part, DiffusionPipeline)
    }
    for name, part in {"": pipeline, **inner}.items():
        message = "prior" if name == "prior_pipe" else ""

        def progress_bar(
            iterable: Iterable[Any] | None = None, total: int | None = None, message: str = message
        ) -> StepReporter:
            return StepReporter(context, message, iterable, total, progress_slice)

        part.progress_bar = progress_bar


@contextmanager
def _relayed_warnings(context: Context, *, truncated: bool) -> Iterator[None]:
    """
    What diffusers logs as a warning on this thread reaches the user as one.

    Of prompts only where nothing was `truncated` that is known.
    """
    thread = threading.get_ident()

    class Relay(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            if record.thread == thread and (
                _RELAYED.search(message) or (not truncated and _TRUNCATED.search(message))
            ):
                context.warn(message)

    relay = Relay(logging.WARNING)
    logger = logging.getLogger("diffusers")
    logger.addHandler(relay)
    try:
        yield
    finally:
        logger.removeHandler(relay)


@contextmanager
def _explained_failures(pipeline: Any) -> Iterator[None]:
    """Turns the failures of a pipeline that a user can mend into errors that say how."""
    import torch

    name = type(pipeline).__name__
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not isinstance(
            error, (torch.OutOfMemoryError, MemoryError)
        ) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = (
            "Use a smaller image, a smaller model or its fp16 variant, or close other programs that"
            " use the device."
        )
        raise NodeError(
            f"{name} ran out of memory on {pipeline.device}: {reason}",
            hint,
            code="out_of_memory",
            where="model",
        ) from error
    except ValueError as error:
        raise NodeError(
            f"{name} refused its arguments: {error}",
            "Change the property that it names.",
            code="pipeline_refused",
        ) from error
