import pytest
from coincurve import PrivateKey
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.signing.ecdsa import Aggregator, AggregatorTable, EcdsaSigner, recover
from hourglass_executor.tasks.keccak import keccak256
from hourglass_executor.tasks.messages import (
    authorization_message,
    certificate_bytes,
    result_message_hash,
    submission_message,
)
from hourglass_services.executor.port import Submission

from tests.support.executor_values import AGGREGATOR, AGGREGATOR_KEY, KEY, OPERATOR, submission


def signed(given: Submission, key: str = AGGREGATOR_KEY) -> Submission:
    from dataclasses import replace

    message = submission_message(given, OPERATOR)
    return replace(given, signature=EcdsaSigner(key).sign_message(message))


def test_keccak_is_ethereums_and_not_sha3() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty


def test_addresses_are_ethereums() -> None:
    assert EcdsaSigner("0x" + "0" * 63 + "1").address == (
        "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    )
    assert EcdsaSigner(KEY).address == OPERATOR
    assert EcdsaSigner(AGGREGATOR_KEY).address == AGGREGATOR


def test_a_signature_has_65_bytes_and_v_is_27_or_28() -> None:
    signer = EcdsaSigner(KEY)
    signatures = [signer.sign_message(bytes((number,))) for number in range(20)]
    assert {len(one) for one in signatures} == {65}
    assert {one[64] for one in signatures} == {27, 28}
    assert signer.sign_message(b"\0") == signatures[0]
    assert recover(signatures[3], b"\x03") == OPERATOR
    assert recover(signatures[3], b"\x04") != OPERATOR


@pytest.mark.parametrize(
    "garbage", [b"", b"x", b"\0" * 65, b"\xff" * 65, b"\x01" * 64 + b"\x1d", b"\0" * 64 + b"\x1b"]
)
def test_garbage_recovers_to_nobody(garbage: bytes) -> None:
    assert recover(garbage, b"message") is None


def test_messages_have_the_lengths_of_the_contract() -> None:
    assert len(submission_message(submission(), OPERATOR)) == 224
    assert len(authorization_message(submission(), OPERATOR, b"signature")) == 160
    hashed = result_message_hash(submission().task_id, b"0x10")
    assert len(certificate_bytes(hashed, 1, "0x" + "1" * 40, "1")) == 66


def test_thirty_two_bytes_are_signed_as_they_are() -> None:
    signer = EcdsaSigner(KEY)
    digest = keccak256(b"message")
    assert signer.sign_for_solidity(digest) == signer.sign_message(b"message")
    assert signer.sign_for_solidity(b"message") == signer.sign_message(b"message")


def test_a_signed_task_of_a_trusted_aggregator_passes() -> None:
    table = AggregatorTable((Aggregator(address=AGGREGATOR, signer=AGGREGATOR),), OPERATOR)
    table.verify(signed(submission()))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (signed(submission(), KEY), "signature verification failed"),
        (submission(signature=b"short"), "invalid signature format"),
        (submission(signature=b"\1" * 65), "signature verification failed"),
        (
            signed(submission(aggregator_address=OPERATOR), KEY),
            "aggregator operator set not found for aggregator",
        ),
        (signed(submission(operator_set_id=7)), "aggregator operator set not found"),
        (signed(submission(avs_address="0x" + "2" * 40)), "aggregator operator set not found"),
    ],
)
def test_anything_else_is_denied(given: Submission, text: str) -> None:
    trusted = Aggregator(
        address=AGGREGATOR.upper().replace("0X", "0x"),
        signer=AGGREGATOR,
        avs=submission().avs_address,
        operator_sets=frozenset({0}),
    )
    with pytest.raises(HourglassError, match=text) as denied:
        AggregatorTable((trusted,), OPERATOR).verify(given)
    assert denied.value.code is Code.PERMISSION_DENIED


def test_a_changed_payload_breaks_the_signature() -> None:
    from dataclasses import replace

    table = AggregatorTable((Aggregator(address=AGGREGATOR, signer=AGGREGATOR),), OPERATOR)
    with pytest.raises(HourglassError):
        table.verify(replace(signed(submission()), payload=b"0x5"))


def test_a_private_key_of_another_length_is_refused() -> None:
    assert PrivateKey(bytes.fromhex(KEY[2:])).secret
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        EcdsaSigner("0x01")
