"""The work queue against its promise: no key twice at once, none lost, failures back off."""

from hourglass_operator.runtime.queue_state import BACKOFF, QueueState
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

KEYS = st.sampled_from("abc")


class WorkQueueMachine(RuleBasedStateMachine):
    """The model: keys to be worked on now, and keys to be worked on later, with their time."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: QueueState[str] = QueueState()
        self.now = 0.0
        self.working: set[str] = set()
        self.asked: set[str] = set()
        self.later: dict[str, float] = {}
        self.failures: dict[str, int] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key, self.now)
        self.asked.add(key)

    @rule(key=KEYS, delay=st.floats(0, 100))
    def add_later(self, key: str, delay: float) -> None:
        self.queue.add_at(key, self.now + delay)
        self._ask_later(key, self.now + delay)

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        taken = self.queue.take(self.now)
        elapsed = {key for key, at in self.later.items() if at <= self.now}
        for key in elapsed:
            del self.later[key]
        self.asked |= elapsed
        due = self.asked - self.working
        if taken is None:
            assert not due
            return
        key, waited = taken
        assert key not in self.working
        assert key in due
        assert 0 <= waited <= self.now
        self.working.add(key)
        self.asked.discard(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key, self.now)
        self.working.discard(key)
        self.failures.pop(key, None)

    @precondition(lambda self: self.working)
    @rule(data=st.data(), u=st.floats(0, 0.99), retry_after=st.none() | st.floats(0, 100))
    def failed(self, data: st.DataObject, u: float, retry_after: float | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        count = self.failures[key] = self.failures.get(key, 0) + 1
        delay = self.queue.failed(key, self.now, u, retry_after)
        assert delay == max(BACKOFF.delay(count, u), retry_after or 0.0)
        self.working.discard(key)
        self._ask_later(key, self.now + delay)

    @precondition(lambda self: self.working)
    @rule(data=st.data(), u=st.floats(0, 0.99))
    def put_off(self, data: st.DataObject, u: float) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        delay = self.queue.put_off(key, self.now, u)
        assert delay == BACKOFF.delay(1, u)
        self.working.discard(key)
        self._ask_later(key, self.now + delay)

    @invariant()
    def a_waiting_worker_is_woken_in_time(self) -> None:
        times = list(self.later.values()) + [self.now] * bool(self.asked - self.working)
        wake = self.queue.next_at()
        assert (wake is None) == (not times)
        assert wake is None or wake <= min(times)

    @invariant()
    def nothing_else_is_kept(self) -> None:
        assert set(self.queue.due) | self.queue.again == self.asked
        assert self.queue.later == self.later
        assert self.queue.failures == self.failures

    def _ask_later(self, key: str, at: float) -> None:
        self.later[key] = min(at, self.later.get(key, at))


TestWorkQueue = WorkQueueMachine.TestCase
TestWorkQueue.settings = settings(max_examples=150, stateful_step_count=30)
