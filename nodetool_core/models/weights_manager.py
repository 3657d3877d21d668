"""
The weights manager as the engine sees it.

What nodes may use of it is `Models`. A manager of one's own that is no more than that works as
well: it is not told what is coming, and has one thread for all calls.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nodetool_core.context import Models

if TYPE_CHECKING:
    from nodetool_core.models.planning.lookahead import ReadyUse, RunForecast
    from nodetool_core.models.residency.devices import Device
    from nodetool_core.models.residency.replicas import Slot


class Loaded(Protocol):
    """A model whose weights are loaded."""

    @property
    def name(self) -> str: ...


class WeightsManager(Models):
    """
    A manager that plans ahead for all runs of an engine.

    A base class and no protocol: which attributes a manager has can't be looked at without making
    its devices.
    """

    @property
    @abstractmethod
    def devices(self) -> Sequence[Device]:
        """Where models run."""

    @property
    @abstractmethod
    def slots(self) -> Sequence[Slot]:
        """Where calls can be under way at once; each thread that computes needs its own."""

    @abstractmethod
    def forecast(self) -> RunForecast:
        """Return a forecast, which a run updates with what it will use."""

    @abstractmethod
    def run_closed(self, forecast: RunForecast, *, cancelled: bool) -> None:
        """Forget a run that has ended."""

    @abstractmethod
    def pick(
        self, ready: list[ReadyUse], device: str, running: list[ReadyUse], idle: set[str]
    ) -> int | None:
        """
        Return which of the uses that wait a device should take; None where another should.

        Args:
            running: What is under way on other devices.
            idle: Names of the other devices that could take something at once.
        """

    @abstractmethod
    def fits(self, use: ReadyUse, device: str, beside: list[ReadyUse]) -> bool:
        """Return whether a device has the memory for a use beside others under way on it."""

    @abstractmethod
    def at(self, slot: Slot) -> AbstractContextManager[None]:
        """Have what this thread uses in the block placed there."""

    @abstractmethod
    def add_weights(self, weights: Mapping[str, Path]) -> None:
        """Make models known that are folders: by their names."""

    @abstractmethod
    def loaded(self) -> Sequence[Loaded]:
        """Return the models whose weights are all on a device."""

    @abstractmethod
    def free(self) -> int:
        """Drop everything that is not in use; returns the bytes that were freed."""
