"""
Calling a pipeline so that memory that runs out is not the end.

    1. Reserve what the call is expected to need besides the weights; weights that nobody uses make
       room.
    2. Out of memory: all weights that nobody uses go, freed memory is handed back, and the call is
       done again.
    3. Still out: the autoencoder works in tiles, the modules keep their weights in host memory and
       take them to the device group by group as they run (on a stream of its own where there is
       one), and the call is done again. It stays so until the block ends that borrowed the
       pipeline.
    4. Still out: an error that says what was needed, what was free, and three things to change.

Each attempt begins anew: random generators are set back, and schedulers and modules are as they
were lent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodetool_core.errors import ModelError, Problem
from nodetool_core.models.diffusers.low_memory import offloaded, tiled
from nodetool_core.models.diffusers.schedulers import copied_scheduler, is_stateful
from nodetool_core.models.residency.transfer import return_memory

if TYPE_CHECKING:
    import torch

    from nodetool_core.context import Pipeline
    from nodetool_core.models.calls.lease import Lease
    from nodetool_core.models.residency.activation_memory import ActivationMemory, Meter
    from nodetool_core.models.residency.weight_store import WeightStore

_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|failed to allocate", re.IGNORECASE
)


@dataclass(frozen=True)
class OomRecovery:
    """What calling a pipeline needs to know of the manager."""

    store: WeightStore
    activations: ActivationMemory
    meter: Meter

    def call(self, lease: Lease, arguments: Mapping[str, object]) -> object:
        """
        Return what the pipeline of a lease returns.

        Raises ModelError with the code `out_of_memory` where nothing helps, and whatever else the
        pipeline raises.
        """
        pixels = pixels_of(lease.pipeline, arguments)
        attempt = _Attempt(lease, arguments)
        name, device, context = lease.name, lease.device, lease.context
        with self._reserved(lease, pixels):
            if lease.low_memory is None:
                try:
                    return attempt.run()
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                context.warn(
                    f"{name} ran out of memory on {device.name}: weights that are not in use were"
                    " evicted, and it is done again."
                )
                self.store.make_room(device, self.store.budgets[device.name])
                return_memory()
                try:
                    return attempt.run()
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                context.warn(
                    f"{name} still ran out of memory: it is done in tiles, with weights in host"
                    " memory, which takes longer."
                )
                self._begin_low_memory(lease)
            try:
                return attempt.run()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise self._out_of_memory(lease, pixels, error) from error

    def _begin_low_memory(self, lease: Lease) -> None:
        """Save memory until the first of the leases ends."""
        pipeline, device, low_memory = lease.pipeline, lease.device, ExitStack()
        for one in lease.all:
            one.low_memory = low_memory
        low_memory.enter_context(tiled(pipeline))
        moved = low_memory.enter_context(offloaded(pipeline, device))
        for state in lease.all_states:
            is_moved = not device.is_host and not moved.isdisjoint(map(id, state.module.modules()))
            low_memory.enter_context(state.changed(moves=is_moved))
        if not device.is_host:
            low_memory.callback(
                self.store.displaced,
                [component for one in lease.all for component in one.components],
            )
        return_memory()

    def _out_of_memory(self, lease: Lease, pixels: int, error: Exception) -> ModelError:
        device = lease.device
        needed = self.activations.estimate((lease.name, lease.task), pixels)
        free = self.meter.free(device)
        free = max(0, int(self.store.free_bytes(device.name))) if free is None else free
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = (
            f"ran out of memory on {device.name}, also with weights in host memory and in tiles. It"
            f" needs about {_gib(needed)} besides its weights for {pixels:,} pixels; {_gib(free)}"
            f" are free. ({said})"
        )
        hint = (
            "Use a smaller image or fewer at once; a smaller model, or this one with `quantization`"
            " fp8 or `variant` fp16; or "
        )
        hint += "close other programs that use the device."
        return ModelError(Problem("out_of_memory", lease.name, message, hint))

    @contextmanager
    def _reserved(self, lease: Lease, pixels: int) -> Iterator[None]:
        what, device = (lease.name, lease.task), lease.device
        if not self.meter.can_measure(device):
            yield
            return
        size = self.activations.estimate(what, pixels)
        self.store.reserve(device, size)
        held = self.meter.start(device)
        try:
            yield
            self.activations.learn(what, pixels, self.meter.peak(device) - held)
        finally:
            self.store.reserve(device, -size)


class _Attempt:
    """A call that can be done again."""

    def __init__(self, lease: Lease, arguments: Mapping[str, object]) -> None:
        self._lease = lease
        self.pipeline = pipeline = lease.pipeline
        self._states = lease.all_states
        self._arguments = arguments
        given: Any = arguments.get("generator")
        self._generators: list[torch.Generator] = (
            given if isinstance(given, list) else [] if given is None else [given]
        )
        self._drawn = [generator.get_state() for generator in self._generators]
        self._lent = {
            name: copied_scheduler(part)
            for name, part in vars(pipeline).items()
            if is_stateful(part)
        }

    def run(self) -> object:
        try:
            with self._lease.options.applied(
                self.pipeline, self._arguments, self._lease.context.warn
            ):
                return self.pipeline(**self._arguments)
        except Exception:
            for state in self._states:
                state.put_back()
            for generator, drawn in zip(self._generators, self._drawn, strict=True):
                generator.set_state(drawn)
            for name, scheduler in self._lent.items():
                vars(self.pipeline)[name] = copied_scheduler(scheduler)
            raise


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception states that memory ran out, in any library's words."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(str(error)))


def pixels_of(pipeline: Pipeline, arguments: Mapping[str, object]) -> int:
    """Return how many pixels a call makes in all."""
    from PIL import Image

    image = arguments.get("image")
    images: list[object] = image if isinstance(image, list) else [image]
    given = next((one.size for one in images if isinstance(one, Image.Image)), None)
    side = _native_side(pipeline)
    width, height = given or (
        _whole(arguments.get("width"), side),
        _whole(arguments.get("height"), side),
    )
    return width * height * len(images) * _whole(arguments.get("num_images_per_prompt"), 1)


def _whole(value: object, default: int) -> int:
    """Return a number of an argument; the default where it has none, or 0."""
    return int(value) if isinstance(value, (int, float)) and value else default


def _native_side(pipeline: Pipeline) -> int:
    denoiser = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    samples = getattr(getattr(denoiser, "config", None), "sample_size", None)
    return (
        int(samples * getattr(pipeline, "vae_scale_factor", 8))
        if isinstance(samples, int)
        else 1024
    )


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
