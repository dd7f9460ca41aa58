"""Who may call what: authentication, authorization, limits and the audit record of each call.

A guard stands between the wire and the servicer. It knows who calls before it reads the request,
and whether that is allowed before the servicer looks anything up. A service with a method that it
has no rule for is not served.
"""

import asyncio
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any, Protocol
from urllib.parse import unquote

import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from hourglass_common.domain.access import Attributes, Caller, Proof, Verdict
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError

from . import audit
from .access import FOREVER, Access
from .bearer import AUTHORIZATION, SCHEME
from .buckets import Buckets, Rate
from .caller import UNPROVEN, current_caller
from .certificate import certificate_caller
from .redaction import redacted

Context = grpc.aio.ServicerContext[Any, Any]
_NAMESPACE_LENGTH = 63
_NAME_LENGTH = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a caller must be allowed for one method, and what of a request is recorded.

    ``changes`` is None for a method that changes nothing; ``secrets`` are the values that no text
    of ours may repeat.
    """

    asks: Callable[[Any], tuple[Attributes, ...]]
    changes: Callable[[Any], Mapping[str, Any]] | None = None
    secrets: Callable[[Any], Iterable[str]] = field(default=lambda _: ())


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLimits:
    """What one caller may do at a time; calls and streams are counted apart."""

    per_second: float = 200.0
    burst: int = 400
    calls: int = 128
    streams: int = 256


class CallGuard(Protocol):
    """Decides about each call of a server."""

    exposed: bool
    """Set by the server: others could reach the port."""

    def check(self, services: Iterable[ServiceDescriptor]) -> None:
        """Raise unless there is a rule for every method of ``services``."""
        ...

    async def know(self, method: str, context: Context) -> None:
        """Return if whoever calls may ask what this server serves."""
        ...

    def admit(
        self, method: str, parse: Callable[[], Message], context: Context, *, streams: bool
    ) -> "AbstractAsyncContextManager[Admitted]":
        """Let a call in, or raise why not."""
        ...


class Guard:
    """Implements ``CallGuard`` with the cluster's word, for the methods of ``rules``, by full name
    such as ``package.Service/Method``.

    Without ``required`` everybody who reaches the port is taken for this machine.
    ``exposed`` is set by the server: others could reach the port, and read what is sent to it.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        access: Access,
        clock: Clock,
        *,
        required: bool,
        limits: CallerLimits | None = None,
    ) -> None:
        self._rules = rules
        self._access = access
        self._clock = clock
        self._required = required
        self._limits = limits or CallerLimits()
        self._rates = Buckets(Rate(self._limits.per_second, self._limits.burst))
        self._running: Counter[tuple[str, bool]] = Counter()
        self.exposed = False

    def check(self, services: Iterable[ServiceDescriptor]) -> None:
        """Raise unless every method of ``services`` has a rule, and every rule a method."""
        served = {f"{s.full_name}/{m.name}" for s in services for m in s.methods}
        wrong = served.symmetric_difference(self._rules)
        if wrong:
            raise RuntimeError(f"a method without an access rule, or the other way: {wrong}")

    async def identify(self, context: Context) -> tuple[Caller, float]:
        """Return who calls, and until when that is known; UNAUTHENTICATED if it is nobody."""
        security = context.auth_context()
        secure = list(security.get("transport_security_type", ())) in ([b"ssl"], [b"tls"])
        token = _bearer(context)
        if token is not None and not secure and self.exposed:
            raise _unauthenticated(
                "a token came in plaintext, over a network: others may have read it",
                "INSECURE_TOKEN",
                "revoke that token, and call with TLS",
            )
        if not self._required:
            return UNPROVEN, FOREVER
        if token is not None:
            return await self._access.authenticate(token, peer_of(context))
        subject = list(security.get("x509_subject", ())) if secure else []
        if subject:
            return certificate_caller(subject[0]), FOREVER
        raise _unauthenticated(
            "the call does not say who makes it",
            "NO_CREDENTIALS",
            f"send the metadata `{AUTHORIZATION}: {SCHEME} TOKEN`",
        )

    async def know(self, method: str, context: Context) -> None:
        """Return if it is known who calls, whatever they may do; a refusal is recorded."""
        call = _Call(method, peer_of(context), Rule(asks=lambda _: ()))
        with call.told():
            call.caller, _ = await self.identify(context)

    @asynccontextmanager
    async def admit(
        self, method: str, parse: Callable[[], Message], context: Context, *, streams: bool
    ) -> AsyncIterator["Admitted"]:
        """Let a call in, or raise why not; ``parse`` is not called for a stranger."""
        call = _Call(method, peer_of(context), self._rules[method])
        with call.told():
            caller, until = await self.identify(context)
            call.caller = caller
            current_caller.set(caller)
            with self._slot(caller, streams=streams):
                call.request = parse()
                call.wishes = call.rule.asks(call.request)
                until = min(until, await self._authorize(call))
                call.record()
                yield Admitted(call.request, until, lambda: self._again(call, context), self._clock)

    async def _authorize(self, call: "_Call") -> float:
        """Return until when the caller may do this; PERMISSION_DENIED if it may not."""
        assert call.caller is not None
        until = FOREVER
        for wish in call.wishes:
            _bounded(wish)
            verdict, holds = await self._access.decide(call.caller, wish)
            if not verdict.allowed:
                raise forbidden(call.caller, wish, verdict)
            until = min(until, holds)
        return until

    async def _again(self, call: "_Call", context: Context) -> float:
        """Ask all of it anew, for a stream that goes on."""
        caller, until = await self.identify(context)
        call.caller = caller
        return min(until, await self._authorize(call))

    @contextmanager
    def _slot(self, caller: Caller, *, streams: bool) -> Any:
        """Hold one of the calls that the caller may make at a time."""
        if caller.proof is Proof.LOOPBACK:
            yield
            return
        wait = self._rates.take(caller.name, self._clock.monotonic())
        if wait:
            raise _too_many(f"more than {self._limits.per_second:g} calls a second", wait)
        key = (caller.name, streams)
        most = self._limits.streams if streams else self._limits.calls
        if self._running[key] >= most:
            what = "streams" if streams else "calls"
            raise _too_many(f"{most} {what} at a time, the most allowed", 1.0)
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]


