"""
What a server is doing, as Prometheus asks for it: read off its parts at each scrape.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nodetool_core.errors import NodetoolError
from nodetool_core.server.runtime.app_state import AppState
from nodetool_core.server.runtime.devices import device_memory

if TYPE_CHECKING:
    from nodetool_core.engine.caching.memory import CacheInfo

_log = logging.getLogger(__name__)


class AppStateCollector(Collector):
    """Collects the figures of one server."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    def register(self) -> None:
        """Be asked at each scrape from now on."""
        self._state.metrics.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        state = self._state
        yield GaugeMetricFamily(
            "nodetool_queue_waiting", "Requests that wait for their run.", state.runs.waiting
        )
        yield GaugeMetricFamily(
            "nodetool_runs_under_way", "Runs of requests under way.", state.runs.under_way
        )
        yield GaugeMetricFamily(
            "nodetool_cache_answers", "Answers kept for repeated requests.", len(state.cache)
        )
        yield GaugeMetricFamily(
            "nodetool_cache_bytes", "Bytes of those answers.", state.cache.bytes
        )
        yield CounterMetricFamily(
            "nodetool_cache_hits", "Requests answered from the cache.", state.cache.hits
        )
        yield CounterMetricFamily(
            "nodetool_cache_misses", "Requests that were not.", state.cache.misses
        )
        results: CacheInfo | None = getattr(state.engine.cache, "info", None)
        yield GaugeMetricFamily(
            "nodetool_results_bytes",
            "Bytes of nodes' results in memory.",
            results.bytes if results else 0,
        )
        yield GaugeMetricFamily(
            "nodetool_encodings_bytes",
            "Bytes of what encoders of models gave.",
            state.models.encoder_cache.size,
        )
        yield from self._models()
        yield from self._jobs()
        yield from _device_memory()

    def _models(self) -> Iterator[Metric]:
        models = self._state.models
        # Asked only once something was loaded: before that, asking would look for devices.
        is_used = bool(models.loads)
        yield CounterMetricFamily(
            "nodetool_model_loads", "Times that weights were loaded.", models.loads
        )
        drops = models.counts.drops if is_used else 0
        yield CounterMetricFamily(
            "nodetool_model_evictions", "Components of models that were let go of.", drops
        )
        loaded = models.loaded() if is_used else []
        family = GaugeMetricFamily(
            "nodetool_model_bytes", "Bytes of the weights that are loaded.", labels=["model"]
        )
        for one in loaded:
            family.add_metric([one.name], one.bytes)
        yield family

    def _jobs(self) -> Iterator[Metric]:
        up = "Whether the database of jobs answers; without it nothing is said of jobs."
        try:
            counts = self._state.job_counts()
        except NodetoolError as error:
            _log.warning("Jobs can't be counted: %s", error)
            yield GaugeMetricFamily("nodetool_database_up", up, 0)
            return
        yield GaugeMetricFamily("nodetool_database_up", up, 1)
        family = GaugeMetricFamily("nodetool_jobs", "Jobs by state.", labels=["state"])
        for state, count in counts.items():
            family.add_metric([state], count)
        yield family
        stored = self._state.jobs.files.total_bytes()
        yield GaugeMetricFamily(
            "nodetool_stored_bytes", "Bytes of uploads and results in the storage.", stored
        )


def _device_memory() -> Iterator[Metric]:
    """Yield the memory of the devices."""
    found = device_memory()
    if not found:
        return
    family = GaugeMetricFamily(
        "nodetool_device_memory_bytes", "Memory of the devices.", labels=["device", "kind"]
    )
    for one in found:
        family.add_metric([f"cuda:{one.number}", "used"], one.total - one.free)
        family.add_metric([f"cuda:{one.number}", "total"], one.total)
    yield family
