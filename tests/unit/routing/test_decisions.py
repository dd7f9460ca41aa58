"""What the router remembers of its decisions, and what it foresees."""

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Addressee
from hourglass_executor.routing.decisions import MOST_SEEN, DecisionLog, Note, Step, considered
from hourglass_executor.routing.events import (
    CallEnded,
    CallNotMade,
    HealthChanged,
    Reject,
    Send,
    Wait,
    key_of,
)
from hourglass_executor.routing.policy import RouterPolicy, WhenNoneReady
from hourglass_executor.routing.router import Router
from hourglass_executor.routing.tap import Tap

from tests.support.routing import AVS, NOT_SERVING, RouterOnVirtualTime, instance


class Rig(RouterOnVirtualTime):
    """A router whose log is at hand."""

    def __init__(self, policy: RouterPolicy | None = None, size: int = 100) -> None:
        super().__init__(policy or RouterPolicy())
        self.log = DecisionLog(size)
        self.router = Router(self.policy, decisions=self.log)

    def told(self, number: int) -> list[tuple[Step, str]]:
        """Return the steps of a task, each with where it went."""
        notes = self.log.of_task(f"0x{number:064x}")
        return [(note.step, note.endpoint[1] if note.endpoint else "") for note in notes]

    def reasons(self, note: Note) -> dict[str, str]:
        seen = considered(note, self.policy.concurrency)
        return {c.endpoint.instance: c.skipped.value if c.skipped else "" for c in seen}


def test_every_endpoint_is_kept_with_the_reason_why_it_was_not_taken() -> None:
    rig = Rig(RouterPolicy(concurrency=1))
    a, b = rig.serve("a", "b")
    staged = instance("s", role=Role.STAGED)
    rig.set(a, b, staged)
    rig.handle(HealthChanged(key_of(b), NOT_SERVING))
    rig.send()
    (note,) = rig.log.of_task(f"0x{1:064x}")
    rig.handle(HealthChanged(key_of(a), NOT_SERVING))  # what comes later changes nothing
    assert rig.reasons(note) == {"a": "", "b": "NotServing", "s": "Staged"}
    assert note.endpoint == key_of(a)
    assert considered(note, 1)[0].in_flight == 0  # before the task counted there


def test_a_task_that_waited_tells_for_what_and_where_it_went_then() -> None:
    rig = Rig(RouterPolicy(concurrency=1))
    rig.serve("a")
    first = rig.send()
    assert isinstance(rig.task(), Wait)
    assert rig.router.place_in_queue(AVS, f"0x{2:064x}") == 1
    assert rig.reasons(rig.log.of_task(f"0x{2:064x}")[0]) == {"a": "AtCapacity"}
    rig.now += 1
    rig.end(first)
    assert rig.told(2) == [(Step.WAITS, ""), (Step.SENT, "a")]
    assert rig.router.place_in_queue(AVS, f"0x{2:064x}") == 0


def test_ends_of_calls_and_calls_not_made_are_told() -> None:
    rig = Rig()
    rig.serve("a")
    rig.handle(CallNotMade(rig.send().permit))
    rig.handle(CallEnded(rig.send().permit, Code.UNAVAILABLE, lost=True))
    assert rig.told(1) == [(Step.SENT, "a"), (Step.NOT_MADE, "a")]
    assert rig.told(2) == [(Step.SENT, "a"), (Step.CALL_ENDED, "a")]
    ended = rig.log.of_task(f"0x{2:064x}")[1]
    assert (ended.code, ended.lost) == (Code.UNAVAILABLE, True)


def test_a_refusal_is_kept_with_its_error() -> None:
    rig = Rig(RouterPolicy(when_none_ready=WhenNoneReady.FAIL))
    rig.set(instance("a"))
    assert isinstance(rig.task(), Reject)
    (note,) = rig.log.of_task(f"0x{1:064x}")
    assert note.step is Step.REFUSED
    assert note.error is not None
    assert note.error.reason == "NO_PERFORMER_READY"
    assert rig.reasons(note) == {"a": "NotConnected"}


