from hourglass_common.domain.health import HealthAnswer, HealthSource
from hourglass_executor.routing.health import (
    Health,
    HealthPolicy,
    HealthStatus,
    next_check_at,
    on_call_succeeded,
    on_check,
    on_watch,
    unasked,
)

POLICY = HealthPolicy(check_period=5, check_timeout=1, misses_allowed=3)
NAMED = HealthPolicy(service="performer")


def due(health: Health, *, asked_at: float = 100, call_succeeded_at: float = -1) -> float:
    return next_check_at(
        health, asked_at=asked_at, call_succeeded_at=call_succeeded_at, policy=POLICY
    )


def missed(health: Health, times: int) -> Health:
    for _ in range(times):
        health = on_check(health, HealthAnswer.NONE, POLICY)
    return health


def test_it_is_unknown_and_unusable_until_the_first_serving() -> None:
    health = unasked(POLICY)
    assert (health.status, health.usable) == (HealthStatus.UNKNOWN, False)
    assert on_watch(health, HealthAnswer.SERVING).usable


def test_not_serving_takes_it_out_at_once_and_serving_brings_it_back() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.SERVING)
    health = on_watch(health, HealthAnswer.NOT_SERVING)
    assert health.status is HealthStatus.NOT_SERVING
    assert on_watch(health, HealthAnswer.SERVING).usable


def test_three_checks_in_a_row_without_an_answer_make_it_unhealthy() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.SERVING)
    assert missed(health, 2).usable
    assert missed(health, 3).status is HealthStatus.UNHEALTHY
    answered = on_check(missed(health, 2), HealthAnswer.SERVING, POLICY)
    assert missed(answered, 2).usable


def test_an_answer_to_a_check_heals_it_to_what_watch_said_last() -> None:
    health = missed(on_watch(unasked(POLICY), HealthAnswer.NOT_SERVING), 3)
    healed = on_check(health, HealthAnswer.SERVING, POLICY)
    assert healed.status is HealthStatus.NOT_SERVING


def test_an_old_watch_message_does_not_heal_a_frozen_process() -> None:
    health = missed(on_watch(unasked(POLICY), HealthAnswer.SERVING), 3)
    assert on_watch(health, HealthAnswer.SERVING).status is HealthStatus.UNHEALTHY


def test_without_watch_checks_decide() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.UNIMPLEMENTED)
    assert health.source is HealthSource.CHECK
    assert due(health) == 100, "nothing else will tell"
    health = on_check(health, HealthAnswer.SERVING, POLICY)
    assert health.usable
    assert due(health) == 105
    assert not on_check(health, HealthAnswer.NOT_SERVING, POLICY).usable


def test_without_watch_a_call_that_succeeds_skips_no_check() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.UNIMPLEMENTED)
    health = on_check(health, HealthAnswer.SERVING, POLICY)
    assert due(health, call_succeeded_at=104) == 105


def test_a_watch_that_broke_leaves_the_word_to_checks() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.SERVING)
    health = on_watch(health, HealthAnswer.NONE)
    assert health.usable
    assert not on_check(health, HealthAnswer.NOT_SERVING, POLICY).usable


def test_a_performer_without_health_service_is_usable() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.UNIMPLEMENTED)
    health = on_check(health, HealthAnswer.UNIMPLEMENTED, POLICY)
    assert (health.source, health.usable) == (HealthSource.NONE, True)
    assert due(health) == float("inf")
    late = on_watch(health, HealthAnswer.UNIMPLEMENTED)
    assert (late.source, late.usable) == (HealthSource.NONE, True)


def test_an_unknown_name_leads_to_the_server_as_a_whole() -> None:
    health = unasked(NAMED)
    assert health.service == "performer"
    by_watch = on_watch(health, HealthAnswer.SERVICE_UNKNOWN)
    by_check = on_check(health, HealthAnswer.SERVICE_UNKNOWN, NAMED)
    assert (by_watch.service, by_watch.status) == ("", HealthStatus.UNKNOWN)
    assert (by_check.service, by_check.status) == ("", HealthStatus.UNKNOWN)
    assert on_watch(by_watch, HealthAnswer.SERVICE_UNKNOWN).status is HealthStatus.NOT_SERVING


def test_successful_calls_skip_checks_and_forgive_misses() -> None:
    health = missed(on_watch(unasked(POLICY), HealthAnswer.SERVING), 2)
    assert due(health, call_succeeded_at=103) == 108
    assert on_call_succeeded(health).misses == 0
    assert on_call_succeeded(missed(health, 1)).usable


def test_a_successful_call_does_not_overrule_not_serving() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.NOT_SERVING)
    assert on_call_succeeded(health).status is HealthStatus.NOT_SERVING


def test_a_frozen_process_is_found_within_sixteen_seconds_of_its_last_call() -> None:
    health = on_watch(unasked(POLICY), HealthAnswer.SERVING)
    now = frozen_at = 1000.0
    asked_at = frozen_at - 3
    while health.usable:
        now = due(health, asked_at=asked_at, call_succeeded_at=frozen_at)
        asked_at = now
        now += POLICY.check_timeout
        health = on_check(health, HealthAnswer.NONE, POLICY)
    assert now - frozen_at <= 16
