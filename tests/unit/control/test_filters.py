"""Filters as in AIP-160 over manifests."""

from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.filters import DEEPEST, parse_filter

DEMO: dict[str, Any] = {
    "metadata": {
        "namespace": "team-a",
        "name": "demo",
        "generation": 4,
        "creationTimestamp": "2026-03-01T10:00:00Z",
        "labels": {"team": "red", "a.b/c": "x y"},
    },
    "spec": {
        "avsAddress": "0xAB",
        "image": "registry.test/demo:v2",
        "replicas": 3,
        "config": {"environment": {"LOG": "debug"}, "args": ["--fast", "--blue"]},
        "scheduling": {"affinity": {"nodeAffinity": {"weight": 1}}},
    },
    "status": {
        "phase": "Running",
        "ready": True,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "InstancesReady"},
            {"type": "Progressing", "status": "False", "reason": "Settled"},
        ],
    },
}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("   ", True),
        ("name = demo", True),
        ("name = de*", True),
        ("name = *mo", True),
        ("name = *em*", True),
        ("name != demo", False),
        ('spec.image:"v2"', True),
        ("spec.image : v3", False),
        ("spec.image = registry.test/demo*", True),
        ("spec.replicas >= 3", True),
        ("spec.replicas < 3", False),
        ("spec.replicas = 3 AND status.phase = Running", True),
        ("spec.replicas = 3 status.phase = Pending", False),
        ("status.phase = Pending OR status.phase = Running", True),
        # OR binds tighter: (a OR b) AND c.
        ("name = demo OR name = x AND status.phase = Pending", False),
        ("NOT status.ready = true", False),
        ("-status.ready = true", False),
        ("status.ready = true", True),
        ("spec.fence = false", True),  # unset is false
        ("spec.fence = true", False),
        ("labels.team = red", True),
        ('labels."a.b/c" = "x y"', True),
        ("labels:team", True),
        ("labels:other", False),
        ("labels.other = *", False),
        ("labels.team:*", True),
        ("spec.config.environment.LOG = debug", True),
        ("spec.config.args:--fast", True),
        ("spec.config.args:--slow", False),
        ("spec.scheduling.affinity.nodeAffinity.weight = 1", True),
        ("status.conditions.reason = InstancesReady", True),
        ("status.conditions.reason = Fenced", False),
        ("status.conditions.reason != Settled", False),  # one of them is
        ('create_time > "2026-01-01T00:00:00Z"', True),
        ('createTime < "2026-01-01T00:00:00+02:00"', False),
        ("generation > 3", True),
        ('(name = x OR (labels.team = "red" AND NOT spec.replicas = 1))', True),
        ("status.revisions.image = x", False),
        ("spec.version = 1", False),
    ],
)
def test_a_filter_lets_through_what_it_says(text: str, fits: bool) -> None:
    assert parse_filter(text)(DEMO) is fits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spec.imagee = x", "did you mean image?"),
        ("nonsense", "has no field 'nonsense'"),
        ("name", "expected one of ="),
        ("name =", "expected a value, not the end"),
        ("name = a b", "has no field 'b'"),
        ("(name = a", "expected )"),
        ("name = a)", "expected AND, OR or the end, not ')'"),
        ("AND", "has no field 'AND'"),
        ("= a", "expected a field"),
        ("spec.replicas = many", "is a number"),
        ("status.ready > true", "with true or false"),
        ("status.ready = yes", "with true or false"),
        ("create_time > yesterday", "is a time"),
        ('create_time > "2026-01-01T00:00:00"', "is a time"),
        ("spec = x", "compared by : alone"),
        ("endpoints.role = x", "can not be filtered by"),
        ("name.more = x", "has no fields of its own"),
        ("name = \x00'", "can not be read"),
        ("(" * (DEEPEST + 1) + "name = a" + ")" * (DEEPEST + 1), "parentheses"),
    ],
)
def test_what_can_not_be_read_is_refused_with_where_and_why(text: str, words: str) -> None:
    with pytest.raises(HourglassError) as caught:
        parse_filter(text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert [violation.field for violation in caught.value.violations] == ["filter"]
    assert words in caught.value.message


def test_many_negations_are_no_way_to_end_the_process() -> None:
    assert parse_filter("NOT " * 500 + "name = demo")(DEMO) is True
