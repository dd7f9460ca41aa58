"""A performer as a tree: what a line says, with executors and without."""

import re
from pathlib import Path

import pytest
from hourglass_cli.show.describe import described
from hourglass_cli.show.tree import Inspected, tree
from hourglass_cli.terminal import Paint
from hourglass_common.domain.endpoint import Role
from hourglass_services.control.port import InstanceSteps, Step, StepState
from hourglass_services.inspection.port import BreakerState, EndpointHealth

from tests.support.command_line import NOW
from tests.support.shown_performers import OLD, inspected, ready, stalled, view

GOLDEN = Path(__file__).parent / "golden"
TWO_EXECUTORS = Inspected(
    asked=3,
    endpoints=(
        inspected(1),
        inspected(1, breaker=BreakerState.OPEN, in_flight=1, skipped="BreakerOpen"),
        inspected(2, health=EndpointHealth.NOT_SERVING, in_flight=0, skipped="NotServing"),
    ),
    failures=("executor 10.1.1.1:9091: can not be reached",),
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tree", tree([view()], Inspected(), NOW, Paint())),
        ("tree_of_executors", tree([view()], TWO_EXECUTORS, NOW, Paint())),
        ("tree_in_ascii", tree([ready(), stalled()], Inspected(), NOW, Paint(symbols=False))),
        ("describe", described(view(), TWO_EXECUTORS, NOW, Paint())),
    ],
)
def test_the_picture_is_that_of_the_golden_file(name: str, text: str) -> None:
    assert text + "\n" == (GOLDEN / f"{name}.txt").read_text()


def test_what_no_executor_was_asked_about_is_not_known() -> None:
    (line,) = [
        each for each in tree([view()], Inspected(), NOW, Paint()).split("\n") if "-1 " in each
    ]
    assert line.count("not known here") == 3


def test_an_instance_that_an_executor_does_not_use_has_nothing_in_its_columns() -> None:
    told = Inspected(asked=1, endpoints=(inspected(1),))
    lines = tree([view()], told, NOW, Paint()).split("\n")
    (unused,) = [line for line in lines if "722326c72-2" in line]
    assert unused.split()[-4:] == ["-", "-", "-", "10.0.0.2:9090"]


def test_an_instance_without_an_address_is_shown_with_what_keeps_it_from_one() -> None:
    steps = (
        Step("Running", StepState.PASSED),
        Step("Ready", StepState.WAITING, "NotReady", "its health check does not pass"),
    )
    instance = InstanceSteps(f"squares-{OLD}-9", OLD, Role.IN_SERVICE, False, steps)
    explained = {("default", "squares"): (instance,)}
    text = tree([view()], Inspected(), NOW, Paint(), explained)
    (line,) = [each for each in text.split("\n") if f"{OLD}-9" in each]
    assert line.startswith("   └─ ◌ instance/")
    assert line.endswith("NotReady: its health check does not pass")


def test_colours_change_no_column() -> None:
    plain = tree([view()], TWO_EXECUTORS, NOW, Paint())
    coloured = tree([view()], TWO_EXECUTORS, NOW, Paint(colours=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
