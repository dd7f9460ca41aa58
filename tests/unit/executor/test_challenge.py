from itertools import count

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.api.challenge import MAX_TOKENS, TOKEN_SECONDS, Challenges
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.tasks.keccak import keccak256
from hourglass_services.executor.port import AuthSignature

from tests.support.executor_values import AGGREGATOR_KEY, KEY, OPERATOR
from tests.support.manual_clock import ManualClock


def challenges(clock: ManualClock | None = None, *, enabled: bool = True) -> Challenges:
    numbers = count()
    return Challenges(
        operator_address=OPERATOR,
        signer=OPERATOR if enabled else "",
        new_token=lambda: f"{next(numbers):064x}",
        clock=clock or ManualClock(),
    )


def signed(token: str, key: str = KEY) -> AuthSignature:
    signature = EcdsaSigner(key).sign_message(keccak256(token.encode()))
    return AuthSignature(challenge_token=token, signature=signature)


def code_of(asked: Challenges, address: str) -> tuple[Code, str]:
    with pytest.raises(HourglassError) as refused:
        asked.issue(address)
    return refused.value.code, refused.value.message


def refusal(asked: Challenges, auth: AuthSignature | None) -> tuple[Code, str]:
    with pytest.raises(HourglassError) as refused:
        asked.check(auth)
    return refused.value.code, refused.value.message


def test_refusals_come_in_the_order_of_the_reference() -> None:
    off = challenges(enabled=False)
    assert code_of(off, "") == (Code.INVALID_ARGUMENT, "operator address is required")
    assert code_of(off, "0x1") == (Code.PERMISSION_DENIED, "operator address mismatch")
    assert code_of(off, OPERATOR) == (Code.UNIMPLEMENTED, "authentication is not enabled")


def test_a_signed_token_is_accepted_once() -> None:
    asked = challenges()
    auth = signed(asked.issue(OPERATOR.upper().replace("0X", "0x")).token)
    asked.check(auth)
    assert refusal(asked, auth) == (
        Code.UNAUTHENTICATED,
        "invalid challenge token: challenge token not found",
    )


def test_a_token_is_used_up_by_a_bad_signature() -> None:
    asked = challenges()
    token = asked.issue(OPERATOR).token
    assert refusal(asked, signed(token, AGGREGATOR_KEY)) == (
        Code.UNAUTHENTICATED,
        "invalid signature",
    )
    assert refusal(asked, signed(token))[1].endswith("not found")


def test_a_token_expires() -> None:
    clock = ManualClock()
    asked = challenges(clock)
    challenge = asked.issue(OPERATOR)
    assert challenge.expires_at == int(clock.wall().timestamp() + TOKEN_SECONDS)
    clock.advance(TOKEN_SECONDS + 1)
    assert refusal(asked, signed(challenge.token))[1].endswith("expired")


def test_a_flood_of_tokens_is_bounded() -> None:
    asked = challenges()
    first = asked.issue(OPERATOR).token
    for _ in range(MAX_TOKENS):
        last = asked.issue(OPERATOR).token
    assert refusal(asked, signed(first))[1].endswith("not found")
    asked.check(signed(last))


def test_without_authentication_a_signature_is_refused_and_none_is_fine() -> None:
    off = challenges(enabled=False)
    off.check(None)
    assert refusal(off, signed("0" * 64))[0] is Code.UNIMPLEMENTED
    assert refusal(challenges(), None)[0] is Code.UNAUTHENTICATED
