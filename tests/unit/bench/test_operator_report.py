"""What the operator's benchmark judges, from figures that are made up."""

from typing import cast

import pytest

from tests.bench.operator_rig.report import (
    FLOOR_SECONDS,
    Goal,
    Size,
    as_json,
    goals,
    judge,
    percentile,
    table,
)

BY_KEY = {goal.key: goal for goal in goals(Size())}
RATIO = Goal("r", "r", "s", "≤ 1.3x", ratio=1.3)
LIMIT = Goal("l", "l", "s", "≤ 8", limit=8)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(reversed(values), 0.95) == 95
    assert percentile([7.0], 0.95) == 7


def test_a_row_is_the_median_of_its_runs() -> None:
    row = judge(LIMIT, [9.0, 7.0, 8.0], [])
    assert (row.value, row.met, row.runs) == (8.0, True, (9.0, 7.0, 8.0))


def test_a_row_above_its_limit_is_not_met() -> None:
    assert not judge(LIMIT, [8.1], []).met


def test_a_ratio_is_taken_from_the_bare_client() -> None:
    assert judge(RATIO, [13.0], [10.0]).met
    slow = judge(RATIO, [13.1], [10.0])
    assert (slow.ratio, slow.met) == (1.31, False)


def test_a_ratio_without_a_bare_client_is_not_met() -> None:
    assert not judge(RATIO, [1.0], []).met


def test_what_was_not_measured_is_not_met() -> None:
    row = judge(LIMIT, [], [])
    assert (row.value, row.met) == (None, False)
    assert "not measured" in table([row])


@pytest.mark.parametrize(("slower", "met"), [(1.19, True), (1.21, False)])
def test_a_floor_a_fifth_slower_fails(slower: float, met: bool) -> None:
    assert judge(BY_KEY["floor"], [FLOOR_SECONDS * slower], []).met is met


def test_a_small_bench_does_not_judge_the_floor() -> None:
    (floor,) = (goal for goal in goals(Size(many=200)) if goal.key == "floor")
    assert judge(floor, [60.0], []).met


def test_one_write_while_idle_is_one_too_many() -> None:
    assert judge(BY_KEY["idle"], [0, 0, 0], []).met
    assert not judge(BY_KEY["idle"], [1, 1, 0], []).met


def test_the_rows_of_the_file_have_what_readers_ask_for() -> None:
    content = as_json([judge(LIMIT, [2.0], [])], {"cores": 2}, {"runs": 1})
    rows = cast("list[dict[str, object]]", content["rows"])
    assert {"measure", "value", "unit", "wanted", "met"} <= set(rows[0])
    assert (content["machine"], content["method"]) == ({"cores": 2}, {"runs": 1})


def test_the_table_shows_the_reference_beside_ours() -> None:
    head, line = table([judge(BY_KEY["memory"], [90.0], [])]).splitlines()
    assert head.split() == ["measure", "reference", "bare", "client", "ours", "wanted"]
    assert line.split()[-8:] == ["CRs", "68", "-", "90", "MB", "≤", "130", "met"]
