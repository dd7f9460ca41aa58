"""Whether a submission is well formed: the reference's rules, in its order, with its texts. Pure.

A failure is INVALID_ARGUMENT and shows the first rule that is broken. Payload and operator set
are the AVS's business; the version is checked last, which the reference does not do.
"""

import re

from hourglass_common.domain.errors import Code, FieldViolation, HourglassError
from hourglass_services.executor.port import Submission

TASK_ID_LENGTH = 66
ADDRESS_LENGTH = 42
VERSION = 1

_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]*")


def validate_submission(submission: Submission) -> None:
    """Raise INVALID_ARGUMENT for the first broken rule."""
    _hexadecimal("task_id", "task ID", submission.task_id, TASK_ID_LENGTH)
    for field, name in (
        ("aggregator_address", "aggregator address"),
        ("avs_address", "AVS address"),
        ("executor_address", "executor address"),
    ):
        _hexadecimal(field, name, getattr(submission, field), ADDRESS_LENGTH)
    if not submission.signature:
        raise _refused("signature", "signature cannot be empty")
    if submission.reference_timestamp == 0:
        raise _refused("reference_timestamp", "reference timestamp cannot be zero")
    if submission.version != VERSION:
        raise _refused(
            "version",
            f"unsupported task version {submission.version}: only version {VERSION} is known",
            hint="set version: 1 in the submission",
        )


def _hexadecimal(field: str, name: str, value: str, length: int) -> None:
    if len(value) != length:
        raise _refused(field, f"invalid {name} length: expected {length}, got {len(value)}")
    if not value.startswith("0x"):
        raise _refused(field, f"{name} must start with 0x prefix")
    if _HEXADECIMAL.fullmatch(value) is None:
        raise _refused(field, f"invalid {name} format: not hexadecimal digits after 0x")


def _refused(field: str, text: str, *, hint: str = "") -> HourglassError:
    return HourglassError(
        Code.INVALID_ARGUMENT,
        text,
        hint=hint,
        reason="INVALID_TASK",
        violations=(FieldViolation(field, text),),
    )
