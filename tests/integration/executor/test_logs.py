"""What the log of an executor's run tells, and what it must not: payloads and secrets."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.tasks.keccak import keccak256
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.codec import submission_to_proto
from hourglass_services.executor.port import AuthSignature
from hourglass_services.rpc.channel import open_channel

from tests.support.executor_process import executor_process
from tests.support.executor_values import AVS, KEY, OPERATOR, configuration, submission

CANARY = "canary-4711"
LEAKY = [sys.executable, "-m", "tests.support.leaky_performer"]


def given(folder: Path) -> dict[str, Any]:
    performer = {
        "image": {"repository": "leaky", "tag": "1"},
        "avsAddress": AVS,
        "deploymentMode": "process",
        "envs": [{"name": "PASSWORD", "value": f"environment-{CANARY}"}],
    }
    return configuration(
        folder,
        debug=True,
        avsPerformers=[performer],
        authentication={"enabled": True},
        processes={"allow": True, "commands": {"leaky": LEAKY}},
    )


async def outcome(client: ExecutorClient, number: int, word: str) -> Code | None:
    payload = f"{word} payload-{CANARY}".encode()
    try:
        found = await client.submit(submission(number, payload=payload), timeout_seconds=20)
    except HourglassError as error:
        return error.code
    assert CANARY.encode() in found.output
    return None


async def test_no_payload_output_or_secret_is_in_the_log_of_a_run_with_failures(
    tmp_path: Path,
) -> None:
    async with (
        executor_process(given(tmp_path / "data"), tmp_path) as (process, address),
        open_channel(address) as channel,
    ):
        client = ExecutorClient(channel)
        ends = {
            word: [await outcome(client, number, word) for _ in range(2)]  # and its repeat
            for number, word in enumerate(("ok", "fail", "unknown", "confuse", "exit"), start=1)
        }
        assert ends == {
            "ok": [None, None],
            "fail": [Code.FAILED_PRECONDITION] * 2,
            "unknown": [Code.ABORTED] * 2,
            "confuse": [Code.DATA_LOSS] * 2,
            "exit": [Code.ABORTED] * 2,
        }
        assert await outcome(client, 1, "another") is Code.ALREADY_EXISTS
        call: Any = channel.unary_unary("/eigenlayer.hourglass.v1.ExecutorService/SubmitTask")
        task = submission_to_proto(submission(1, payload=f"ok payload-{CANARY}".encode()))
        told = (("x-request-id", "request-42"),)
        await call(task.SerializeToString(), metadata=told, timeout=10)
        task = submission_to_proto(submission(2, payload=f"fail payload-{CANARY}".encode()))
        with pytest.raises(Exception, match=CANARY):  # its caller is told what the performer said
            await call(task.SerializeToString(), metadata=told, timeout=10)
        token = (await client.challenge(OPERATOR)).token
        signature = EcdsaSigner(KEY).sign_message(keccak256(token.encode()))
        await client.list(auth=AuthSignature(challenge_token=token, signature=signature))
        process.terminate()
        assert await process.wait() == 0
    text = (tmp_path / "executor.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]  # each is one JSON object
    assert CANARY not in text
    assert CANARY.encode().hex() not in text
    for secret in (token, signature.hex(), KEY.removeprefix("0x")):
        assert secret not in text
    assert {line["level"] for line in lines} >= {"info", "warning"}
    ended = [line for line in lines if line["event"] == "task ended"]
    assert len(ended) == 5
    assert all(line["request_id"] and line["task_id"] for line in ended)
    mine = [line for line in lines if line.get("request_id") == "request-42"]
    assert [(line["event"], line["task_id"]) for line in mine] == [
        ("repeated task answered again", submission(1).task_id),
        ("repeated task answered again", submission(2).task_id),
        ("call refused", submission(2).task_id),
    ]
    assert "(not shown)" in mine[-1]["error"]
