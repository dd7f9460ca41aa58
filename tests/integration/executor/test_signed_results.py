"""A result as its aggregator checks it, from an executor with all of it configured."""

import json
from pathlib import Path

from eth_keyfile.keyfile import create_keyfile_json
from hourglass_executor.signing.ecdsa import EcdsaSigner, recover
from hourglass_executor.tasks.messages import (
    authorization_message,
    certificate_bytes,
    result_message_hash,
    submission_message,
)
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

from tests.support.executor_process import running_executor
from tests.support.executor_values import (
    AGGREGATOR,
    AGGREGATOR_KEY,
    KEY,
    OPERATOR,
    settings,
    submission,
)

SIGNING_KEY = "0x" + "03" * 32
VERIFIER = "0x" + "c0ffee" * 6 + "c0ff"


async def test_a_result_is_a_certificate_signed_by_the_signing_key(tmp_path: Path) -> None:
    keystore = create_keyfile_json(bytes.fromhex(SIGNING_KEY[2:]), b"words", iterations=1000)
    (tmp_path / "key.json").write_text(json.dumps(keystore))
    given = settings(
        tmp_path,
        operator={
            "address": OPERATOR,
            "operatorPrivateKey": {"privateKey": KEY},
            "signingKeys": {
                "ecdsa": {"keystoreFile": str(tmp_path / "key.json"), "password": "words"},
                "bls": {"keystoreFile": "not-looked-at.json", "password": "x"},
            },
        },
        verification={
            "mode": "ecdsa",
            "aggregators": [{"address": AGGREGATOR}],
            "certificateVerifier": {"address": VERIFIER, "version": "2"},
        },
    )
    task = submission()
    signature = EcdsaSigner(AGGREGATOR_KEY).sign_message(submission_message(task, OPERATOR))
    async with running_executor(given) as at, open_channel(at.grpc) as channel:
        result = await ExecutorClient(channel).submit(
            submission(signature=signature), timeout_seconds=20
        )
    signer = EcdsaSigner(SIGNING_KEY).address
    message = result_message_hash(task.task_id, b"0x10")
    certificate = certificate_bytes(message, task.reference_timestamp, VERIFIER, "2")
    assert recover(result.result_signature, certificate) == signer
    authorization = authorization_message(task, OPERATOR, result.result_signature)
    assert recover(result.auth_signature, authorization) == signer
    assert (result.operator_address, result.version) == (OPERATOR, 1)
