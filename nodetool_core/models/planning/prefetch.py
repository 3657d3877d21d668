"""
Fetching ahead: while a node computes, the weights of the next one come.

One thread for each device, alive only while there is something to fetch, follows the plan: it
brings what the next load would bring, and drops what that load would drop, if nobody uses that any
more. So it makes no load that would not be made anyway. What does not fit beside what is in use is
read into host memory, where there is room for it.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from nodetool_core.errors import NodetoolError

if TYPE_CHECKING:
    from nodetool_core.models.planning.lookahead import LookaheadPlanner
    from nodetool_core.models.residency.component import ComponentRequest
    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.residency.weight_store import WeightStore


class Prefetch:
    """The threads that fetch ahead for one manager."""

    def __init__(
        self,
        store: WeightStore,
        lookahead: LookaheadPlanner,
        requests: Mapping[Hashable, ComponentRequest],
    ) -> None:
        """
        Make it without a thread.

        Args:
            requests: How to read each component that is known.
        """
        self.fetched = 0
        """Components that were brought ahead of their use."""
        self._store = store
        self._lookahead = lookahead
        self._requests = requests
        self._at_work: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def wake(self, device: Device) -> None:
        """Look whether there is something to fetch, as something was loaded or used."""
        if self._store.is_placed(self._lookahead.needed(), device.name):
            return
        with self._lock:
            if device.name in self._at_work:
                return
            thread = threading.Thread(
                target=self._work,
                args=(device,),
                name=f"nodetool-prefetch-{device.name}",
                daemon=True,
            )
            self._at_work[device.name] = thread
        thread.start()

    def wait(self) -> None:
        """Wait until all that was to be fetched is there."""
        while True:
            with self._lock:
                threads = list(self._at_work.values())
            if not threads:
                return
            for thread in threads:
                thread.join()

    def _work(self, device: Device) -> None:
        try:
            while self._fetch(device):
                pass
        finally:
            with self._lock:
                del self._at_work[device.name]

    def _fetch(self, device: Device) -> bool:
        """Fetch for the next load; False where there is none, or it has to wait."""
        step = self._lookahead.next_load(device)
        if step is None:
            return False
        requests = [self._requests[key] for key in step.loads if key in self._requests]
        try:
            brought = self._store.prefetch(requests, device, step.drops)
        except (NodetoolError, RuntimeError, OSError, MemoryError):
            # Whoever needs it gets the error.
            return False
        self.fetched += brought
        return brought > 0 and not step.drops
