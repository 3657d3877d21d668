"""The models that were used: what each is made of, on which device, and who uses it now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from nodetool_core.errors import ModelError
from nodetool_core.models.diffusers.tasks import ANY
from nodetool_core.models.protocols import NeverCancelled
from nodetool_core.models.sources.repository_files import part_of

if TYPE_CHECKING:
    from nodetool_core.models.calls.model import Model
    from nodetool_core.models.components.encoder_cache import EncoderCache
    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.runtime import DeviceRuntime
    from nodetool_core.models.sources.resolved import ResolvedModel
    from nodetool_core.models.sources.resolver import Resolver
    from nodetool_core.references import ModelRef


class ModelTable:
    """The models of one manager. Safe to use from many threads."""

    def __init__(
        self,
        resolver: Resolver,
        encoder_cache: EncoderCache,
        runtime: Callable[[], DeviceRuntime],
    ) -> None:
        """
        Make an empty table.

        Args:
            runtime: Returns the devices and the weight store of the manager.
        """
        self._resolver = resolver
        self._encoder_cache = encoder_cache
        self._runtime = runtime
        self._models: dict[Hashable, Model] = {}
        self._known: dict[tuple[ModelRef, str | None], frozenset[Hashable]] = {}
        self._uses = 0
        self._lock = threading.RLock()

    def models(self) -> list[Model]:
        """Return all of them."""
        with self._lock:
            return list(self._models.values())

    def model(self, ref: ModelRef, resolved: ResolvedModel, task: str) -> Model:
        """
        Return the model of a reference for a task, on the device where it is or should be.

        Raises ModelError where its files are none that can be used.
        """
        from nodetool_core.models.calls.model import Model
        from nodetool_core.models.components.component_key import Precision
        from nodetool_core.models.components.recipes import recipe_for

        part = part_of(task)

        def key(device: Device) -> Hashable:
            return (
                str(resolved.path),
                resolved.revision,
                resolved.variant,
                Precision.of(ref, device.dtype),
                device.name,
                part,
            )

        runtime = self._runtime()
        devices = runtime.preferred_devices()
        with self._lock:
            known = [(device, self._models.get(key(device))) for device in devices]
        device, model = next(
            ((one, found) for one, found in known if found is not None and self.is_placed(found)),
            known[0],
        )
        if model is None:
            made = Model(
                recipe_for(resolved, task, Precision.of(ref, device.dtype), self._resolver.hub),
                device,
                self._encoder_cache,
            )
            with self._lock:
                model = self._models.setdefault(key(device), made)
                for part_key, size in model.recipe.estimates.items():
                    runtime.estimates[part_key] = size
                runtime.requests.update({one.key: one for one in model.requests(NeverCancelled())})
        self._known[ref.key, part] = model.keys
        return model

    def begin(self, model: Model) -> None:
        """Note a use of a model."""
        with self._lock:
            self._uses += 1
            model.uses += 1
            model.used = self._uses

    def end(self, model: Model) -> None:
        """Note that a use has ended."""
        with self._lock:
            model.uses -= 1

    def is_placed(self, model: Model) -> bool:
        """Return whether all of a model is on its device."""
        return self._runtime().store.is_placed(model.keys, model.device.name)

    def forget_unused(self) -> None:
        """Forget the models that nobody uses now."""
        with self._lock:
            self._models = {key: model for key, model in self._models.items() if model.uses}

    def forget(self, model: Model) -> None:
        """
        Let go of all that is known of a model, and of components that no other one has.

        Nothing happens where somebody else is using it.
        """
        # Not under the lock of the table: it takes that of the manager.
        runtime = self._runtime()
        with self._lock:
            if model.uses > 1:
                return
            self._models = {key: one for key, one in self._models.items() if one is not model}
            self._known = {
                ref: keys for ref, keys in list(self._known.items()) if keys != model.keys
            }
            gone = model.keys.difference(*(one.keys for one in self._models.values()))
            for key in gone:
                runtime.requests.pop(key, None)
                runtime.estimates.pop(key, None)
        runtime.store.drop(lambda one: one.key not in gone)

    def keys_of(self, ref: ModelRef) -> frozenset[Hashable]:
        """
        Return the keys of what a reference needs on a device, without asking the network.

        The reference itself where none is here.
        """
        ref = ref.key
        known = self._known.get((ref, None))
        if known is not None:
            return known
        try:
            here = self._resolver.here(ref)
            return frozenset({ref}) if here is None else self.model(ref, here, ANY).keys
        except ModelError:
            return frozenset({ref})
