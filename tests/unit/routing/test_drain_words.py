"""What is said of a drain, and when, on virtual time."""

from hourglass_executor.routing.drain import DrainReport, InstanceLoad, report
from hourglass_executor.routing.drain_words import (
    HOLDS_SECONDS,
    INTERVAL_SECONDS,
    MARGIN_SECONDS,
    DrainWords,
    Figures,
    due,
    forgets_at,
    observe,
    was_not_said,
    was_said,
    word,
)

NEVER = float("inf")


def load(
    *instances: tuple[str, int, bool], revision: str = "r1", lost: int = 0, until: float = 50.0
) -> DrainReport:
    """Return the load of a revision: of each instance its name, its tasks, whether it serves."""
    return report(
        "p",
        revision,
        instances=(
            InstanceLoad(
                instance=name,
                in_flight=count,
                latest_deadline=until if count else None,
                in_service=serving,
            )
            for name, count, serving in instances
        ),
        lost=lost,
    )


def at(words: DrainWords, now: float, *loads: DrainReport) -> DrainWords:
    return observe(words, loads, now)


SERVING = at(DrainWords(), 0.0, load(("a", 2, True)))


def test_nothing_is_said_while_nothing_drains() -> None:
    assert due(SERVING) == NEVER
    assert due(at(SERVING, 1.0, load(("a", 7, True)))) == NEVER


def test_a_drain_is_said_at_once_with_what_is_held_and_until_when() -> None:
    words = at(SERVING, 10.0, load(("a", 2, False)))
    assert due(words) <= 10.0
    said = word(words, 10.0)
    assert said.figures == (Figures("r1", 2, 0, (("a", 2),)),)
    assert said.holds_seconds == 40.0 + MARGIN_SECONDS


def test_a_drain_of_an_idle_instance_is_said_as_well() -> None:
    idle = at(DrainWords(), 0.0, load(("a", 0, True)))
    words = at(idle, 10.0)  # it left, and nothing is left of it
    assert due(words) <= 10.0
    assert word(words, 10.0).figures == (Figures("r1", 0, 0, (("a", 0),)),)
    assert word(words, 10.0).holds_seconds == HOLDS_SECONDS


def test_what_is_said_is_not_said_again() -> None:
    words = was_said(at(SERVING, 10.0, load(("a", 2, False))), 10.0)
    assert due(words) == NEVER
    assert due(at(words, 20.0, load(("a", 2, False)))) == NEVER


def test_a_change_waits_a_second_and_the_end_does_not() -> None:
    words = was_said(at(SERVING, 10.0, load(("a", 2, False))), 10.0)
    fewer = at(words, 10.1, load(("a", 1, False)))
    assert due(fewer) == 10.0 + INTERVAL_SECONDS
    none = at(fewer, 10.2)
    assert due(none) <= 10.2
    assert word(none, 10.2).figures == (Figures("r1", 0, 0, (("a", 0),)),)


def test_one_more_instance_that_drains_is_said_at_once() -> None:
    words = at(DrainWords(), 0.0, load(("a", 1, True), ("b", 1, True)))
    words = was_said(at(words, 10.0, load(("a", 1, False), ("b", 1, True))), 10.0)
    words = at(words, 10.1, load(("a", 1, False), ("b", 1, False)))
    assert due(words) <= 10.1


def test_instances_that_go_on_serving_are_named_and_their_tasks_are_no_news() -> None:
    words = at(DrainWords(), 0.0, load(("a", 1, True), ("b", 1, True)))
    words = at(words, 10.0, load(("a", 1, False), ("b", 3, True)))
    assert word(words, 10.0).figures == (Figures("r1", 4, 0, (("a", 1), ("b", 3))),)
    words = was_said(words, 10.0)
    assert due(at(words, 11.0, load(("a", 1, False), ("b", 9, True)))) == NEVER


def test_only_what_is_lost_in_the_drain_counts_as_lost() -> None:
    words = at(DrainWords(), 0.0, load(("a", 1, True), lost=5))
    words = was_said(at(words, 10.0, load(("a", 1, False), lost=5)), 10.0)
    words = at(words, 12.0, load(lost=6))  # the instance died
    assert word(words, 12.0).figures == (Figures("r1", 0, 1, (("a", 0),)),)


def test_an_instance_never_seen_in_service_is_not_spoken_of() -> None:
    assert due(at(DrainWords(), 0.0, load(("a", 0, False)))) == NEVER
    staged = at(SERVING, 1.0, load(("a", 2, True)), load(("b", 0, False), revision="r2"))
    assert due(staged) == NEVER


def test_an_instance_put_back_into_service_drains_no_more() -> None:
    words = was_said(at(SERVING, 10.0, load(("a", 2, False))), 10.0)
    words = at(words, 11.0, load(("a", 2, True)))
    assert not words.is_draining
    assert due(words) == NEVER
    again = at(words, 12.0, load(("a", 2, False)))
    assert again.is_draining


def test_a_drain_that_is_over_is_told_along_for_a_minute() -> None:
    words = was_said(at(SERVING, 10.0), 10.0)
    both = at(words, 11.0, load(("b", 1, True), revision="r2"))
    both = at(both, 12.0, load(("b", 1, False), revision="r2"))
    assert [f.revision for f in word(both, 12.0).figures] == ["r1", "r2"]
    assert forgets_at(both) == 10.0 + HOLDS_SECONDS
    later = at(was_said(both, 12.0), 10.0 + HOLDS_SECONDS, load(("b", 1, False), revision="r2"))
    assert due(later) == NEVER
    assert [f.revision for f in word(later, 80.0).figures] == ["r2"]


def test_what_could_not_be_written_is_tried_again_ever_more_slowly() -> None:
    words = at(SERVING, 10.0, load(("a", 2, False)))
    waits: list[float] = []
    now = 10.0
    for _ in range(8):
        words = was_not_said(words, now, 0.0)
        waits.append(due(words) - now)
        now = due(words)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert due(was_said(words, now)) == NEVER