def test_the_log_is_bounded_and_says_what_it_forgot() -> None:
    rig = Rig(size=10)
    rig.serve("a")
    assert rig.log.since() is None
    for _ in range(30):
        rig.now += 1
        rig.end(rig.send())
    assert rig.told(1) == []
    assert rig.told(30) == [(Step.SENT, "a"), (Step.CALL_ENDED, "a")]
    assert rig.log.since() == rig.now - 4


def test_a_flood_of_refusals_does_not_push_out_the_tasks_that_ran() -> None:
    rig = Rig(size=10)
    rig.serve("a")
    rig.end(rig.send())
    for _ in range(100):
        rig.task(addressee=Addressee(Role.STAGED))
    assert rig.told(1) == [(Step.SENT, "a"), (Step.CALL_ENDED, "a")]


def test_of_many_endpoints_some_are_kept_and_always_the_chosen_one() -> None:
    rig = Rig(RouterPolicy(concurrency=1))
    names = [f"i{number:02}" for number in range(MOST_SEEN + 10)]
    rig.serve(*names)
    for _ in names:
        rig.send()
    for number in range(1, len(names) + 1):
        (note,) = rig.log.of_task(f"0x{number:064x}")
        assert note.total == len(names)
        assert note.endpoint in {key_of(seen[0]) for seen in note.seen}
        assert len(note.seen) <= MOST_SEEN + 1


def test_sums_of_an_endpoint_count_each_task_once() -> None:
    rig = Rig()
    rig.serve("a")
    rig.end(rig.send())
    rig.end(rig.send(), Code.INVALID_ARGUMENT)
    rig.handle(CallEnded(rig.send().permit, Code.UNAVAILABLE, lost=True))
    rig.handle(CallNotMade(rig.send().permit))
    rig.send()
    view = rig.view("a")
    assert (view.sent, view.answered, view.failed, view.lost) == (4, 1, 1, 1)
    assert view.in_flight == 1


# -- what would become of a task


def test_what_is_foreseen_is_what_then_happens() -> None:
    rig = Rig(RouterPolicy(concurrency=1, queue=1))
    rig.serve("a")
    for expected, happens in ((Step.SENT, Send), (Step.WAITS, Wait), (Step.REFUSED, Reject)):
        foreseen = rig.router.foresee(AVS, None, rig.now)
        assert foreseen.step is expected
        assert isinstance(rig.task(), happens)
    assert foreseen.error is not None
    assert foreseen.error.reason == "TASK_QUEUE_FULL"
    assert foreseen.waiting == 1
    assert [c.skipped.value for c in foreseen.considered if c.skipped] == ["AtCapacity"]


def test_foresight_knows_addressees_and_unknown_avss() -> None:
    rig = Rig()
    rig.serve("a")
    staged = rig.router.foresee(AVS, Addressee(Role.STAGED), rig.now)
    assert staged.error is not None
    assert staged.error.reason == "NO_SUCH_INSTANCE"
    assert [c.skipped.value for c in staged.considered if c.skipped] == ["NotAddressed"]
    unknown = rig.router.foresee("0xb", None, rig.now)
    assert unknown.error is not None
    assert unknown.error.code is Code.NOT_FOUND


# -- watching


def test_a_tap_sees_the_steps_of_its_avs_until_it_is_taken_away() -> None:
    rig = Rig()
    rig.serve("a")
    woken: list[int] = []
    tap: Tap[Note] = Tap(size=10, avs=AVS, rate=1.0, wake=lambda: woken.append(1))
    other: Tap[Note] = Tap(size=10, avs="0xb", rate=1.0, wake=lambda: None)
    rig.log.add_tap(tap)
    rig.log.add_tap(other)
    rig.end(rig.send())
    rig.log.finished(f"0x{1:064x}", AVS, "completed", 0.5, rig.now)
    steps = [tap.take() for _ in range(3)]
    assert [s.step for s in steps if isinstance(s, Note)] == [
        Step.SENT,
        Step.CALL_ENDED,
        Step.FINISHED,
    ]
    assert len(woken) == 3
    assert other.take() is None
    rig.log.remove_tap(tap)
    rig.send()
    assert tap.take() is None
