"""Whom a TokenReview names: only a token that was made for us counts."""

from typing import Any

import pytest
from hourglass_common.domain.access import Caller, Proof
from hourglass_operator.control.reviews import caller_of

USER = {
    "username": "system:serviceaccount:a:b",
    "uid": "u-1",
    "groups": ["system:serviceaccounts", "system:authenticated"],
    "extra": {"authentication.kubernetes.io/pod-name": ["p"]},
}


def review(**status: Any) -> dict[str, Any]:
    given = {"authenticated": True, "user": USER, "audiences": ["ours"], **status}
    return {"status": {key: value for key, value in given.items() if value is not None}}


def test_the_user_is_as_kubernetes_describes_it() -> None:
    assert caller_of(review(), "ours") == Caller(
        name="system:serviceaccount:a:b",
        groups=("system:serviceaccounts", "system:authenticated"),
        uid="u-1",
        extra={"authentication.kubernetes.io/pod-name": ("p",)},
        proof=Proof.TOKEN,
    )


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False},
        {"authenticated": None},
        {"authenticated": "true"},
        {"audiences": None},  # an authenticator that knows of no audiences
        {"audiences": []},
        {"audiences": ["theirs"]},
        {"audiences": ["theirs-and-ours"]},
        {"user": None},
        {"user": {"username": ""}},
    ],
)
def test_a_token_that_is_not_valid_for_us_is_nobodys(status: dict[str, Any]) -> None:
    assert caller_of(review(**status), "ours") is None


def test_an_answer_without_a_status_names_nobody() -> None:
    assert caller_of({}, "ours") is None
