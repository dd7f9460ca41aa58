"""What has to be looked at at once, and what can wait a second."""

from typing import Any

import pytest
from hourglass_common.kube.watch_state import Change
from hourglass_operator.runtime.urgency import can_wait


def thing(generation: int = 1, ready: bool = False, **more: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"conditions": conditions, **more.pop("status", {})}
    return {"metadata": {"name": "x", "generation": generation, **more}, "status": status}


def change(old: dict[str, Any] | None, new: dict[str, Any] | None) -> Change:
    kind = "added" if old is None else "deleted" if new is None else "modified"
    return Change(kind, ("n", "x"), old, new)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plural", "old", "new", "waits"),
    [
        ("performers", None, thing(), False),
        ("performers", thing(), thing(2), False),
        ("performers", thing(), thing(ready=True), True),
        ("performers", thing(), None, False),
        ("replicasets", None, thing(), True),
        ("replicasets", thing(), thing(status={"replicas": 1}), True),
        ("replicasets", thing(status={"replicas": 2}), thing(status={"replicas": 1}), False),
        ("replicasets", thing(), thing(annotations={"promotion": "2"}), False),
        ("replicasets", thing(), None, False),
        ("services", None, thing(), True),
        ("services", thing(), thing(labels={"a": "b"}), False),
        ("pods", None, thing(), True),
        ("pods", None, thing(ready=True), False),
        ("pods", thing(), thing(ready=True), False),
        ("pods", thing(ready=True), None, False),
        ("leases", None, thing(), False),
        ("endpointslices", None, thing(), False),
    ],
)
def test_news_that_nothing_follows_from_can_wait(
    plural: str, old: dict[str, Any] | None, new: dict[str, Any] | None, waits: bool
) -> None:
    assert can_wait(plural, change(old, new)) is waits
