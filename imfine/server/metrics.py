"""Numbers for Prometheus, one registry an app. Counts what it is told; knows no route and no run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter("imfine_events", "Events appended to the log", ["type"], registry=self.registry)
        self.latency = Histogram(
            "imfine_request_seconds",
            "From a request's head to its answer's head",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self.latency.labels(scope["method"] if route != "other" else "any", route, status).observe(seconds)

    def watch(self, runs: Callable[[], Mapping[str, int]], gauges: Mapping[str, Callable[[], int]]) -> None:
        """Reads these whenever somebody asks: runs by state, and what is open, dropped or failed."""
        self.registry.register(_Watched(runs, gauges))

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Watched(Collector):
    def __init__(
        self, runs: Callable[[], Mapping[str, int]], gauges: Mapping[str, Callable[[], int]]
    ) -> None:
        self._runs, self._gauges = runs, gauges

    def describe(self) -> list[Metric]:
        return []  # unknown before somebody asks: the store may be away now

    def collect(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("imfine_runs", "Runs by state", labels=["state"])
        for state, n in self._runs().items():
            states.add_metric([state], n)
        yield states
        for name, read in self._gauges.items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name.removesuffix("_total"), name.replace("_", " "), value=read())
