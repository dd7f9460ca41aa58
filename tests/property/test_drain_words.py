"""Whatever happens to instances and writes: the last word is true, and words are few."""

from dataclasses import dataclass, field

from hourglass_executor.routing.drain import InstanceLoad, report
from hourglass_executor.routing.drain_words import (
    INTERVAL_SECONDS,
    DrainWords,
    Word,
    due,
    observe,
    was_not_said,
    was_said,
    word,
)
from hypothesis import given
from hypothesis import strategies as st

INSTANCES = ("a", "b", "c")
STEP = st.tuples(
    st.sampled_from(INSTANCES),
    st.sampled_from(("serve", "drain", "leave", "begin", "end", "lose")),
    st.floats(0.0, 2.0),
    st.booleans(),
)


@dataclass
class Played:
    """Instances of one revision as a router holds them, and the words about them."""

    now: float = 0.0
    serving: dict[str, bool] = field(default_factory=dict[str, bool])
    held: dict[str, int] = field(default_factory=dict[str, int])
    lost: int = 0
    words: DrainWords = field(default_factory=DrainWords)
    written: list[tuple[float, Word]] = field(default_factory=list[tuple[float, Word]])
    drained: int = 0

    def act(self, name: str, what: str) -> None:
        there = name in self.serving
        match what:
            case "serve":
                self.serving[name] = True
                self.held.setdefault(name, 0)
            case "drain" if there:
                self.drained += self.serving[name]
                self.serving[name] = False
            case "leave" if there:
                self.drained += self.serving[name]
                self.serving[name] = False
                if not self.held[name]:
                    del self.serving[name], self.held[name]
            case "begin" if there and self.serving[name]:
                self.held[name] += 1
            case "end" | "lose" if there and self.held[name]:
                self.held[name] -= 1
                self.lost += what == "lose"
            case _:
                pass

    def look(self, *, works: bool) -> None:
        loads = report(
            "p",
            "r1",
            instances=(
                InstanceLoad(
                    instance=name,
                    in_flight=self.held[name],
                    latest_deadline=self.now + 10 if self.held[name] else None,
                    in_service=serves,
                )
                for name, serves in self.serving.items()
            ),
            lost=self.lost,
        )
        self.words = observe(self.words, (loads,), self.now)
        if due(self.words) > self.now:
            return
        if works:
            self.written.append((self.now, word(self.words, self.now)))
            self.words = was_said(self.words, self.now)
        else:
            self.words = was_not_said(self.words, self.now, 0.5)


@given(st.lists(STEP, max_size=60))
def test_the_last_word_is_what_draining_instances_hold(
    steps: list[tuple[str, str, float, bool]],
) -> None:
    played = Played()
    for name, what, wait, works in steps:
        played.act(name, what)
        played.now += wait
        played.look(works=works)
    for _ in range(3):  # once writes work again, and the second between two words is over
        played.now += 11.0
        played.look(works=True)
    draining = {d for drain in played.words.drains.values() for d in drain.instances}
    if not draining:
        return
    told = {name: n for f in played.written[-1][1].figures for name, n in f.instances}
    for name in draining:
        assert told[name] == played.held.get(name, 0)
    assert due(played.words) == float("inf")


@given(st.lists(STEP, max_size=60))
def test_words_are_as_few_as_beginnings_ends_and_seconds(
    steps: list[tuple[str, str, float, bool]],
) -> None:
    played = Played()
    for name, what, wait, _ in steps:
        played.act(name, what)
        played.now += wait
        played.look(works=True)
    at_once = 2 * played.drained
    assert len(played.written) <= at_once + played.now / INTERVAL_SECONDS + 1
    if not played.drained:
        assert not played.written


@given(st.lists(STEP, max_size=60))
def test_a_word_holds_until_the_tasks_it_tells_of_must_have_ended(
    steps: list[tuple[str, str, float, bool]],
) -> None:
    played = Played()
    for name, what, wait, _ in steps:
        played.act(name, what)
        played.now += wait
        played.look(works=True)
        if played.written and any(f.in_flight for f in played.written[-1][1].figures):
            assert played.written[-1][1].holds_seconds >= 10.0
