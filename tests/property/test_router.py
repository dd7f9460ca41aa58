"""Any sequence of events, and what holds after each of them."""

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code
from hourglass_common.domain.health import HealthAnswer
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.events import (
    CallEnded,
    CallNotMade,
    Connect,
    ConnectionChanged,
    Disconnect,
    EndpointKey,
    EndpointsChanged,
    Event,
    HealthChanged,
    HedgeWanted,
    PerformerDrained,
    PerformerRemoved,
    Permit,
    Reject,
    Send,
    TaskArrived,
    TaskWithdrawn,
    Tick,
    Wait,
    key_of,
)
from hourglass_executor.routing.health import Health
from hourglass_executor.routing.policy import RouterPolicy, WhenNoneReady
from hourglass_executor.routing.router import Router
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

PERFORMERS = {"p": "0xa", "q": "0xa", "r": "0xb"}
ENDPOINTS = [
    Endpoint(performer_id=p, revision="1", instance=f"{p}{n}", address=f"{p}{n}:1")
    for p in PERFORMERS
    for n in range(3)
]
CODES = [None, None, Code.UNAVAILABLE, Code.INTERNAL, Code.INVALID_ARGUMENT, Code.CANCELLED]


class AnyTrafficThroughARouter(RuleBasedStateMachine):
    when_none_ready = WhenNoneReady.QUEUE

    def __init__(self) -> None:
        super().__init__()
        self.policy = RouterPolicy(
            breaker=BreakerPolicy(trip_after=2, probe_timeout=5),
            concurrency=2,
            queue=3,
            when_none_ready=self.when_none_ready,
        )
        self.own = RouterPolicy(
            breaker=BreakerPolicy(trip_after=3, failure_share=0.5, window=5, probe_timeout=5),
            concurrency=1,
            queue=2,
            flaps=2,
            when_none_ready=self.when_none_ready,
        )
        self.router = Router(self.policy, {"0xb": self.own})
        self.now = 0.0
        self.u = 0.0
        self.tickets = 0
        self.permits: list[Permit] = []
        self.waiting: dict[int, tuple[str, float]] = {}
        self.answered: set[int] = set()
        self.sent: set[int] = set()
        self.connected: set[EndpointKey] = set()

    def handle(self, event: Event) -> None:
        for effect in self.router.handle(event, now=self.now, u=self.u):
            match effect:
                case Send(ticket, permit, endpoint):
                    self.end_of(ticket)
                    self.sent.add(ticket)
                    self.permits.append(permit)
                    assert key_of(endpoint) == permit.key
                    assert permit.key in self.connected
                    assert permit.deadline > self.now, "sent too late"
                    assert endpoint.role is Role.IN_SERVICE
                    assert endpoint.ready
                case Reject(ticket):
                    self.end_of(ticket)
                case Wait(ticket, until):
                    assert ticket not in self.answered
                    assert isinstance(event, TaskArrived)
                    self.waiting[ticket] = (event.avs, until)
                case Connect(endpoint):
                    assert key_of(endpoint) not in self.connected
                    self.connected.add(key_of(endpoint))
                case Disconnect(key):
                    self.connected.remove(key)
                    assert all(permit.key != key for permit in self.permits)

    def policy_of(self, avs: str) -> RouterPolicy:
        return self.own if avs == "0xb" else self.policy

    def end_of(self, ticket: int) -> None:
        assert ticket not in self.answered, "a task is sent or rejected, once"
        self.answered.add(ticket)
        self.waiting.pop(ticket, None)

    @rule(seconds=st.floats(0, 10), u=st.floats(0, 0.999))
    def time_passes(self, seconds: float, u: float) -> None:
        self.now += seconds
        self.u = u
        self.handle(Tick())

    @rule(
        performer=st.sampled_from(sorted(PERFORMERS)),
        members=st.lists(
            st.tuples(st.integers(0, 2), st.sampled_from([Role.IN_SERVICE, *Role]), st.booleans()),
            unique_by=lambda member: member[0],
        ),
    )
    def a_set_changes(self, performer: str, members: list[tuple[int, Role, bool]]) -> None:
        endpoints = tuple(
            Endpoint(
                performer_id=performer,
                revision="1",
                instance=f"{performer}{n}",
                address=f"{performer}{n}:1",
                role=role,
                ready=ready,
            )
            for n, role, ready in members
        )
        self.handle(EndpointsChanged(PERFORMERS[performer], performer, endpoints))

    @rule(performer=st.sampled_from(sorted(PERFORMERS)))
    def everything_of_a_performer_comes_up(self, performer: str) -> None:
        mine = tuple(e for e in ENDPOINTS if e.performer_id == performer)
        self.handle(EndpointsChanged(PERFORMERS[performer], performer, mine))
        for endpoint in mine:
            self.handle(ConnectionChanged(key_of(endpoint), connected=True))
            health = Health(answer=HealthAnswer.SERVING)
            self.handle(HealthChanged(key_of(endpoint), health))

    @rule(performer=st.sampled_from(sorted(PERFORMERS)), drain=st.booleans())
    def a_performer_goes(self, performer: str, drain: bool) -> None:
        self.handle(PerformerDrained(performer) if drain else PerformerRemoved(performer))

    @rule(endpoint=st.sampled_from(ENDPOINTS), connected=st.booleans())
    def a_connection_changes(self, endpoint: Endpoint, connected: bool) -> None:
        self.handle(ConnectionChanged(key_of(endpoint), connected))

    @rule(
        endpoint=st.sampled_from(ENDPOINTS),
        answer=st.sampled_from([None, HealthAnswer.SERVING, HealthAnswer.NOT_SERVING]),
        unhealthy=st.booleans(),
    )
    def health_changes(
        self, endpoint: Endpoint, answer: HealthAnswer | None, unhealthy: bool
    ) -> None:
        self.handle(HealthChanged(key_of(endpoint), Health(answer=answer, unhealthy=unhealthy)))

    @rule(
        avs=st.sampled_from(["0xa", "0xa", "0xb", "0xc"]),
        seconds=st.floats(-1, 30),
        avoid=st.frozensets(st.sampled_from([key_of(e) for e in ENDPOINTS]), max_size=3),
    )
    def a_task_arrives(self, avs: str, seconds: float, avoid: frozenset[EndpointKey]) -> None:
        self.tickets += 1
        self.handle(TaskArrived(self.tickets, avs, self.now + seconds, avoid))
        assert self.tickets in self.answered or self.tickets in self.waiting

    @rule(
        avs=st.sampled_from(["0xa", "0xb", "0xc"]),
        seconds=st.floats(-1, 30),
        avoid=st.frozensets(st.sampled_from([key_of(e) for e in ENDPOINTS]), max_size=3),
    )
    def a_second_attempt_is_wanted(
        self, avs: str, seconds: float, avoid: frozenset[EndpointKey]
    ) -> None:
        self.tickets += 1
        before = len(self.permits)
        self.handle(HedgeWanted(self.tickets, avs, self.now + seconds, avoid))
        assert self.tickets not in self.waiting
        assert all(permit.key not in avoid for permit in self.permits[before:])

    @rule(avs=st.sampled_from(["0xa", "0xb", "0xc"]), seconds=st.floats(0.1, 30))
    def a_task_that_is_not_refused_beforehand_is_taken(self, avs: str, seconds: float) -> None:
        refused = self.router.refusal(avs, self.now + seconds, self.now)
        self.tickets += 1
        self.handle(TaskArrived(self.tickets, avs, self.now + seconds))
        is_in = self.tickets in self.waiting or self.tickets in self.sent
        assert (refused is None) == is_in

    @precondition(lambda self: self.permits)
    @rule(code=st.sampled_from(CODES), lost=st.booleans(), excused=st.booleans(), data=st.data())
    def a_call_ends(
        self, code: Code | None, lost: bool, excused: bool, data: st.DataObject
    ) -> None:
        permit = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        self.handle(CallEnded(permit, code, lost, excused))
        self.handle(CallEnded(permit, code, lost, excused))  # a second time changes nothing

    @precondition(lambda self: self.permits)
    @rule(data=st.data())
    def a_call_is_not_made(self, data: st.DataObject) -> None:
        permit = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        self.handle(CallNotMade(permit))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def a_task_is_withdrawn(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[ticket]
        self.answered.add(ticket)
        self.handle(TaskWithdrawn(ticket))

    @invariant()
    def in_flight_is_the_permits_out_and_within_the_cap(self) -> None:
        out: dict[EndpointKey, int] = {}
        for permit in self.permits:
            out[permit.key] = out.get(permit.key, 0) + 1
        for view in self.router.views(self.now):
            key = (view.performer_id, view.instance, view.address)
            assert view.in_flight == out.pop(key, 0) <= self.policy_of(view.avs).concurrency
            assert view.sent == view.answered + view.failed + view.lost + view.in_flight
        assert not out

    @invariant()
    def the_queue_is_what_waits_and_bounded(self) -> None:
        counts = {avs: count for avs, count in self.router.waiting().items() if count}
        mine: dict[str, int] = {}
        for avs, _ in self.waiting.values():
            mine[avs] = mine.get(avs, 0) + 1
        assert counts == mine
        assert all(count <= self.policy_of(avs).queue for avs, count in counts.items())

    @invariant()
    def no_task_waits_while_an_endpoint_could_take_it(self) -> None:
        waiting = {avs for avs, _ in self.waiting.values()}
        for view in self.router.views(self.now):
            assert view.skipped is not None or view.avs not in waiting

    @invariant()
    def the_last_usable_endpoint_is_never_ejected(self) -> None:
        breaker_only = {"BreakerOpen", "ProbeInFlight"}
        for avs in set(PERFORMERS.values()):
            reasons = [
                view.skipped.value if view.skipped else ""
                for view in self.router.views(self.now)
                if view.avs == avs
            ]
            usable = [r for r in reasons if r in {"", "AtCapacity", *breaker_only}]
            assert not usable or any(r not in breaker_only for r in usable)

    @invariant()
    def a_wakeup_lies_ahead_wherever_a_task_waits(self) -> None:
        at = self.router.next_wakeup()
        deadlines = [until for _, until in self.waiting.values()]
        assert self.now < at <= min(deadlines, default=float("inf"))

    @invariant()
    def every_endpoint_known_is_connected_and_no_other(self) -> None:
        views = self.router.views(self.now)
        assert {(v.performer_id, v.instance, v.address) for v in views} == self.connected


class AnyTrafficWhereNoneReadyFails(AnyTrafficThroughARouter):
    when_none_ready = WhenNoneReady.FAIL


AnyTrafficThroughARouter.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
AnyTrafficWhereNoneReadyFails.TestCase.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None
)
TestRouter = AnyTrafficThroughARouter.TestCase
TestRouterThatFails = AnyTrafficWhereNoneReadyFails.TestCase
