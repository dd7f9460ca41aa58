"""Challenge tokens: given out, signed by the operator's key, accepted once.

The signature is over keccak256 of keccak256(the token's text), as the reference has it. Who signed
is recovered from it, so the key itself may be elsewhere.
"""

import hmac
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger
from hourglass_services.executor.port import AuthSignature, Challenge

from hourglass_executor.signing.ecdsa import recover
from hourglass_executor.tasks.keccak import keccak256

log = get_logger(__name__)

TOKEN_SECONDS = 300.0
MAX_TOKENS = 4096

_admitted: ContextVar[str] = ContextVar("admitted_challenge", default="")
"""The token that the call being served was let in with."""


class Challenges:
    """``signer`` is the address of the key that must sign, "" with authentication off;
    ``new_token`` makes 64 random hexadecimal digits."""

    def __init__(
        self,
        *,
        operator_address: str,
        signer: str,
        new_token: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._operator = operator_address.lower()
        self._signer = signer.lower()
        self._new_token = new_token
        self._clock = clock
        self._expiry: dict[str, float] = {}  # in the order of expiry, since all live equally long

    def issue(self, operator_address: str) -> Challenge:
        """Return a new token. The order of refusals is the reference's."""
        if not operator_address:
            raise _error(Code.INVALID_ARGUMENT, "operator address is required")
        if operator_address.lower() != self._operator:
            raise _error(Code.PERMISSION_DENIED, "operator address mismatch")
        if not self._signer:
            raise _error(Code.UNIMPLEMENTED, "authentication is not enabled")
        now = self._clock.monotonic()
        self._forget_expired(now)
        if len(self._expiry) >= MAX_TOKENS:
            # Anyone may ask for tokens: the oldest one gives way, so that a flood locks nobody out
            # for longer than it lasts.
            del self._expiry[next(iter(self._expiry))]
        token = self._new_token()
        self._expiry[token] = now + TOKEN_SECONDS
        expires = self._clock.wall() + timedelta(seconds=TOKEN_SECONDS)
        return Challenge(token=token, expires_at=int(expires.timestamp()))

    @property
    def enabled(self) -> bool:
        """Whether callers must show a signed token."""
        return bool(self._signer)

    def admit(self, auth: AuthSignature | None) -> None:
        """As ``check``, at the door: what the rest of this call checks again is let through."""
        self.check(auth)
        if auth is not None:
            _admitted.set(auth.challenge_token)

    def check(self, auth: AuthSignature | None) -> None:
        """Return if the caller may manage this executor; a token is used up either way.

        UNAUTHENTICATED, or UNIMPLEMENTED for a signature while authentication is off.
        """
        if self._signer and auth is not None and auth.challenge_token == _admitted.get() != "":
            return
        if not self._signer:
            if auth is not None:
                raise _error(Code.UNIMPLEMENTED, "authentication is not enabled")
            return
        if auth is None:
            raise _error(
                Code.UNAUTHENTICATED,
                "missing authentication",
                hint="sign a token of GetChallengeToken with the operator's key",
            )
        now = self._clock.monotonic()
        expiry = self._expiry.pop(auth.challenge_token, None)
        self._forget_expired(now)
        if expiry is None:
            text = "invalid challenge token: challenge token not found"
            raise _error(Code.UNAUTHENTICATED, text)
        if now > expiry:
            text = "invalid challenge token: challenge token expired"
            raise _error(Code.UNAUTHENTICATED, text)
        message = keccak256(auth.challenge_token.encode())
        signer = recover(auth.signature, message)
        if signer is None or not hmac.compare_digest(signer, self._signer):
            raise _error(Code.UNAUTHENTICATED, "invalid signature")

    def _forget_expired(self, now: float) -> None:
        while self._expiry:
            token = next(iter(self._expiry))
            if self._expiry[token] >= now:
                return
            del self._expiry[token]


def _error(code: Code, text: str, *, hint: str = "") -> HourglassError:
    return HourglassError(code, text, reason="AUTHENTICATION", hint=hint)
