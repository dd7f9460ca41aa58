"""The truth table of ejection for one to four instances.

Percentages mean nothing in sets this small; what must hold is said in words instead.
"""

from itertools import product

import pytest

from tests.support.ejection_table import SIZES, outcome

PATTERNS = [pattern for size in SIZES for pattern in product((True, False), repeat=size)]


def shown(pattern: tuple[bool, ...]) -> str:
    return "".join("+" if healthy else "-" for healthy in pattern)


@pytest.mark.parametrize("pattern", PATTERNS, ids=shown)
def test_which_instances_are_ejected(pattern: tuple[bool, ...]) -> None:
    row = outcome(pattern)
    if any(pattern):
        assert row.closed == row.healthy
    else:
        assert len(row.closed) == 1, "all fail alike: one of them stays in"
    assert set(row.given) <= set(row.closed)
