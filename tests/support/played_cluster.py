"""A PerformerControl that is played, with one performer to show, or a refusal for everything."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import HourglassError
from hourglass_services.control.port import (
    Act,
    Aim,
    Creation,
    Drained,
    EventKind,
    Filter,
    Masked,
    PerformerPage,
    PerformerView,
    RevisionView,
    WatchEvent,
)

from tests.support.played_control import PlayedControl
from tests.support.shown_performers import NEW, OLD, view

KEPT = (
    RevisionView(hash=NEW, role=Role.STAGED, image="squares:v2", created="2026-01-02T03:50:00Z"),
    RevisionView(
        hash=OLD,
        role=Role.IN_SERVICE,
        image="squares:v1",
        replicas=2,
        ready_replicas=1,
        created="2026-01-02T03:20:00Z",
        in_service_since="2026-01-02T03:30:00Z",
        promoted_by="jo",
        replica_set=f"squares-{OLD}",
    ),
    RevisionView(
        hash="000000000",
        role=Role.RETIRED,
        image="squares:v0",
        created="2026-01-02T02:00:00Z",
        in_service_since="2026-01-02T03:00:00Z",
        rejected="RolledBack",
        rejected_by="al",
    ),
)


@dataclass
class Cluster(PlayedControl):
    """A PerformerControl with one performer, or with none."""

    shown: PerformerView | None = None
    drained: str = "0"
    refusal: HourglassError | None = None

    def __post_init__(self) -> None:
        self.shown = self.shown or view()

    def _answer(self) -> PerformerView:
        if self.refusal is not None:
            raise self.refusal
        assert self.shown is not None
        return self.shown

    async def get(self, namespace: str, name: str) -> PerformerView:
        await super().get(namespace, name)
        return self._answer()

    async def list(
        self, wanted: Filter, page_size: int, page_token: str, expression: str = ""
    ) -> PerformerPage:
        self.asked.append((wanted, page_token, expression))
        return PerformerPage((self._answer(),), "" if page_token else "more")

    async def create(self, creation: Creation) -> PerformerView:
        await super().create(creation)
        return self._answer()

    async def update(self, aim: Aim, masked: Masked) -> PerformerView:
        await super().update(aim, masked)
        return self._answer()

    async def act(self, act: Act, aim: Aim, revision: str = "") -> PerformerView:
        await super().act(act, aim, revision)
        return self._answer()

    async def drain(self, aim: Aim) -> Drained:
        self.asked.append(aim)
        return Drained(self._answer(), self.drained, "0")

    async def delete(self, aim: Aim, uid: str = "", *, force: bool = False) -> None:
        self.asked.append((aim, force))
        self._answer()

    async def list_revisions(self, namespace: str, name: str) -> Sequence[RevisionView]:
        return KEPT

    async def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        async for event in super().watch(wanted, resume_token):
            yield event


def events(*views: PerformerView) -> list[WatchEvent | HourglassError]:
    """Return a watch that shows these states of one performer, and then ends."""
    first, *rest = views
    return [
        WatchEvent(EventKind.ADDED, first, ""),
        WatchEvent(EventKind.SNAPSHOT_DONE, None, "1"),
        *(WatchEvent(EventKind.MODIFIED, each, "2") for each in rest),
    ]
