"""Which components are where, how many bytes they take, and how many are left."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodetool_core.models.residency.component import Component, ComponentRequest
    from nodetool_core.models.residency.devices import Device


class ComponentTable:
    """What is on each device and in host memory. Safe to use from many threads."""

    def __init__(self, budgets: Mapping[str, float]) -> None:
        """
        Make an empty table.

        Args:
            budgets: Bytes by name of device.
        """
        self.budgets = dict(budgets)
        self.activations: dict[str, int] = dict.fromkeys(budgets, 0)
        """Bytes that operations have reserved for their intermediate results, by device."""
        self._table: dict[tuple[Hashable, str], Component] = {}
        self._sizes: dict[Hashable, int] = {}
        self._lock = threading.RLock()

    def components(self) -> list[Component]:
        """Return all components that are on a device or in host memory, or on their way."""
        with self._lock:
            return list(self._table.values())

    def size(self, request: ComponentRequest) -> int:
        """
        Return the bytes of a component: measured where it was there before, else the estimate.
        """
        return self._sizes.get(request.key, request.estimate)

    def known_size(self, key: Hashable) -> int | None:
        """Return the bytes of a component that was there before."""
        return self._sizes.get(key)

    def is_placed(self, keys: Iterable[Hashable], device: str) -> bool:
        """Return whether all are on the device."""
        with self._lock:
            found = [self._table.get((key, device)) for key in keys]
        return all(one is not None and one.is_placed for one in found)

    def used(self, device: str) -> int:
        """Return the bytes of weights on a device or on their way to it."""
        with self._lock:
            return sum(
                one.bytes
                for one in self._table.values()
                if one.device.name == device and (one.is_placed or one.transfer)
            )

    def free_bytes(self, device: str) -> float:
        """Return the bytes of the budget that nothing takes; below 0 where pins exceed it."""
        return self.budgets[device] - self.activations[device] - self.used(device)

    def host_used(self) -> int:
        """Return the bytes of copies in host memory."""
        with self._lock:
            return sum(
                one.bytes
                for one in self._table.values()
                if one.host_copy is not None or self._is_in_host_only(one)
            )

    @staticmethod
    def _is_in_host_only(one: Component) -> bool:
        return one.module is not None and not one.is_placed and one.transfer is None

    def _is_here_or_coming(self, key: Hashable, device: Device) -> bool:
        found = self._table.get((key, device.name))
        return found is not None and (found.is_placed or found.transfer is not None)
