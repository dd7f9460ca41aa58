"""A standstill of the executor itself is noticed, and excuses what was out meanwhile."""

from hourglass_executor.dispatch.standstill import BEAT, Standstill


def beating(until: float) -> Standstill:
    still = Standstill(0.0)
    for step in range(1, int(until / BEAT) + 1):
        still.beat(step * BEAT)
    return still


def test_nothing_is_excused_while_it_beats() -> None:
    assert not beating(10).excuses(sent_at=5, now=10.2)


def test_what_ends_before_the_first_beat_after_a_standstill_is_excused() -> None:
    assert beating(10).excuses(sent_at=9, now=40)


def test_what_ends_just_after_a_standstill_is_excused_and_no_longer() -> None:
    still = beating(10)
    still.beat(40)
    assert still.excuses(sent_at=9, now=41)
    for step in range(1, 11):
        still.beat(40 + step * BEAT)
    assert not still.excuses(sent_at=9, now=42.5)


def test_what_was_sent_after_a_standstill_is_not_excused() -> None:
    still = beating(10)
    still.beat(40)
    assert not still.excuses(sent_at=40.1, now=41)
