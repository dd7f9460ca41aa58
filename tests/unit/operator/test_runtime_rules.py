"""The pure rules of the runtime: lease, write window, expectations."""

import pytest
from hourglass_operator.runtime.expectations import GIVE_UP_SECONDS, Expectations
from hourglass_operator.runtime.lease_state import LeaseState, LeaseTimes, Record
from hourglass_operator.runtime.write_window import WriteWindow

OWNER = ("prod", "demo")
THING = ("services", "prod", "performer-demo")
DURATION, RENEW_WITHIN = LeaseTimes().duration, LeaseTimes().renew_within


def record(holder: str, version: int = 1) -> Record:
    return Record(holder=holder, renewed="then", resource_version=str(version))


def test_a_lease_that_nobody_holds_is_taken_at_once() -> None:
    assert LeaseState("me").observe(None, 0.0).may_take(0.0)
    assert LeaseState("me").observe(record(""), 0.0).may_take(0.0)


def test_a_lease_is_taken_only_after_its_holder_was_silent_for_its_duration() -> None:
    state = LeaseState("me").observe(record("other"), 100.0)
    assert not state.may_take(100.0 + DURATION - 0.1)
    assert state.may_take(100.0 + DURATION)


def test_a_renewal_of_the_holder_starts_the_wait_anew() -> None:
    state = LeaseState("me").observe(record("other", 1), 100.0)
    state = state.observe(record("other", 2), 110.0)
    assert not state.may_take(100.0 + DURATION)


def test_a_process_leads_only_while_its_renewals_are_fresh() -> None:
    state = LeaseState("me")
    assert not state.leads(0.0)
    state = state.renewed(record("me"), asked_at=10.0)
    assert state.leads(10.0 + RENEW_WITHIN - 0.1)
    assert not state.leads(10.0 + RENEW_WITHIN)


def test_who_holds_the_lease_is_deposed_only_by_another() -> None:
    mine = LeaseState("me").renewed(record("me"), asked_at=10.0)
    assert not mine.is_deposed
    assert not mine.observe(record(""), 20.0).is_deposed
    assert not mine.observe(None, 20.0).is_deposed
    deposed = mine.observe(record("other"), 11.0)
    assert deposed.is_deposed
    assert not deposed.leads(11.0), "its own renewal is fresh, and yet another leads"


def test_a_leader_stops_before_another_may_start() -> None:
    """Both look at one renewal; the other can have seen it no earlier than it was asked for."""
    assert RENEW_WITHIN < DURATION


def test_no_more_writes_are_in_flight_than_allowed() -> None:
    window = WriteWindow(maximum=2, allowed=2.0)
    window.started(0.0)
    assert window.may_start(0.0)
    window.started(0.0)
    assert not window.may_start(0.0)
    window.ended()
    assert window.may_start(0.0)


def test_a_throttled_write_halves_the_window_and_pauses_it() -> None:
    window = WriteWindow()
    window.started(0.0)
    window.throttled(now=10.0, retry_after=3.0)
    assert window.allowed == 16
    assert not window.may_start(12.9)
    assert window.may_start(13.0)


def test_a_server_that_fails_is_asked_by_one_at_a_time_and_ever_less_often() -> None:
    window, now, pauses = WriteWindow(), 0.0, []
    for _ in range(8):
        assert window.may_start(now)
        window.started(now)
        window.broken(now, u=0.0)
        assert window.in_flight == 0
        pauses.append(window.opens_at - now)
        now = window.opens_at
    assert pauses == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    window.started(now)
    assert not window.may_start(now), "a probe is under way"
    window.ended()
    window.started(now)
    window.broken(now, u=0.0)
    assert window.opens_at - now == 0.25, "it had answered in between"


def test_the_window_never_closes_and_grows_back() -> None:
    window = WriteWindow()
    for _ in range(20):
        window.started(0.0)
        window.throttled(now=0.0, retry_after=0.0)
    assert window.allowed == 1
    for _ in range(200):
        window.started(0.0)
        window.ended()
    assert window.allowed == window.maximum


@pytest.mark.parametrize(
    ("cached", "waits"),
    [(None, True), (6, True), (7, False), (8, False)],
    ids=["not there", "older", "the same", "newer"],
)
def test_an_own_write_is_waited_for_until_the_cache_has_it(cached: int | None, waits: bool) -> None:
    known = Expectations()
    known.expect(OWNER, THING, version=7, now=0.0)
    assert known.unseen(OWNER, lambda _: cached, now=1.0) is waits


def test_a_write_that_no_watch_shows_is_given_up_in_the_end() -> None:
    known = Expectations()
    known.expect(OWNER, THING, version=7, now=0.0)
    assert known.unseen(OWNER, lambda _: None, now=GIVE_UP_SECONDS)
    assert not known.unseen(OWNER, lambda _: None, now=GIVE_UP_SECONDS + 1)
    assert known.waiting == {}


def test_a_performer_that_is_gone_is_forgotten() -> None:
    known = Expectations()
    known.expect(OWNER, THING, version=7, now=0.0)
    known.forget(OWNER)
    assert not known.unseen(OWNER, lambda _: None, now=0.0)


def test_a_written_object_that_is_gone_again_is_not_waited_for() -> None:
    known = Expectations()
    known.expect(OWNER, THING, version=7, now=0.0)
    known.gone(OWNER, THING)
    assert not known.unseen(OWNER, lambda _: None, now=0.0)
