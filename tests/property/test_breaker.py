from hourglass_common.domain.backoff import Backoff
from hourglass_executor.routing.breaker import (
    BreakerPermit,
    BreakerPolicy,
    BreakerState,
    Closed,
    Open,
    Verdict,
    admit,
    recall,
    record,
    reinstate,
    trip,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

POLICY = BreakerPolicy(trip_after=3, backoff=Backoff(minimum=1.0, maximum=8.0), probe_timeout=5.0)


class AnyTrafficAgainstABreaker(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.state: BreakerState = Closed()
        self.now = 0.0
        self.out: list[BreakerPermit] = []

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_asks(self) -> None:
        self.state, permit = admit(self.state, now=self.now, policy=POLICY)
        if permit:
            self.out.append(permit)

    @precondition(lambda self: self.out)
    @rule(verdict=st.sampled_from(Verdict), u=st.floats(0, 0.999), data=st.data())
    def a_call_ends_in_any_order(self, verdict: Verdict, u: float, data: st.DataObject) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        before = self.state
        self.state = record(self.state, permit, verdict, now=self.now, u=u, policy=POLICY)
        if permit.epoch != before.epoch:
            assert self.state == before
        if verdict is not Verdict.FAILURE:
            assert not isinstance(self.state, Open) or self.state == before

    @rule()
    def it_is_the_last_one(self) -> None:
        self.state = reinstate(self.state)
        assert isinstance(self.state, Closed)

    @rule(u=st.floats(0, 0.999))
    def it_flaps(self, u: float) -> None:
        self.state = trip(self.state, now=self.now, u=u, policy=POLICY)
        assert not isinstance(self.state, Closed)

    @rule()
    def another_process_comes_up(self) -> None:
        self.state = recall(self.state, now=self.now)

    @invariant()
    def it_is_never_open_for_longer_than_the_longest_wait(self) -> None:
        if isinstance(self.state, Open):
            assert self.state.retry_at <= self.now + POLICY.backoff.maximum

    @invariant()
    def the_breaker_is_never_wedged(self) -> None:
        later = self.now + max(POLICY.backoff.maximum, POLICY.probe_timeout)
        assert admit(self.state, now=later, policy=POLICY)[1] is not None

    @invariant()
    def at_most_one_live_probe(self) -> None:
        if not isinstance(self.state, Closed):
            assert sum(p.epoch == self.state.epoch for p in self.out) <= 1

    @invariant()
    def open_admits_nothing_early(self) -> None:
        if isinstance(self.state, Open) and self.now < self.state.retry_at:
            assert admit(self.state, now=self.now, policy=POLICY)[1] is None

    @invariant()
    def fewer_failures_than_it_takes_are_counted(self) -> None:
        if isinstance(self.state, Closed):
            assert self.state.failures < POLICY.trip_after
            share = self.state.recent.bit_count() / POLICY.window
            assert share < POLICY.failure_share


AnyTrafficAgainstABreaker.TestCase.settings = settings(max_examples=150, deadline=None)
TestBreaker = AnyTrafficAgainstABreaker.TestCase
