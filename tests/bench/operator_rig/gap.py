"""How long a performer had no instance while its image changed, from what a watch saw. Pure.

An instance is a pod that is Ready and not on its way out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hourglass_common.kube.objects import is_pod_ready
from hourglass_common.kube.resources import PERFORMERS, PODS, Manifest

from tests.bench.operator_rig.observer import Key, Seen
from tests.bench.operator_rig.performers import is_ready


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds without a usable pod, and those of them in which the CR said that it is Ready."""

    without: float
    untrue: float


def gap(before: Mapping[Key, Manifest], events: Iterable[Seen], began: float, ended: float) -> Gap:
    """Return the gap between two moments, from what there was at first and the events since."""
    objects = dict(before)
    without = untrue = 0.0
    at = began
    for event in [*sorted(events, key=lambda event: event.at), None]:
        until = min(max(event.at, began), ended) if event else ended
        if not any(is_pod_ready(pod) for key, pod in objects.items() if key[0] == PODS.plural):
            without += until - at
            if any(is_ready(cr) for key, cr in objects.items() if key[0] == PERFORMERS.plural):
                untrue += until - at
        at = until
        if event is None:
            break
        if event.kind == "DELETED":
            objects.pop((event.plural, event.name), None)
        else:
            objects[event.plural, event.name] = event.found
    return Gap(without, untrue)
