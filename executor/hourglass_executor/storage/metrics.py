"""What the store tells of its commits."""

from prometheus_client import CollectorRegistry, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_WRITES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class StoreMetrics:
    """The count of either histogram is that of the commits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "executor_store_commit_seconds",
            "Time from the begin of a transaction to the end of its COMMIT.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._writes = Histogram(
            "executor_store_commit_writes",
            "Writes that shared a commit.",
            buckets=_WRITES,
            registry=registry,
        )

    def committed(self, writes: int, seconds: float) -> None:
        """Count a commit; may be called on any thread."""
        self._seconds.observe(seconds)
        self._writes.observe(writes)
