"""What is checked by asking: PerformerControl, the executors, and the performers themselves."""

from collections.abc import Sequence
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.port import PerformerView

from hourglass_cli.questions import inspected
from hourglass_cli.session import control_channel
from hourglass_cli.show.readiness import Outcome, state_of
from hourglass_cli.target import DEFAULT_CONTROL, Program, Target

from .model import Category, Check, failed, passed, warning

SERVICE = "eigenlayer.hourglass.control.v1.PerformerControl"


async def check_control(target: Target) -> Category:
    """Check that PerformerControl is reachable, SERVING, and lets the user list."""
    address = target.control or DEFAULT_CONTROL
    what = f"{address} answers, and is SERVING"
    try:
        async with control_channel(target) as channel:
            status = await _health(channel, target.timeout_seconds)
            if status != "SERVING":
                hint = "it is starting or stopping; see the operator's /readyz?verbose"
                return Category("PerformerControl", (failed(what, f"it is {status}", hint),))
            return Category("PerformerControl", (passed(what), await _may_list(channel, target)))
    except HourglassError as error:
        hint = "is the operator running? --control names its address; or forward its port:"
        command = "kubectl -n hourglass-system port-forward deploy/hourglass-operator 50051"
        return Category("PerformerControl", (failed(what, error.message, hint, command),))


async def _health(channel: Any, timeout_seconds: float) -> str:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from hourglass_services.rpc.status import from_rpc_error

    stub: Any = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    try:
        answer = await stub.Check(request, timeout=timeout_seconds)
    except grpc.aio.AioRpcError as exc:
        raise from_rpc_error(exc) from exc
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def _may_list(channel: Any, target: Target) -> Check:
    from hourglass_services.control.client import PerformerControlClient
    from hourglass_services.control.port import Filter

    what = "it lets you list performers"
    namespace = "" if target.all_namespaces else target.namespace or "default"
    client = PerformerControlClient(channel, timeout_seconds=target.timeout_seconds)
    try:
        await client.list(Filter(namespace=namespace), 1)
    except HourglassError as error:
        hints = {
            Code.UNAUTHENTICATED: "say who you are: --token-file, or --cert-file and --key-file",
            Code.PERMISSION_DENIED: "ask for the right to list performers",
        }
        command = f"kubectl auth can-i list performers.hourglass.eigenlayer.io -n {namespace}"
        return failed(what, error.message, hints.get(error.code, ""), command if namespace else "")
    return passed(what)


async def check_executors(addresses: Sequence[str]) -> Category:
    """Check that each executor answers, and that no instance is kept from tasks by a failure."""
    checks: list[Check] = []
    for address in addresses:
        told = await inspected((address,))
        what = f"executor {address} answers"
        if told.failures:
            hint = "name its management port with --executor"
            checks.append(failed(what, told.failures[0].partition(": ")[2], hint))
            continue
        checks.append(passed(what, f"{len(told.endpoints)} instances"))
        bad = [e for e in told.endpoints if e.skipped in _TROUBLE]
        named = ", ".join(f"{each.instance}: {each.skipped}" for each in bad)
        free = f"executor {address} can use its instances"
        checks.append(warning(free, named) if bad else passed(free))
    return Category("Executors", tuple(checks))


_TROUBLE = {"NotConnected", "NotServing", "Unhealthy", "BreakerOpen", "HealthUnknown"}


def check_performers(views: Sequence[PerformerView], program: Program) -> Category:
    """Check every performer: Stalled is a failure, not Ready yet a warning."""
    checks: list[Check] = []
    fine = 0
    for view in views:
        meta = view.manifest["metadata"]
        state = state_of(view.manifest)
        what = f"performer {meta.get('namespace', '')}/{meta['name']} is Ready"
        command = program.command(f"explain {meta['name']} -n {meta.get('namespace', '')}")
        match state.outcome:
            case Outcome.READY:
                fine += 1
            case Outcome.FAILED:
                checks.append(
                    failed(what, str(state), "it is Stalled: waiting is no help", command)
                )
            case Outcome.NOT_YET:
                checks.append(warning(what, str(state), "", command))
    if fine or not views:
        checks.insert(0, passed("performers are Ready", f"{fine} of {len(views)}"))
    return Category("Performers", tuple(checks))
