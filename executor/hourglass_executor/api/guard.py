"""The door of the executor's two ports: challenge tokens, and the audit record of each change."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from hourglass_common.domain.access import Caller, Proof
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger
from hourglass_services.executor.port import AuthSignature
from hourglass_services.rpc import audit
from hourglass_services.rpc.buckets import Buckets, Rate
from hourglass_services.rpc.caller import UNPROVEN
from hourglass_services.rpc.certificate import certificate_caller
from hourglass_services.rpc.guard import Admitted, Context, peer_of
from hourglass_services.rpc.redaction import redacted

from .challenge import MAX_TOKENS, TOKEN_SECONDS, Challenges
from .rules import RULES, Asks, Rule

log = get_logger(__name__)

TOKENS = Rate(per_second=10, burst=500)
"""Challenge tokens for one peer: so few that it can not push out those of the others."""
assert TOKENS.burst + TOKENS.per_second * TOKEN_SECONDS < MAX_TOKENS

_AUTH = "eigenlayer.hourglass.v1.common.AuthSignature"


class ChallengeGuard:
    """Implements ``CallGuard``. Whoever has a rule that asks for proof shows a signed token where
    authentication is on; a change is recorded before it is made, and each refusal."""

    def __init__(self, challenges: Challenges, operator_address: str, clock: Clock) -> None:
        self._challenges = challenges
        self._operator = operator_address
        self._clock = clock
        self._tokens = Buckets(TOKENS)
        self.exposed = False

    def check(self, services: Iterable[ServiceDescriptor]) -> None:
        """Raise unless every method of ``services`` has a rule, and can carry the proof it asks."""
        for service in services:
            for method in service.methods:
                rule = RULES.get(f"{service.full_name}/{method.name}")
                if rule is None:
                    raise RuntimeError(f"{service.full_name}/{method.name} has no access rule")
                auth = method.input_type.fields_by_name.get("auth")
                kind = auth.message_type if auth is not None else None
                if rule.asks is Asks.PROOF and (kind is None or kind.full_name != _AUTH):
                    raise RuntimeError(f"{method.input_type.full_name} has no field auth")

    def warn_if_open(self, *, has_client_ca: bool) -> None:
        """Say so in the log where anybody may manage this executor."""
        if self.exposed and not self._challenges.enabled and not has_client_ca:
            log.warning(
                "MANAGEMENT IS OPEN: anyone who reaches the port can deploy and remove performers",
                setting="authentication.enabled",
            )

    async def know(self, method: str, context: Context) -> None:
        """Anybody who gets this far may ask what is served here."""

    def admit(
        self, method: str, parse: Callable[[], Message], context: Context, *, streams: bool
    ) -> AbstractAsyncContextManager[Admitted]:
        rule = RULES[method]
        if rule.asks is Asks.NOTHING:
            return nullcontext(Admitted(parse()))
        return self._managed(method, rule, parse, context)

    @asynccontextmanager
    async def _managed(
        self, method: str, rule: Rule, parse: Callable[[], Message], context: Context
    ) -> AsyncIterator[Admitted]:
        peer, request = peer_of(context), parse()
        try:
            if rule.asks is Asks.PATIENCE:
                self._be_patient(peer)
            else:
                self._challenges.admit(_auth_of(request))
            if rule.changes is not None:
                audit.allowed(method, peer, self._caller(context), (), rule.changes(request))
            yield Admitted(request)
        except HourglassError as error:
            if error.code in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED):
                audit.denied(method, peer, None, (), error.reason)
            clean = redacted(error, rule.secrets(request))
            if clean is error:
                raise
            raise clean from None

    def _be_patient(self, peer: str) -> None:
        wait = self._tokens.take(peer, self._clock.monotonic())
        if wait:
            raise HourglassError(
                Code.RESOURCE_EXHAUSTED,
                "too many challenge tokens were given to this address",
                reason="TOO_MANY_TOKENS",
                hint="use those that were given: each is good for 5 minutes and one call",
                retry_after=wait,
            )

    def _caller(self, context: Context) -> Caller:
        """Return who makes a change, as far as it is known."""
        if self._challenges.enabled:
            return Caller(name=self._operator, proof=Proof.TOKEN)
        security = context.auth_context()
        secure = list(security.get("transport_security_type", ())) in ([b"ssl"], [b"tls"])
        subject = list(security.get("x509_subject", ())) if secure else []
        if subject:
            try:
                return certificate_caller(subject[0])
            except HourglassError:  # its authority let it in, whatever it is called
                return Caller(name=subject[0].decode(errors="replace"), proof=Proof.CERTIFICATE)
        return Caller(name="anybody", proof=Proof.NONE) if self.exposed else UNPROVEN


def _auth_of(request: Any) -> AuthSignature | None:
    if not request.HasField("auth"):
        return None
    auth = request.auth
    return AuthSignature(challenge_token=auth.challenge_token, signature=auth.signature)
