"""A router on virtual time, and endpoints to give it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code
from hourglass_common.domain.health import HealthAnswer
from hourglass_common.domain.task import Addressee
from hourglass_executor.routing.events import (
    CallEnded,
    ConnectionChanged,
    Effect,
    EndpointsChanged,
    Event,
    HealthChanged,
    Reject,
    Send,
    TaskArrived,
    Wait,
    key_of,
)
from hourglass_executor.routing.health import Health
from hourglass_executor.routing.policy import RouterPolicy
from hourglass_executor.routing.router import Router
from hourglass_executor.routing.slot import EndpointView

AVS = "0xa"
PERFORMER = "performer"
SERVING = Health(answer=HealthAnswer.SERVING)
NOT_SERVING = Health(answer=HealthAnswer.NOT_SERVING)


def instance(
    name: str, *, role: Role = Role.IN_SERVICE, ready: bool = True, performer_id: str = PERFORMER
) -> Endpoint:
    return Endpoint(
        performer_id=performer_id,
        revision="r1",
        instance=name,
        address=f"{name}:9090",
        role=role,
        ready=ready,
    )


@dataclass
class RouterOnVirtualTime:
    """Time moves only by ``now``; ``u`` is what chance says."""

    policy: RouterPolicy = field(default_factory=RouterPolicy)
    now: float = 100.0
    u: float = 0.0
    tickets: int = 0

    def __post_init__(self) -> None:
        self.router = Router(self.policy)

    def handle(self, event: Event) -> Sequence[Effect]:
        return self.router.handle(event, now=self.now, u=self.u)

    def set(self, *endpoints: Endpoint, avs: str = AVS, performer_id: str = PERFORMER) -> None:
        self.handle(EndpointsChanged(avs, performer_id, endpoints))

    def up(self, *endpoints: Endpoint) -> None:
        """Connect ``endpoints`` and let them report SERVING."""
        for endpoint in endpoints:
            self.handle(ConnectionChanged(key_of(endpoint), connected=True))
            self.handle(HealthChanged(key_of(endpoint), SERVING))

    def serve(self, *names: str) -> list[Endpoint]:
        """Make ``names`` the connected, serving endpoints of the one performer."""
        endpoints = [instance(name) for name in names]
        self.set(*endpoints)
        self.up(*endpoints)
        return endpoints

    def task(
        self, *, avs: str = AVS, seconds: float = 60.0, addressee: Addressee | None = None
    ) -> Send | Wait | Reject:
        """Let a task arrive, and return the last thing said about it."""
        self.tickets += 1
        effects = self.handle(
            TaskArrived(
                self.tickets,
                avs,
                self.now + seconds,
                task_id=f"0x{self.tickets:064x}",
                addressee=addressee,
            )
        )
        last = [e for e in effects if isinstance(e, Send | Wait | Reject)][-1]
        assert last.ticket == self.tickets
        return last

    def send(self) -> Send:
        answer = self.task()
        assert isinstance(answer, Send), answer
        return answer

    def end(self, send: Send, code: Code | None = None) -> Sequence[Effect]:
        return self.handle(CallEnded(send.permit, code))

    def view(self, name: str) -> EndpointView:
        return next(v for v in self.router.views(self.now) if v.instance == name)
