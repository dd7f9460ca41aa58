"""Which tests of the operator run on the real API alone, and why."""

import pytest

from tests.support.targets import DEV, QUOTA, REAL, REAL_ONLY, check_reason, targets_of


def test_a_test_runs_on_both_unless_it_is_marked() -> None:
    assert targets_of(None) == [REAL, DEV]
    assert targets_of(pytest.mark.only(REAL, QUOTA).mark) == [REAL]


def test_only_a_known_reason_keeps_a_test_from_the_dev_cluster() -> None:
    for reason in REAL_ONLY:
        check_reason(pytest.mark.only(REAL, reason).mark)
    with pytest.raises(pytest.UsageError, match=r"one of: .*quota"):
        check_reason(pytest.mark.only(REAL, "it is slow").mark)


def test_no_test_of_the_operator_leaves_out_the_real_api() -> None:
    with pytest.raises(pytest.UsageError):
        check_reason(pytest.mark.only(DEV, QUOTA).mark)
