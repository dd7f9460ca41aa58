"""The one task of ``hourglass dev --ci``: submitted, and its result checked."""

import secrets
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.executor.port import Submission

from hourglass_cli.executor_call import submit
from hourglass_cli.payload import UNSIGNED, shown

from .programs import AGGREGATOR, DEMO_AVS, OPERATOR_ADDRESS

PAYLOAD = b"0x4"
RESULT = b"0x10"
TIMEOUT_SECONDS = 30.0


async def checked_task(executor: str) -> dict[str, Any]:
    """Return what is reported of the task; DATA_LOSS if its result is not the square."""
    submission = Submission(
        task_id="0x" + secrets.token_hex(32),
        avs_address=DEMO_AVS,
        payload=PAYLOAD,
        aggregator_address=AGGREGATOR,
        executor_address=OPERATOR_ADDRESS,
        signature=UNSIGNED,
        operator_set_id=0,
        reference_timestamp=int(SystemClock().wall().timestamp()),
    )
    answer = await submit(executor, submission, timeout_seconds=TIMEOUT_SECONDS)
    if answer.output != RESULT:
        raise HourglassError(
            Code.DATA_LOSS,
            f"task {submission.task_id}: the square of {PAYLOAD.decode()} came back as "
            f"{shown(answer.output)}, not as {RESULT.decode()}",
        )
    return {
        "id": answer.task_id,
        "payload": PAYLOAD.decode(),
        "result": shown(answer.output),
    }
