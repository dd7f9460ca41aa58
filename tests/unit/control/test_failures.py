"""What callers of PerformerControl are told of Kubernetes' refusals."""

from collections.abc import Mapping
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, FieldViolation, HourglassError
from hourglass_common.kube.errors import KubeError, KubeUnavailableError
from hourglass_operator.control.failures import told


def translated(error: HourglassError) -> HourglassError:
    with pytest.raises(HourglassError) as caught, told("ns", "a"):
        raise error
    return caught.value


def answered(status: int, reason: str, message: str = "no", **details: Any) -> HourglassError:
    body: Mapping[str, Any] = {"reason": reason, "message": message, "details": details}
    return translated(KubeError(status, body, "POST /apis/x"))


@pytest.mark.parametrize(
    ("status", "reason", "code", "word"),
    [
        (409, "AlreadyExists", Code.ALREADY_EXISTS, "PERFORMER_EXISTS"),
        (409, "Conflict", Code.ABORTED, "PERFORMER_CHANGED"),
        (403, "Forbidden", Code.PERMISSION_DENIED, "FORBIDDEN"),
        (401, "Unauthorized", Code.UNAUTHENTICATED, "UNAUTHORIZED"),
        (422, "Invalid", Code.INVALID_ARGUMENT, "INVALID"),
        (429, "TooManyRequests", Code.RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS"),
        (500, "InternalError", Code.UNAVAILABLE, "INTERNAL_ERROR"),
        (503, "ServiceUnavailable", Code.UNAVAILABLE, "SERVICE_UNAVAILABLE"),
    ],
)
def test_each_refusal_has_its_code_and_a_stable_word(
    status: int, reason: str, code: Code, word: str
) -> None:
    error = answered(status, reason)
    assert (error.code, error.reason) == (code, word)


def test_a_missing_performer_is_told_apart_from_a_missing_namespace() -> None:
    text = 'performers.hourglass.eigenlayer.io "a" not found'
    assert answered(404, "NotFound", text).reason == "PERFORMER_NOT_FOUND"
    other = answered(404, "NotFound", 'namespaces "ns" not found')
    assert other.code is Code.NOT_FOUND
    assert other.reason == "NOT_FOUND"
    assert 'namespaces "ns" not found' in other.message


def test_bad_fields_have_the_names_of_the_request() -> None:
    causes = [
        {"field": "spec.avsAddress", "message": "too long"},
        {"field": "spec.config.environmentFrom[0].valueFrom", "message": "is empty"},
        {"field": "spec.scheduling.nodeSelector[zoneName]", "message": "bad"},
        {"field": "spec.config.environment.API_KEY", "message": "too long"},
        {"field": "metadata.name", "message": "bad"},
        {"field": "<nil>", "message": "not all rules were asked"},
    ]
    assert answered(422, "Invalid", causes=causes).violations == (
        FieldViolation("spec.avs_address", "too long"),
        FieldViolation("spec.config.environment_from[0].value_from", "is empty"),
        FieldViolation("spec.scheduling.node_selector[zoneName]", "bad"),
        FieldViolation("spec.config.environment.API_KEY", "too long"),
        FieldViolation("name", "bad"),
    )


def test_what_may_pass_says_when_to_come_back() -> None:
    assert answered(503, "ServiceUnavailable").retry_after == 1.0
    assert answered(429, "TooManyRequests", retryAfterSeconds=7).retry_after == 7.0
    assert answered(403, "Forbidden").retry_after is None


def test_an_api_that_is_away_leaves_it_open_whether_the_call_had_its_effect() -> None:
    error = translated(KubeUnavailableError("POST /apis/x", "connection refused"))
    assert error.code is Code.UNAVAILABLE
    assert error.retry_after == 1.0
    assert "may have had its effect" in error.hint
