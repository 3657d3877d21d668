"""
What Prometheus scrapes.

Counters are kept by the request; the rest is read off the server when it is requested.
"""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_log = logging.getLogger(__name__)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["dialect", "route", "method"]
        self._requests = Counter(
            "nodetool_requests",
            "Requests that were answered.",
            [*labels, "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "nodetool_request_seconds",
            "Time to the answer.",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._labelled: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, dialect: str, route: str, method: str, status: int, seconds: float) -> None:
        """
        Count a request that was answered.

        `route` is the pattern of its path, so that there are only so many; so are methods.
        """
        method = method if method in _METHODS else "other"
        found = self._labelled.get((dialect, route, method, status))
        if found is None:
            pair = (
                self._requests.labels(dialect, route, method, str(status)),
                self._seconds.labels(dialect, route, method),
            )
            found = self._labelled[dialect, route, method, status] = pair
        found[0].inc()
        found[1].observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self.registry)
