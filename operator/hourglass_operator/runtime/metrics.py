"""Metrics: controller-runtime's names for queue, reconcile and client, so that dashboards fit.

Every label has a closed set of values, but for the namespace and name of a performer, which are in
``performer_metrics`` and go with their object. Looked up once where they are used: ``labels()``
costs more than what it counts.
"""

from prometheus_client import Counter, Gauge, Histogram

from hourglass_operator.planning.reasons import Note

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROLLOUT_BUCKETS = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400)

RESULTS = ("success", "requeue", "error", "terminal")

RECONCILE_TOTAL = Counter(
    "controller_runtime_reconcile",
    "Reconciliations by result: requeue waits for own writes, terminal needs a change by somebody.",
    ["controller", "result"],
)
RECONCILE_ERRORS = Counter(
    "controller_runtime_reconcile_errors", "Reconciliations that failed.", ["controller"]
)
RECONCILE_SECONDS = Histogram(
    "controller_runtime_reconcile_time_seconds",
    "Length of a reconciliation.",
    ["controller"],
    buckets=_BUCKETS,
)
ACTIVE_WORKERS = Gauge(
    "controller_runtime_active_workers", "Workers that reconcile now.", ["controller"]
)
MAX_WORKERS = Gauge(
    "controller_runtime_max_concurrent_reconciles", "Workers that there are.", ["controller"]
)
QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait for a worker.", ["name"])
QUEUE_ADDS = Counter("workqueue_adds", "Keys added.", ["name"])
QUEUE_SECONDS = Histogram(
    "workqueue_queue_duration_seconds", "Time a key waited.", ["name"], buckets=_BUCKETS
)
WORK_SECONDS = Histogram(
    "workqueue_work_duration_seconds", "Time a key was worked on.", ["name"], buckets=_BUCKETS
)
UNFINISHED_SECONDS = Gauge(
    "workqueue_unfinished_work_seconds",
    "Time that the keys being worked on have taken, all together.",
    ["name"],
)
LONGEST_SECONDS = Gauge(
    "workqueue_longest_running_processor_seconds",
    "Time that the oldest of the keys being worked on has taken.",
    ["name"],
)
QUEUE_RETRIES = Counter("workqueue_retries", "Keys added again after a failure.", ["name"])
LEADER = Gauge("leader_election_master_status", "1 while this process leads.", ["name"])
CLIENT_REQUESTS = Counter(
    "rest_client_requests",
    "Answers of the Kubernetes API by status code; <error> where there was none.",
    ["code", "method"],
)
WRITES = Counter("hourglass_operator_api_writes", "Writes to the API.", ["action", "kind"])
EVENTS_DROPPED = Counter("hourglass_operator_events_dropped", "Events that were not written.")
WATCH_AGE = Gauge(
    "hourglass_operator_watch_age_seconds",
    "Time since the API proved that a kind is followed.",
    ["resource"],
)
ACTS = Counter(
    "hourglass_performer_acts",
    "Promotions, aborts, rollbacks and other acts that were carried out, by reason of their event.",
    ["act"],
)
ROLLOUT_SECONDS = Histogram(
    "hourglass_performer_rollout_duration_seconds",
    "Time from a new revision, or a new performer, to Ready.",
    ["strategy"],
    buckets=_ROLLOUT_BUCKETS,
)

for _note in Note:
    ACTS.labels(_note.value)


def count_answer(method: str, code: str) -> None:
    """Count one answer of the API."""
    CLIENT_REQUESTS.labels(code, method).inc()
