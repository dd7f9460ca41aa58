"""Every digest and signature of the contract, against vectors.

``vectors.json`` was made with eth-abi, eth-account's EIP-712 and eth-keys, none of which this
project uses for it: a field in another order or of another width would differ.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hourglass_executor.api.challenge import Challenges
from hourglass_executor.api.results import Identity
from hourglass_executor.signing.ecdsa import Aggregator, AggregatorTable, EcdsaSigner, recover
from hourglass_executor.tasks.keccak import keccak256
from hourglass_executor.tasks.messages import (
    authorization_message,
    certificate_bytes,
    result_message,
    result_message_hash,
    submission_message,
)
from hourglass_services.executor.port import AuthSignature, Submission

from tests.support.manual_clock import ManualClock

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
OPERATOR, AGGREGATOR = VECTORS["operator"], VECTORS["aggregator"]
TASKS = pytest.mark.parametrize(
    "given", VECTORS["tasks"], ids=[t["name"] for t in VECTORS["tasks"]]
)


def submission_of(given: dict[str, Any]) -> Submission:
    return Submission(
        task_id=given["task_id"],
        aggregator_address=AGGREGATOR,
        avs_address=given["avs_address"],
        payload=bytes.fromhex(given["payload"]),
        signature=bytes.fromhex(given["aggregator_signature"]),
        operator_set_id=given["operator_set_id"],
        reference_timestamp=given["reference_timestamp"],
        executor_address=given["executor_address"],
        task_block_number=given["task_block_number"],
    )


@TASKS
def test_what_the_aggregator_signs(given: dict[str, Any]) -> None:
    task = submission_of(given)
    message = submission_message(task, given["executor_address"])
    assert message.hex() == given["submission_message"]
    signed = EcdsaSigner(VECTORS["aggregator_key"]).sign_message(message)
    assert signed == task.signature
    assert recover(task.signature, message) == AGGREGATOR
    trusted = Aggregator(address=AGGREGATOR, signer=AGGREGATOR)
    AggregatorTable((trusted,), OPERATOR).verify(task)


@TASKS
def test_the_hash_of_a_result(given: dict[str, Any]) -> None:
    output = bytes.fromhex(given["output"])
    assert result_message(given["task_id"], output).hex() == given["result_message"]
    assert result_message_hash(given["task_id"], output).hex() == given["result_message_hash"]


@TASKS
def test_the_bytes_of_a_certificate(given: dict[str, Any]) -> None:
    found = certificate_bytes(
        bytes.fromhex(given["result_message_hash"]),
        given["reference_timestamp"],
        given["verifier"],
        given["version"],
    )
    assert found.hex() == given["certificate_bytes"]


@TASKS
def test_what_binds_a_signature_to_its_task(given: dict[str, Any]) -> None:
    signature = bytes.fromhex(given["certificate_signature"])
    found = authorization_message(submission_of(given), OPERATOR, signature)
    assert found.hex() == given["certificate_authorization_message"]


@TASKS
@pytest.mark.parametrize("kind", ["certificate", "plain"])
async def test_both_signatures_of_an_answer(given: dict[str, Any], kind: str) -> None:
    identity = Identity(
        address=OPERATOR,
        signer=EcdsaSigner(VECTORS["operator_key"]),
        certificate_verifier=given["verifier"] if kind == "certificate" else "",
        certificate_version=given["version"],
    )
    task = submission_of(given)
    result = await identity.signed(task, identity.unsigned(task, bytes.fromhex(given["output"])))
    assert result.result_signature.hex() == given[f"{kind}_signature"]
    assert result.auth_signature.hex() == given[f"{kind}_authorization_signature"]


def test_a_signed_challenge() -> None:
    given = VECTORS["challenge"]
    assert keccak256(given["uuid"].encode()).hex() == given["token"]
    challenges = Challenges(
        operator_address=OPERATOR,
        signer=OPERATOR,
        new_token=lambda: str(given["token"]),
        clock=ManualClock(),
    )
    token = challenges.issue(OPERATOR).token
    assert token == given["token"]
    signature = bytes.fromhex(given["signature"])
    challenges.check(AuthSignature(challenge_token=token, signature=signature))
