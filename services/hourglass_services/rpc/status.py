"""Errors on the wire and back: the one place that knows both our codes and gRPC's.

An error carries google.rpc details: ErrorInfo with our domain and reason, BadRequest with the
bad fields, RetryInfo with the seconds to wait.
"""

from collections.abc import Sequence

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from hourglass_common.domain.errors import Code, FieldViolation, HourglassError

ERROR_DOMAIN = "hourglass.eigenlayer.io"
DETAILS_KEY = "grpc-status-details-bin"
# All of it travels in headers, which clients limit to 8 KiB, and the message goes twice.
_MAX_MESSAGE = 1024
_MAX_STATUS = 3072
_MAX_VIOLATIONS = 8
_MAX_DESCRIPTION = 400
_MAX_BAD_REQUEST = 1600

_TO_GRPC = {code: grpc.StatusCode[code.value] for code in Code}
_FROM_GRPC = {status: Code[status.name] for status in grpc.StatusCode if status.name != "OK"}


def status_code(code: Code) -> grpc.StatusCode:
    return _TO_GRPC[code]


def code_of(status: grpc.StatusCode) -> Code:
    """Return our code for a gRPC status that is not OK."""
    return _FROM_GRPC[status]


def to_status(error: HourglassError) -> status_pb2.Status:
    """Return the google.rpc.Status that tells a caller all of ``error``."""
    details: list[any_pb2.Any] = []
    if error.reason or error.metadata:
        info = error_details_pb2.ErrorInfo(
            reason=error.reason, domain=ERROR_DOMAIN, metadata=dict(error.metadata)
        )
        details.append(_packed(info))
    if error.violations:
        details.append(_packed(_bad_request(error.violations)))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    if "resourceName" in error.metadata:
        about = error_details_pb2.ResourceInfo(
            resource_type=error.metadata.get("resourceType", ""),
            resource_name=error.metadata["resourceName"],
            description=error.message[:_MAX_MESSAGE],
        )
        details.append(_packed(about))
    number = _TO_GRPC[error.code].value[0]
    text = str(error).encode()[:_MAX_MESSAGE].decode(errors="ignore")
    status = status_pb2.Status(code=number, message=text)
    for detail in details:
        if status.ByteSize() + detail.ByteSize() <= _MAX_STATUS:
            status.details.append(detail)
    return status


def _bad_request(violations: Sequence[FieldViolation]) -> error_details_pb2.BadRequest:
    """Return as many of the violations as there is room for, the first in any case."""
    found = error_details_pb2.BadRequest()
    for violation in violations[:_MAX_VIOLATIONS]:
        one = error_details_pb2.BadRequest.FieldViolation(
            field=violation.field[:_MAX_DESCRIPTION], description=_cut(violation.description)
        )
        if found.field_violations and found.ByteSize() + one.ByteSize() > _MAX_BAD_REQUEST:
            break
        found.field_violations.append(one)
    return found


def _cut(text: str) -> str:
    """Return ``text``, a long one without its middle: it begins with the value that is wrong."""
    if len(text) <= _MAX_DESCRIPTION:
        return text
    tail = _MAX_DESCRIPTION * 3 // 4
    return f"{text[: _MAX_DESCRIPTION - tail - 1]}…{text[-tail:]}"


def from_rpc_error(error: grpc.aio.AioRpcError) -> HourglassError:
    """Return what the other side said, with its details; for an error of the channel too."""
    reason = ""
    metadata: dict[str, str] = {}
    violations: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None
    for packed in _details(error):
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if packed.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif packed.Unpack(bad):
            violations = tuple(FieldViolation(v.field, v.description) for v in bad.field_violations)
        elif packed.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return HourglassError(
        code_of(error.code()),
        error.details() or error.code().name,
        reason=reason,
        metadata=metadata,
        violations=violations,
        retry_after=retry_after,
    )


def _details(error: grpc.aio.AioRpcError) -> list[any_pb2.Any]:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:  # a peer's garbage is no reason to lose the error
                return []
    return []


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
