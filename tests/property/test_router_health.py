"""Health under any sequence of answers."""

from hourglass_common.domain.health import HealthAnswer, HealthSource
from hourglass_executor.routing.health import (
    HealthPolicy,
    HealthStatus,
    next_check_at,
    on_call_succeeded,
    on_check,
    on_watch,
    unasked,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

POLICY = HealthPolicy(service="performer")


class AnyAnswersAboutAPerformer(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.health = unasked(POLICY)
        self.misses = 0
        self.told_to_serve = False

    @rule(answer=st.sampled_from(HealthAnswer))
    def watch_brings(self, answer: HealthAnswer) -> None:
        self.health = on_watch(self.health, answer)
        self.told_to_serve |= answer is HealthAnswer.SERVING
        if answer is HealthAnswer.NOT_SERVING:
            assert not self.health.usable

    @rule(answer=st.sampled_from(HealthAnswer))
    def check_brings(self, answer: HealthAnswer) -> None:
        self.health = on_check(self.health, answer, POLICY)
        self.misses = self.misses + 1 if answer is HealthAnswer.NONE else 0
        # A performer without health service is taken at the deployer's word.
        self.told_to_serve |= answer in (HealthAnswer.SERVING, HealthAnswer.UNIMPLEMENTED)

    @rule()
    def a_call_succeeds(self) -> None:
        self.health = on_call_succeeded(self.health)
        self.misses = 0

    @rule()
    def the_connection_breaks(self) -> None:
        self.health = unasked(POLICY)
        self.misses = 0
        self.told_to_serve = False

    @invariant()
    def it_is_not_used_before_anything_said_that_it_serves(self) -> None:
        assert self.told_to_serve or not self.health.usable

    @invariant()
    def three_misses_in_a_row_take_it_out_and_fewer_do_not(self) -> None:
        unhealthy = self.health.status is HealthStatus.UNHEALTHY
        assert unhealthy == (self.misses >= POLICY.misses_allowed)

    @invariant()
    def it_is_asked_again_within_a_period_unless_nothing_can_be_asked(self) -> None:
        due = next_check_at(self.health, asked_at=10, call_succeeded_at=12, policy=POLICY)
        if self.health.source is HealthSource.NONE:
            assert due == float("inf")
        else:
            assert 10 <= due <= 12 + POLICY.check_period


AnyAnswersAboutAPerformer.TestCase.settings = settings(max_examples=150, deadline=None)
TestHealth = AnyAnswersAboutAPerformer.TestCase
