"""What the dispatcher counts. Labels are bounded: known AVSs, gRPC's codes, live instances."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hourglass_executor.routing.health import HealthStatus
from hourglass_executor.routing.slot import EndpointView

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_BREAKER_VALUE = {"Closed": 0, "HalfOpen": 1, "Open": 2}


class DispatchMetrics(Collector):
    """Reads endpoints at scrape time, so that an endpoint that is gone leaves no series."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        endpoints: Callable[[], Sequence[EndpointView]],
        waiting: Callable[[], dict[str, int]],
    ) -> None:
        self._endpoints = endpoints
        self._waiting = waiting
        self._codes: dict[str, set[str]] = {}
        self._seconds = Histogram(
            "executor_task_seconds",
            "Time from dispatch to the end of a task, waiting included.",
            ("avs", "code"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._retries = Counter(
            "executor_retries",  # the library appends _total
            "Attempts after the first.",
            ("avs",),
            registry=registry,
        )
        self._hedges = Counter(
            "executor_hedges",
            "Second attempts beside a first one that is still out.",
            ("avs",),
            registry=registry,
        )
        registry.register(self)

    def task_ended(self, avs: str, code: str, seconds: float) -> None:
        self._codes.setdefault(avs, set()).add(code)
        self._seconds.labels(avs, code).observe(seconds)

    def retried(self, avs: str) -> None:
        self._codes.setdefault(avs, set())
        self._retries.labels(avs).inc()

    def hedged(self, avs: str) -> None:
        self._codes.setdefault(avs, set())
        self._hedges.labels(avs).inc()

    def counted(self) -> tuple[str, ...]:
        """Return the AVSs that have series."""
        return tuple(self._codes)

    def forget(self, avs: str) -> None:
        """Remove the series of an AVS that no performer serves any more."""
        for code in self._codes.pop(avs, set[str]()):
            self._seconds.remove(avs, code)
        self._retries.remove_by_labels({"avs": avs})
        self._hedges.remove_by_labels({"avs": avs})

    def collect(self) -> Iterator[Metric]:
        labels = ("avs", "performer", "instance")
        in_flight = GaugeMetricFamily(
            "executor_inflight", "Calls to an instance that have not ended.", labels=labels
        )
        breaker = GaugeMetricFamily(
            "executor_breaker_state", "0 closed, 1 half-open, 2 open.", labels=labels
        )
        usable = GaugeMetricFamily(
            "executor_endpoint_usable", "1 where the next task could go.", labels=labels
        )
        connected = GaugeMetricFamily(
            "executor_endpoint_connected", "1 while its channel is READY.", labels=labels
        )
        serving = GaugeMetricFamily(
            "executor_endpoint_serving", "1 while its health is SERVING.", labels=labels
        )
        for view in self._endpoints():
            values = (view.avs, view.performer_id, view.instance)
            in_flight.add_metric(values, view.in_flight)
            breaker.add_metric(values, _BREAKER_VALUE[view.breaker])
            usable.add_metric(values, 1.0 if view.skipped is None else 0.0)
            connected.add_metric(values, float(view.connected))
            serving.add_metric(values, float(view.health is HealthStatus.SERVING))
        queued = GaugeMetricFamily(
            "executor_queue", "Tasks that wait for an instance.", labels=("avs",)
        )
        for avs, count in self._waiting().items():
            queued.add_metric((avs,), count)
        yield from (in_flight, breaker, usable, connected, serving, queued)
