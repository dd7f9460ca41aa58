"""Submissions signed on the command line are what the executor verifies."""

from dataclasses import replace
from pathlib import Path

import pytest
from hourglass_cli.payload import NOBODY, UNSIGNED
from hourglass_cli.signing import signed
from hourglass_common.domain.errors import HourglassError
from hourglass_executor.signing.ecdsa import Aggregator, AggregatorTable
from hourglass_services.executor.port import Submission

KEY = "0x" + "01" * 32
ADDRESS = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
EXECUTOR = "0x" + "22" * 20
TASK = Submission(
    task_id="0x" + "ab" * 32,
    aggregator_address=NOBODY,
    avs_address="0x" + "11" * 20,
    payload=b"0x4",
    signature=UNSIGNED,
    operator_set_id=0,
    reference_timestamp=1,
    executor_address=EXECUTOR,
)


def test_the_executor_accepts_what_the_key_signed_and_nothing_changed_since() -> None:
    verifier = AggregatorTable((Aggregator(address=ADDRESS, signer=ADDRESS),), EXECUTOR)
    task = signed(TASK, KEY)
    assert task.aggregator_address == ADDRESS
    verifier.verify(task)
    with pytest.raises(HourglassError, match="signature verification failed"):
        verifier.verify(replace(task, payload=b"0x5"))


def test_a_key_can_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert signed(TASK, f"@{file}") == signed(TASK, KEY)


@pytest.mark.parametrize("key", ["0x12", "secret", "@/does/not/exist"])
def test_a_bad_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(HourglassError) as refused:
        signed(TASK, key)
    assert refused.value.message.startswith("--key: ")
    assert "secret" not in str(refused.value)
