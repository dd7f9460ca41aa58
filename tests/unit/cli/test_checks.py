"""Checks: how they are shown, and what they make of performers and definitions."""

import copy
from pathlib import Path

from hourglass_cli.checks.cluster import difference
from hourglass_cli.checks.model import (
    Category,
    Result,
    as_text,
    failed,
    passed,
    skipped,
    warning,
)
from hourglass_cli.checks.services import check_performers
from hourglass_cli.target import Program
from hourglass_cli.terminal import Paint
from hourglass_common.domain.performer_crd import performer_crd

from tests.support.shown_performers import ready, stalled, view

GOLDEN = Path(__file__).parent / "golden"
RESULT = Result(
    (
        Category("Kubernetes API", (passed("it answers"), passed("its version", "v1.36.3"))),
        Category(
            "Operator",
            (
                failed("it runs", "there is none", "install it", "kubectl apply -f deploy"),
                warning("one leads", "nobody yet"),
                skipped("metrics", "not asked"),
            ),
        ),
    )
)


def test_checks_are_grouped_and_each_failure_has_its_hint_and_command() -> None:
    assert as_text(RESULT, Paint()) + "\n" == (GOLDEN / "check.txt").read_text()
    assert as_text(RESULT, Paint(symbols=False)).isascii()


def test_a_warning_is_no_failure() -> None:
    assert not RESULT.ok
    assert Result((Category("x", (warning("a", "b"), skipped("c", "d"))),)).ok


def test_a_stalled_performer_fails_and_one_that_is_not_ready_warns() -> None:
    found = check_performers([ready(), stalled(), view()], Program.KUBECTL)
    told = [(each.state.value, each.command) for each in found.checks]
    command = "kubectl hourglass explain squares -n default"
    assert told == [("passed", ""), ("failed", command), ("warning", command)]
    assert "ImagePullFailed: no such image" in found.checks[1].message


def test_the_first_difference_of_two_definitions_is_named() -> None:
    ours = performer_crd()
    theirs = copy.deepcopy(ours)
    assert difference(ours, theirs) == ""
    spec = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["image"]["maxLength"] = 1
    assert difference(ours, theirs).endswith("properties.spec.properties.image.maxLength")
    del spec["properties"]["image"]
    assert difference(ours, theirs).endswith("properties.spec.properties.image")
