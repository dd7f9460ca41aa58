"""Failures of the Kubernetes API, translated once: nothing past ``kube`` sees aiohttp's."""

from collections.abc import Mapping
from typing import Any

from hourglass_common.domain.errors import Code, FieldViolation, HourglassError

_BY_STATUS = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    409: Code.ABORTED,
    410: Code.OUT_OF_RANGE,
    415: Code.UNIMPLEMENTED,
    422: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    504: Code.DEADLINE_EXCEEDED,
}


class KubeError(HourglassError):
    """The API server answered with a Status: its HTTP code, reason and message.

    ``explanation`` is the server's own sentence; ``message`` says what was asked as well.
    """

    def __init__(self, http_status: int, status: Mapping[str, Any], what: str) -> None:
        self.http_status = http_status
        self.status_reason: str = status.get("reason") or ""
        self.explanation: str = status.get("message") or f"HTTP {http_status}"
        details = status.get("details") or {}
        causes = details.get("causes") or []
        code = _BY_STATUS.get(http_status, Code.UNAVAILABLE)
        if self.status_reason == "AlreadyExists":
            code = Code.ALREADY_EXISTS
        retry_after = details.get("retryAfterSeconds")
        super().__init__(
            code,
            f"{what}: {self.explanation}",
            reason=self.status_reason,
            violations=tuple(
                FieldViolation(cause.get("field", ""), cause.get("message", ""))
                for cause in causes
                if cause.get("field")
            ),
            retry_after=float(retry_after) if retry_after is not None else None,
        )

    @property
    def is_not_found(self) -> bool:
        return self.http_status == 404

    @property
    def is_conflict(self) -> bool:
        """Whether the object changed since it was read (not: a name already taken)."""
        return self.http_status == 409 and self.status_reason != "AlreadyExists"

    @property
    def is_already_exists(self) -> bool:
        return self.status_reason == "AlreadyExists"

    @property
    def is_gone(self) -> bool:
        """Whether the resourceVersion asked for is too old: list again."""
        return self.http_status == 410


class KubeUnavailableError(HourglassError):
    """The API server could not be reached, or broke off before it had answered.

    A write may or may not have been made.
    """

    def __init__(self, what: str, cause: str) -> None:
        super().__init__(
            Code.UNAVAILABLE,
            f"{what}: the Kubernetes API can not be reached: {cause}",
            reason="KUBERNETES_UNREACHABLE",
            hint="check that it runs and that the kubeconfig names it",
        )
