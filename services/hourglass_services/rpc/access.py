"""Who a token is and what its owner may do, asked of the cluster and remembered for seconds.

An answer is remembered from when it was asked for, an error never; nothing is allowed that could
not be asked.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from hourglass_common.domain.access import Attributes, Caller, Proof, Verdict
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError

from .buckets import Buckets, Rate
from .remembered import Remembered
from .shared import Shared

FOREVER = float("inf")


class Reviews(Protocol):
    """The cluster's answers. Both raise UNAVAILABLE where there is none."""

    async def who(self, token: str) -> Caller | None:
        """Return whose token it is, None if it is nobody's, or not meant for us."""
        ...

    async def may(self, caller: Caller, wish: Attributes) -> Verdict: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """For how long answers hold, in seconds, and how many are kept."""

    allowed: float = 8.0
    """Together with the question itself this stays below the 10 s that are promised."""
    denied: float = 2.0
    """Short: whoever was just given a right wants to use it."""
    garbage: float = 5.0
    """Tokens that are nobody's."""
    size: int = 8192


NEW_TOKENS = Rate(per_second=10, burst=20)
"""Tokens that a peer may have us ask about; those that were good once do not count."""


class Access:
    """Implements ``Authorizer``; what is on this machine without a proof may do everything."""

    def __init__(
        self,
        reviews: Reviews,
        clock: Clock,
        memory: Memory | None = None,
        new_tokens: Rate = NEW_TOKENS,
    ) -> None:
        self._reviews = reviews
        self._clock = clock
        self._memory = memory or Memory()
        size = self._memory.size
        self._callers: Remembered[bytes, Caller] = Remembered(size)
        self._garbage: Remembered[bytes, None] = Remembered(size)
        self._good_once: Remembered[bytes, None] = Remembered(size)
        self._verdicts: Remembered[object, Verdict] = Remembered(size)
        self._asked_who: Shared[bytes, tuple[Caller | None, float]] = Shared()
        self._asked_may: Shared[object, tuple[Verdict, float]] = Shared()
        self._new_tokens = Buckets(new_tokens)

    async def authenticate(self, token: str, peer: str) -> tuple[Caller, float]:
        """Return whose token it is, and until when that holds.

        UNAUTHENTICATED if it is nobody's, RESOURCE_EXHAUSTED if ``peer`` has tried too many.
        """
        key = hashlib.sha256(token.encode()).digest()
        now = self._clock.monotonic()
        known = self._callers.get(key, now)
        if known is not None:
            return known
        if self._garbage.get(key, now) is None:
            question = partial(self._review, key, token, peer)
            caller, until = await self._asked_who.ask(key, question)
            if caller is not None:
                return caller, until
        raise HourglassError(
            Code.UNAUTHENTICATED,
            "the token is not accepted: it is expired, revoked, or was made for another audience",
            reason="BAD_TOKEN",
            hint="take a new one, such as of `kubectl create token NAME --audience=AUDIENCE` "
            "with the audience of control.audience",
        )

    async def _review(self, key: bytes, token: str, peer: str) -> tuple[Caller | None, float]:
        asked = self._clock.monotonic()
        if self._good_once.get(key, asked) is None:
            wait = self._new_tokens.take(peer, asked)
            if wait:
                raise HourglassError(
                    Code.RESOURCE_EXHAUSTED,
                    "too many tokens that are not known here came from this address",
                    reason="TOO_MANY_TOKENS",
                    retry_after=wait,
                )
        caller = await self._reviews.who(token)
        left = _seconds_left(token, self._clock)
        if caller is None or left <= 0:
            self._garbage.put(key, None, asked + self._memory.garbage)
            return None, asked
        until = asked + min(self._memory.allowed, left)
        self._callers.put(key, caller, until)
        self._good_once.put(key, None, FOREVER)
        return caller, until

    async def ask(self, caller: Caller, wish: Attributes) -> Verdict:
        """Return the verdict; UNAVAILABLE where it can not be found out."""
        return (await self.decide(caller, wish))[0]

    async def decide(self, caller: Caller, wish: Attributes) -> tuple[Verdict, float]:
        """Return the verdict and until when it holds."""
        if caller.proof is Proof.LOOPBACK:
            return Verdict(True), FOREVER
        key = (caller.name, caller.groups, caller.uid, _sorted_extra(caller), wish)
        known = self._verdicts.get(key, self._clock.monotonic())
        if known is not None:
            return known
        question: Callable[[], Awaitable[tuple[Verdict, float]]]
        question = partial(self._ask, key, caller, wish)
        return await self._asked_may.ask(key, question)

    async def _ask(self, key: object, caller: Caller, wish: Attributes) -> tuple[Verdict, float]:
        asked = self._clock.monotonic()
        verdict = await self._reviews.may(caller, wish)
        until = asked + (self._memory.allowed if verdict.allowed else self._memory.denied)
        self._verdicts.put(key, verdict, until)
        return verdict, until


def _sorted_extra(caller: Caller) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted((key, tuple(values)) for key, values in caller.extra.items()))


def _seconds_left(token: str, clock: Clock) -> float:
    """Return for how long a token that was accepted is valid, by its own word."""
    expiry = expiry_of(token)
    return FOREVER if expiry is None else expiry - clock.wall().timestamp()


def expiry_of(token: str) -> float | None:
    """Return the Unix time in ``exp`` of a JWT, None if it is not one or names none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
        expiry = claims.get("exp")
    except (binascii.Error, ValueError, AttributeError, RecursionError):
        return None
    return float(expiry) if isinstance(expiry, int | float) else None
