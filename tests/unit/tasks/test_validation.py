from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.tasks.validation import validate_submission

from tests.support.executor_values import submission

ADDRESSES = (
    ("aggregator_address", "aggregator address"),
    ("avs_address", "AVS address"),
    ("executor_address", "executor address"),
)
# In the reference's order, each with its text.
RULES: list[tuple[dict[str, Any], str]] = [
    ({"task_id": "0x12"}, "invalid task ID length: expected 66, got 4"),
    ({"task_id": "1" * 66}, "task ID must start with 0x prefix"),
    ({"task_id": "0x" + "g" * 64}, "invalid task ID format"),
    *(
        rule
        for field, name in ADDRESSES
        for rule in (
            ({field: "0x"}, f"invalid {name} length: expected 42, got 2"),
            ({field: "1" * 42}, f"{name} must start with 0x prefix"),
            ({field: "0x" + "z" * 40}, f"invalid {name} format"),
        )
    ),
    ({"signature": b""}, "signature cannot be empty"),
    ({"reference_timestamp": 0}, "reference timestamp cannot be zero"),
    ({"version": 0}, "unsupported task version 0"),
]


@pytest.mark.parametrize(("changes", "text"), RULES)
def test_a_broken_rule_is_told_in_the_words_of_the_reference(
    changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(HourglassError) as refused:
        validate_submission(submission(**changes))
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert refused.value.message.startswith(text)
    assert [one.field for one in refused.value.violations] == list(changes)


def test_the_first_broken_rule_is_told() -> None:
    everything: dict[str, Any] = {}
    for changes, text in reversed(RULES):
        everything = {**everything, **changes}
        with pytest.raises(HourglassError) as refused:
            validate_submission(submission(**everything))
        assert refused.value.message.startswith(text)


def test_a_good_submission_passes_in_any_case_of_its_digits() -> None:
    validate_submission(submission(task_id="0x" + "aB" * 32))


@pytest.mark.parametrize("version", [2, 4294967295])
def test_another_version_is_refused(version: int) -> None:
    with pytest.raises(HourglassError, match="only version 1"):
        validate_submission(submission(version=version))