@dataclass(slots=True)
class Admitted:
    """A call that was let in: its request, and until when; then ``again`` tells, or raises."""

    request: Message
    until: float = FOREVER
    again: Callable[[], Awaitable[float]] | None = None
    clock: Clock | None = None

    async def while_allowed(self, work: Awaitable[None]) -> None:
        """Do ``work``, a stream; raise in the midst of it once the caller may not have it."""
        if self.again is None or self.clock is None or self.until == FOREVER:
            await work
            return
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(self.again, self.clock))
                await work
                keeper.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _keep(self, again: Callable[[], Awaitable[float]], clock: Clock) -> None:
        until = self.until
        while True:
            await asyncio.sleep(max(0.0, until - clock.monotonic()))
            until = await again()


@dataclass(slots=True)
class _Call:
    """What is known of a call, the more the further it gets."""

    method: str
    peer: str
    rule: Rule
    caller: Caller | None = None
    request: Message | None = None
    wishes: tuple[Attributes, ...] = ()

    def record(self) -> None:
        """Write the audit record of a change that is about to be made."""
        if self.rule.changes is not None and self.caller is not None:
            changes = self.rule.changes(self.request)
            audit.allowed(self.method, self.peer, self.caller, self.wishes, changes)

    @contextmanager
    def told(self) -> Any:
        """Record refusals on the way out, and take the request's secrets out of all errors."""
        try:
            yield
        except HourglassError as error:
            if error.code in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED):
                audit.denied(self.method, self.peer, self.caller, self.wishes, error.reason)
            secrets = () if self.request is None else self.rule.secrets(self.request)
            clean = redacted(error, secrets)
            if clean is error:
                raise
            raise clean from None


def forbidden(caller: Caller, wish: Attributes, verdict: Verdict | None = None) -> HourglassError:
    """Return the refusal of ``wish``: the same whether or not there is what it is about."""
    path = f"{wish.resource}/{wish.subresource}" if wish.subresource else wish.resource
    return HourglassError(
        Code.PERMISSION_DENIED,
        f'"{caller.name}" may not {wish}',
        reason="FORBIDDEN",
        hint=f"a {'Role' if wish.namespace else 'ClusterRole'} gives it with apiGroups: "
        f"[{wish.group}], resources: [{path}], verbs: [{wish.verb}]; check with "
        f"`{_can_i(caller, wish)}`",
        metadata={"verb": wish.verb, "resource": path, "namespace": wish.namespace},
    )


def _can_i(caller: Caller, wish: Attributes) -> str:
    what = f"{wish.resource}.{wish.group}" if wish.group else wish.resource
    words = ["kubectl", "auth", "can-i", wish.verb, f"{what}/{wish.name}" if wish.name else what]
    words += [f"--subresource={wish.subresource}"] if wish.subresource else []
    words += ["-n", wish.namespace] if wish.namespace else ["-A"]
    return shlex.join([*words, f"--as={caller.name}"])


def _bounded(wish: Attributes) -> None:
    """Refuse names that none can have, before they are sent to the cluster."""
    for what, value, most in (
        ("namespace", wish.namespace, _NAMESPACE_LENGTH),
        ("name", wish.name, _NAME_LENGTH),
    ):
        if len(value) > most:
            raise HourglassError(
                Code.INVALID_ARGUMENT,
                f"{what}: more than {most} characters",
                reason="INVALID_REQUEST",
            )


def peer_of(context: Context) -> str:
    """Return the address of the other side without its port; of IPv6 the network."""
    kind, _, rest = context.peer().partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    host = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64)) + "/64"


def _bearer(context: Context) -> str | None:
    """Return the token that the call shows, None if it shows none."""
    shown: Sequence[Any] = [v for k, v in context.invocation_metadata() or () if k == AUTHORIZATION]
    if not shown:
        return None
    scheme, _, token = str(shown[0]).partition(" ")
    if len(shown) > 1 or scheme.lower() != SCHEME.lower() or not token.strip():
        raise _unauthenticated(
            "the authorization of the call can not be read",
            "BAD_CREDENTIALS",
            f"send one value, `{SCHEME} TOKEN`",
        )
    return token.strip()


def _unauthenticated(message: str, reason: str, hint: str) -> HourglassError:
    return HourglassError(Code.UNAUTHENTICATED, message, reason=reason, hint=hint)


def _too_many(message: str, wait: float) -> HourglassError:
    return HourglassError(
        Code.RESOURCE_EXHAUSTED,
        f"this caller makes {message}",
        reason="TOO_MANY_CALLS",
        retry_after=wait,
    )
