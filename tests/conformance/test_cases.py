"""The suite's own list: ``cases.txt`` names every case once, and no mode leaves one out."""

import ast
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
MODES_SEEN_BY = {"caller", "world"}
ENOUGH = 50


def cases() -> Iterator[ast.AsyncFunctionDef | ast.FunctionDef]:
    for path in sorted(HERE.glob("test_*.py")):
        if path.name != Path(__file__).name:
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and (
                    node.name.startswith("test_")
                ):
                    yield node


def test_the_list_of_cases_is_that_of_the_suite() -> None:
    listed = (HERE / "cases.txt").read_text().splitlines()
    assert listed == [each.name.removeprefix("test_").replace("_", " ") for each in cases()]
    assert len(set(listed)) == len(listed) >= ENOUGH


def test_every_case_runs_in_every_mode_and_none_is_left_out_by_a_mark() -> None:
    for case in cases():
        given = {argument.arg for argument in case.args.args}
        assert given & MODES_SEEN_BY, case.name
        marks = [ast.unparse(each) for each in case.decorator_list]
        assert not [mark for mark in marks if "skip" in mark or "xfail" in mark], case.name
