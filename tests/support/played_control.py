"""A PerformerControl that a test plays: it remembers what was asked, and answers from a script."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.port import (
    Act,
    Aim,
    Creation,
    Drained,
    Explanation,
    Filter,
    InstanceSteps,
    LogLine,
    LogQuery,
    Masked,
    PerformerPage,
    PerformerView,
    RevisionView,
    Step,
    StepState,
    WatchEvent,
)

SPEC = {"avsAddress": "0xAB", "image": "demo:1"}
EXPLANATION = Explanation(
    serving=False,
    summary="it is fenced; unfence it",
    revision="abc",
    steps=(
        Step("Exists", StepState.PASSED),
        Step("Unfenced", StepState.BLOCKED, "Fenced", "it is fenced", "unfence it"),
        Step("Ready", StepState.SKIPPED, "NotReached", "looked at once Unfenced holds"),
    ),
    instances=(
        InstanceSteps("a-1", "abc", Role.DRAINING, False, (Step("Running", StepState.WAITING),)),
    ),
)
REVISION = RevisionView(
    hash="abc",
    role=Role.STAGED,
    image="demo:1",
    replicas=2,
    ready_replicas=1,
    created="2026-01-02T03:04:05Z",
    in_service_since="2026-01-02T03:05:05Z",
    promoted_by="jo",
    rejected="Aborted",
    rejected_by="al",
    gate="Passed",
    replica_set="a-abc",
    endpoints=(
        Endpoint(
            performer_id="ns/a",
            revision="abc",
            instance="a-1",
            address="10.0.0.1:9090",
            role=Role.STAGED,
            ready=True,
        ),
    ),
)
LINES = (
    LogLine("a-1", "abc", "2026-01-02T03:04:05.000000007Z", "up"),
    LogLine("a-2", "abc", "", "no time here"),
)


def view(name: str = "a", namespace: str = "default", **spec: Any) -> PerformerView:
    meta = {"namespace": namespace, "name": name}
    return PerformerView({"metadata": meta, "spec": {**SPEC, **spec}})


@dataclass
class PlayedControl:
    """Implements ``PerformerControlPort``."""

    asked: list[object] = field(default_factory=list)
    scripts: list[list[WatchEvent | HourglassError]] = field(default_factory=list)

    async def create(self, creation: Creation) -> PerformerView:
        self.asked.append(creation)
        return view(creation.name, creation.namespace)

    async def get(self, namespace: str, name: str) -> PerformerView:
        self.asked.append((namespace, name))
        return view(name, namespace)

    async def list(
        self, wanted: Filter, page_size: int, page_token: str, expression: str = ""
    ) -> PerformerPage:
        self.asked.append((wanted, page_size, page_token, expression))
        return PerformerPage((view("a"), view("b")), "more")

    async def update(self, aim: Aim, masked: Masked) -> PerformerView:
        self.asked.append((aim, masked))
        return view(aim.name, aim.namespace)

    async def scale(self, aim: Aim, replicas: int) -> PerformerView:
        self.asked.append((aim, replicas))
        return view(aim.name, aim.namespace, replicas=replicas)

    async def act(self, act: Act, aim: Aim, revision: str = "") -> PerformerView:
        self.asked.append((act, aim, revision))
        return view(aim.name, aim.namespace)

    async def drain(self, aim: Aim) -> Drained:
        self.asked.append(aim)
        return Drained(view(aim.name, aim.namespace), "0", "unknown")

    async def delete(self, aim: Aim, uid: str = "", *, force: bool = False) -> None:
        self.asked.append((aim, uid, force))
        raise HourglassError(Code.NOT_FOUND, "none there", reason="PERFORMER_NOT_FOUND")

    async def explain(self, namespace: str, name: str, revision: str = "") -> Explanation:
        self.asked.append((namespace, name, revision))
        return EXPLANATION

    async def list_revisions(self, namespace: str, name: str) -> Sequence[RevisionView]:
        self.asked.append((namespace, name))
        return (REVISION,)

    async def logs(self, query: LogQuery) -> AsyncIterator[LogLine]:
        self.asked.append(query)
        for line in LINES:
            yield line

    async def report_drain(
        self,
        namespace: str,
        name: str,
        uid: str,
        executor: str,
        reports: Sequence[DrainReport],
    ) -> None:
        self.asked.append((namespace, name, uid, executor, tuple(reports)))

    async def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        self.asked.append((wanted, resume_token))
        for step in self.scripts.pop(0):
            if isinstance(step, HourglassError):
                raise step
            yield step
