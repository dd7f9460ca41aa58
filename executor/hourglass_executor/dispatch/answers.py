"""What a dispatcher answers about its tasks and instances; nothing changes by it."""

from collections.abc import Mapping
from dataclasses import replace

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import HourglassError
from hourglass_common.domain.task import Addressee

from hourglass_executor.routing.drain import DrainReport
from hourglass_executor.routing.events import EndpointKey, TaskArrived
from hourglass_executor.routing.foresight import Foresight
from hourglass_executor.routing.router import Router
from hourglass_executor.routing.slot import EndpointView

from .endpoints import Link
from .policy import DispatchPolicy


class Answers:
    """The half of a ``Dispatcher`` that only looks."""

    _clock: Clock
    _router: Router
    _links: dict[EndpointKey, Link]
    _policy: DispatchPolicy
    _policies: Mapping[str, DispatchPolicy]

    def takes_tasks(self, avs: str) -> bool:
        """Whether some instance of ``avs`` (lower case) would take a task now; cheap."""
        return self._router.takes_tasks(avs, self._clock.monotonic())

    def refuses(self, avs: str, addressee: Addressee) -> HourglassError | None:
        """Return why none of those addressed takes a task now; None where one does."""
        return self._router.refuses(avs, addressee, self._clock.monotonic())

    def note_refusal(
        self, task_id: str, avs: str, addressee: Addressee | None, error: HourglassError
    ) -> None:
        """Remember why a task was refused before it came here."""
        now = self._clock.monotonic()
        task = TaskArrived(0, avs, now, task_id=task_id, addressee=addressee)
        self._router.note_refusal(task, error, now)

    def foresee(self, avs: str, addressee: Addressee | None = None) -> Foresight:
        """Return what would become of a task of ``avs`` that arrived now."""
        return self._router.foresee(avs, addressee, self._clock.monotonic())

    def place_in_queue(self, avs: str, task_id: str) -> int:
        """Return which of the waiting tasks is sent next but so many; 0 if it does not wait."""
        return self._router.place_in_queue(avs, task_id)

    def waiting(self) -> dict[str, int]:
        """Return how many tasks wait, by AVS."""
        return self._router.waiting()

    def concurrency(self, avs: str) -> int:
        """Return how many tasks an instance of ``avs`` may have at a time."""
        return self._policy_of(avs).router.concurrency

    def snapshot(self) -> tuple[EndpointView, ...]:
        """Return every endpoint as it is now, those that only finish their calls included."""
        return tuple(
            replace(view, last_health_check=link.prober.last_answer_at, connection=link.state)
            if (link := self._links.get((view.performer_id, view.instance, view.address)))
            else view
            for view in self._router.views(self._clock.monotonic())
        )

    def drain_reports(self, performer_id: str) -> tuple[DrainReport, ...]:
        """Return what each revision of ``performer_id`` still holds."""
        return self._router.drain_reports(performer_id)

    def _policy_of(self, avs: str) -> DispatchPolicy:
        return self._policies.get(avs, self._policy)
