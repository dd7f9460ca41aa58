"""One command's dealings with the cluster: opened, asked, closed; failures in plain words."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from .durations import shown
from .target import DEFAULT_CONTROL, DEFAULT_NAMESPACE, Program, Target, Way

if TYPE_CHECKING:
    from hourglass_common.domain.errors import HourglassError
    from hourglass_common.kube.client import KubeClient
    from hourglass_services.control.port import PerformerControlPort

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """``kube`` is there where the Kubernetes API is asked; ``namespace`` is the one meant,
    "" for all."""

    port: "PerformerControlPort"
    namespace: str
    where: str
    kube: "KubeClient | None" = None


Opener = Callable[[Target, Program], AbstractAsyncContextManager[Session]]


@asynccontextmanager
async def open_session(target: Target, program: Program) -> AsyncIterator[Session]:
    """Open the way that ``target`` means; it is resolved."""
    from hourglass_common.runtime.logs import configure_logs

    configure_logs("warning", "text")
    opened = _by_control if target.way(program) is Way.CONTROL else _by_kubeconfig
    async with opened(target) as session:
        yield session


@asynccontextmanager
async def _by_control(target: Target) -> AsyncIterator[Session]:
    from hourglass_services.control.client import PerformerControlClient

    address = target.control or DEFAULT_CONTROL
    async with control_channel(target) as channel:
        client: Any = PerformerControlClient(channel, timeout_seconds=target.timeout_seconds)
        namespace = "" if target.all_namespaces else target.namespace or DEFAULT_NAMESPACE
        yield Session(client, namespace, f"PerformerControl at {address}")


def control_channel(target: Target) -> Any:
    """Return a channel to PerformerControl, with what ``target`` says to prove who asks."""
    from hourglass_services.rpc.channel import ChannelSecurity, open_channel

    security = ChannelSecurity(
        ca_file=target.ca_file,
        certificate_file=target.cert_file,
        key_file=target.key_file,
        server_name=target.server_name,
        token=target.token,
        token_file=target.token_file,
        plaintext=not target.wants_tls,
    )
    return open_channel(target.control or DEFAULT_CONTROL, security)


@asynccontextmanager
async def _by_kubeconfig(target: Target) -> AsyncIterator[Session]:
    from .by_kubeconfig import performer_control
    from .kube_access import kube_client

    async with kube_client(target) as kube:
        everywhere = target.all_namespaces
        namespace = "" if everywhere else target.namespace or kube.connection.namespace
        where = f"the Kubernetes API at {kube.connection.shown}"
        async with performer_control(kube, namespace, target.timeout_seconds) as port:
            yield Session(port, namespace, where, kube)


def _now() -> datetime:
    from hourglass_common.runtime.system_clock import SystemClock

    return SystemClock().wall()


@dataclass(frozen=True, slots=True)
class Host:
    """What a command line runs in; tests give it a session of their own."""

    program: Program = Program.HOURGLASS
    opener: Opener = open_session
    now: Callable[[], datetime] = field(default=_now)


@dataclass(frozen=True, slots=True)
class Asker:
    """Where a command asks: the target of its flags, in its host."""

    target: Target
    host: Host
    no_color: bool = False

    def ask(
        self,
        question: Callable[[Session], Awaitable[T]],
        *,
        timeout_seconds: float | None = None,
    ) -> T:
        """Return the answer; a HourglassError says what to try next.

        ``timeout_seconds`` None means as long as it takes.
        """

        import asyncio

        async def run() -> T:
            async with self.host.opener(self.target, self.host.program) as session:
                async with asyncio.timeout(timeout_seconds):
                    return await question(session)

        try:
            return asyncio.run(run())
        except TimeoutError as exc:
            raise self._too_late(timeout_seconds or self.target.timeout_seconds) from exc
        except Exception as exc:
            from .failures import first_of_ours

            error = first_of_ours(exc)
            if error is None:
                raise
            raise self._explained(error) from exc

    def quickly(self, question: Callable[[Session], Awaitable[T]]) -> T:
        """As ``ask``, within the target's own time."""
        return self.ask(question, timeout_seconds=self.target.timeout_seconds)

    @property
    def where(self) -> str:
        if self.target.way(self.host.program) is Way.CONTROL:
            return f"PerformerControl at {self.target.control or DEFAULT_CONTROL}"
        return "the Kubernetes API"

    def _too_late(self, after_seconds: float) -> "HourglassError":
        from hourglass_common.domain.errors import Code, HourglassError

        return HourglassError(
            Code.DEADLINE_EXCEEDED,
            f"{self.where} gave no answer within {shown(after_seconds)}",
            hint="check the address (--control, --kubeconfig), or give it longer (--timeout)",
        )

    def _explained(self, error: "HourglassError") -> "HourglassError":
        from hourglass_common.domain.errors import Code, HourglassError

        controls = self.target.way(self.host.program) is Way.CONTROL
        if error.code is Code.UNAVAILABLE and not error.reason and controls:
            return HourglassError(
                Code.UNAVAILABLE,
                f"{self.where} can not be reached: {error.message}",
                hint="is `hourglass dev` or the operator running? --control names its address; "
                "`hourglass check` looks further",
            )
        if error.hint:
            return error
        return HourglassError(
            error.code,
            error.message,
            reason=error.reason,
            hint=self._next(error),
            violations=error.violations,
            metadata=error.metadata,
            retry_after=error.retry_after,
        )

    def _next(self, error: "HourglassError") -> str:
        """Return what to try after ``error``, with a command where one helps."""
        from hourglass_common.domain.errors import Code

        command = self.host.program.command
        scope = f" -n {self.target.namespace}" if self.target.namespace else ""
        match error.code:
            case Code.NOT_FOUND:
                return f"see what there is: {command('list -A')}"
            case Code.UNAUTHENTICATED:
                return "say who you are: --token-file FILE, or --cert-file and --key-file"
            case Code.PERMISSION_DENIED:
                return f"ask for the right; kubectl auth can-i --list{scope} tells what you may"
            case Code.ALREADY_EXISTS:
                return f"change the one that is there: {command('update NAME')}"
            case Code.ABORTED:
                return f"somebody else changed it; look and try again: {command('get NAME -oyaml')}"
            case Code.FAILED_PRECONDITION:
                return f"see why: {command('explain NAME')}"
            case Code.UNAVAILABLE:
                return "try again; `hourglass check` finds out what is missing"
            case _:
                return ""
