import pytest
from hourglass_common.domain.backoff import Backoff
from hourglass_executor.routing.breaker import (
    BreakerPermit,
    BreakerPolicy,
    BreakerState,
    Closed,
    HalfOpen,
    Open,
    Verdict,
    admit,
    due_at,
    recall,
    record,
    reinstate,
    trip,
)

POLICY = BreakerPolicy(trip_after=3, backoff=Backoff(minimum=1, maximum=60), probe_timeout=30)


def fail(state: BreakerState, epoch: int, *, now: float, u: float = 0.0) -> BreakerState:
    return record(state, BreakerPermit(epoch), Verdict.FAILURE, now=now, u=u, policy=POLICY)


def test_it_opens_at_the_last_of_so_many_failures_in_a_row() -> None:
    state: BreakerState = Closed()
    for _ in range(POLICY.trip_after - 1):
        state = fail(state, 0, now=10)
        assert isinstance(state, Closed)
    assert fail(state, 0, now=10) == Open(epoch=1, trips=1, retry_at=11)


def test_a_success_begins_the_count_anew() -> None:
    state = record(Closed(0, 2, 3), BreakerPermit(0), Verdict.SUCCESS, now=10, u=0, policy=POLICY)
    assert state == Closed(0, 0, recent=6)


def test_a_neutral_end_changes_nothing_in_a_closed_breaker() -> None:
    before = Closed(0, 2)
    after = record(before, BreakerPermit(0), Verdict.NEUTRAL, now=10, u=0, policy=POLICY)
    assert after == before


def test_open_admits_nothing_before_its_time_and_one_probe_then() -> None:
    state: BreakerState = Open(epoch=1, trips=1, retry_at=11)
    assert admit(state, now=10.9, policy=POLICY) == (state, None)
    state, permit = admit(state, now=11, policy=POLICY)
    assert permit == BreakerPermit(2)
    assert state == HalfOpen(epoch=2, trips=1, probe_lost_at=41)
    assert admit(state, now=40.9, policy=POLICY)[1] is None


def test_a_good_probe_closes_it() -> None:
    probing = HalfOpen(epoch=2, trips=1, probe_lost_at=41)
    closed = record(probing, BreakerPermit(2), Verdict.SUCCESS, now=12, u=0, policy=POLICY)
    assert closed == Closed(3, trips=1, since=12)


@pytest.mark.parametrize(("trips", "seconds"), [(1, 2), (2, 4), (5, 32), (6, 60), (40, 60)])
def test_each_bad_probe_opens_it_for_longer_up_to_the_maximum(trips: int, seconds: float) -> None:
    probing = HalfOpen(epoch=2, trips=trips, probe_lost_at=41)
    assert fail(probing, 2, now=12) == Open(epoch=3, trips=trips + 1, retry_at=12 + seconds)


def test_chance_shortens_the_wait_by_half_at_most() -> None:
    state = fail(Closed(0, 2), 0, now=10, u=0.999)
    assert isinstance(state, Open)
    assert 10.5 <= state.retry_at < 10.51


def test_a_probe_that_told_nothing_makes_room_for_another() -> None:
    probing = HalfOpen(epoch=2, trips=1, probe_lost_at=41)
    state = record(probing, BreakerPermit(2), Verdict.NEUTRAL, now=12, u=0, policy=POLICY)
    assert admit(state, now=12, policy=POLICY)[1] == BreakerPermit(3)


def test_a_lost_probe_makes_room_for_another_and_counts_no_more() -> None:
    state, permit = admit(HalfOpen(2, 1, probe_lost_at=41), now=41, policy=POLICY)
    assert permit == BreakerPermit(3)
    late = record(state, BreakerPermit(2), Verdict.SUCCESS, now=42, u=0, policy=POLICY)
    assert late == state


def test_a_straggler_from_before_the_trip_does_not_close_it() -> None:
    state = Open(epoch=1, trips=1, retry_at=11)
    after = record(state, BreakerPermit(0), Verdict.SUCCESS, now=10, u=0, policy=POLICY)
    assert after == state


def test_reinstating_closes_it_in_a_new_epoch() -> None:
    assert reinstate(Open(epoch=1, trips=4, retry_at=99)) == Closed(2)
    assert reinstate(Closed(5, 2)) == Closed(5, 2)
    assert due_at(Closed()) == float("-inf")


# -- failures that are not in a row


def half_failing(policy: BreakerPolicy, *, calls: int) -> BreakerState:
    """Return the state after ``calls``, of which every other one failed."""
    state: BreakerState = Closed()
    for call in range(calls):
        verdict = Verdict.FAILURE if call % 2 else Verdict.SUCCESS
        state = record(state, BreakerPermit(0), verdict, now=10, u=0, policy=policy)
    return state


def test_it_opens_when_half_of_the_last_calls_have_failed() -> None:
    policy = BreakerPolicy(trip_after=5, failure_share=0.5, window=20)
    assert isinstance(half_failing(policy, calls=19), Closed)
    assert isinstance(half_failing(policy, calls=20), Open)


def test_failures_that_are_longer_ago_than_the_window_count_no_more() -> None:
    policy = BreakerPolicy(trip_after=5, failure_share=0.5, window=20)
    state = half_failing(policy, calls=19)
    for _ in range(20):
        state = record(state, BreakerPermit(0), Verdict.SUCCESS, now=10, u=0, policy=policy)
    assert state == Closed()


def test_a_share_of_one_leaves_only_failures_in_a_row() -> None:
    policy = BreakerPolicy(trip_after=5, failure_share=1.0, window=20)
    assert isinstance(half_failing(policy, calls=500), Closed)


def test_one_that_trips_again_soon_after_it_closed_stays_out_for_longer() -> None:
    soon = trip(Closed(3, trips=2, since=100), now=159, u=0, policy=POLICY)
    assert soon == Open(4, trips=3, retry_at=163)
    later = trip(Closed(3, trips=2, since=100), now=160, u=0, policy=POLICY)
    assert later == Open(4, trips=1, retry_at=161)


def test_another_process_is_probed_at_once_and_a_failure_opens_it_for_longer() -> None:
    state = recall(Open(epoch=1, trips=5, retry_at=99), now=20)
    state, permit = admit(state, now=20, policy=POLICY)
    assert permit == BreakerPermit(2)
    assert admit(state, now=20, policy=POLICY)[1] is None, "one probe, not more"
    assert fail(state, 2, now=20) == Open(epoch=3, trips=6, retry_at=20 + 32)
    assert recall(Closed(1), now=20) == Closed(1)
