"""Metrics: controller-runtime's names for queue and reconcile, so that dashboards fit, and ours."""

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

RECONCILE_TOTAL = Counter(
    "controller_runtime_reconcile", "Reconciliations by result.", ["controller", "result"]
)
RECONCILE_SECONDS = Histogram(
    "controller_runtime_reconcile_time_seconds",
    "Length of a reconciliation.",
    ["controller"],
    buckets=_BUCKETS,
)
QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait for a worker.", ["name"])
QUEUE_ADDS = Counter("workqueue_adds", "Keys added.", ["name"])
QUEUE_SECONDS = Histogram(
    "workqueue_queue_duration_seconds", "Time a key waited.", ["name"], buckets=_BUCKETS
)
QUEUE_RETRIES = Counter("workqueue_retries", "Keys added again after a failure.", ["name"])
LEADER = Gauge("leader_election_master_status", "1 while this process leads.", ["name"])
WRITES = Counter("hourglass_operator_api_writes", "Writes to the API.", ["action", "kind"])
EVENTS_DROPPED = Counter("hourglass_operator_events_dropped", "Events that were not written.")
WATCH_AGE = Gauge("hourglass_operator_watch_age_seconds", "Age of a cache's news.", ["resource"])
PERFORMER_READY = Gauge(
    "hourglass_performer_ready",
    "1 while the performer's Ready is True.",
    ["namespace", "performer"],
)
PERFORMER_INSTANCES = Gauge(
    "hourglass_performer_ready_instances", "Ready instances.", ["namespace", "performer"]
)

for _result in ("success", "error", "requeue", "terminal"):
    RECONCILE_TOTAL.labels("performer", _result)


def forget_performer(namespace: str, name: str) -> None:
    """Remove the series of a performer that is gone."""
    for gauge in (PERFORMER_READY, PERFORMER_INSTANCES):
        with suppress(KeyError):
            gauge.remove(namespace, name)
