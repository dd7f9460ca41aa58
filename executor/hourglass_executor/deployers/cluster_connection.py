"""Whether the cluster answers: told by those who ask it, seen in one metric, logged once."""

from collections.abc import Callable

from hourglass_common.runtime.logs import get_logger
from prometheus_client import CollectorRegistry, Gauge

log = get_logger(__name__)


class ClusterConnection:
    """``is_up`` is None until the first answer, or the first that failed to come."""

    def __init__(self, via: str, registry: CollectorRegistry | None = None) -> None:
        self._via = via
        self.is_up: bool | None = None
        self.why = ""
        self._listeners: list[Callable[[], None]] = []
        self._gauge = Gauge(
            "hourglass_executor_cluster_connected",
            "1 while the Kubernetes API, or PerformerControl, answers; 0 while it is away.",
            ("via",),
            registry=registry or CollectorRegistry(),
        ).labels(via)

    def listen(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called whenever the connection has come or gone."""
        self._listeners.append(changed)

    def answered(self, method: str, code: str) -> None:
        """Take in one answer of the Kubernetes API: its status, or ``<error>`` for none."""
        if code == "<error>" or code == "401" or code.startswith("5"):
            self.away(f"{method} was answered with {code}")
        else:
            self.up()

    def up(self) -> None:
        if self.is_up is False:
            log.info("the cluster answers again", via=self._via)
        self._become(True, "")

    def away(self, why: str) -> None:
        if self.is_up is not False:
            log.warning(
                "the cluster does not answer: tasks go on to the endpoints last known, new "
                "deployments are refused until it is back",
                via=self._via,
                why=why,
            )
        self._become(False, why)

    def _become(self, is_up: bool, why: str) -> None:
        changed = is_up is not self.is_up
        self.is_up, self.why = is_up, why
        if changed:
            self._gauge.set(is_up)
            for listener in tuple(self._listeners):
                listener()
