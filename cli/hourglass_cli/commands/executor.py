"""``hourglass executor``: run one, and look into one that runs."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hourglass_cli.groups import Group

from .executor_options import Where, looking_into
from .task_look import LookFormat, Output


class _RunUnlessTold(Group):
    """Without the name of a command it runs an executor."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    help="Run an executor, or look into one that runs. Without a command it runs.",
    no_args_is_help=False,
    rich_markup_mode=None,
    cls=_RunUnlessTold,
)
ConfigFile = Annotated[
    Path | None, typer.Option("--config", envvar="HOURGLASS_CONFIG", help="Configuration in YAML.")
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the tasks.")]
Network = Annotated[str | None, typer.Option(help="Docker network of the performers.")]
Debug = Annotated[bool, typer.Option("--debug", help="Log more.")]
Avs = Annotated[str, typer.Option(help="Only those of this AVS address.")]


@app.callback()
def executor() -> None:
    """Run an executor, or look into one that runs. Without a command it runs."""


@app.command()
def run(
    config: ConfigFile = None,
    grpc_port: Port = None,
    performer_network_name: Network = None,
    debug: Debug = False,
) -> None:
    """Run an executor: it accepts tasks and routes each to a healthy performer."""
    from hourglass_cli.launch import launch

    flags = {
        "grpcPort": grpc_port,
        "performerNetworkName": performer_network_name,
        "debug": debug or None,
    }
    raise typer.Exit(launch("executor", config_path=config, flags=flags))


@app.command()
@looking_into
def endpoints(where: Where, avs: Avs = "", output: Output = LookFormat.TABLE) -> None:
    """List the instances that it sends tasks to, each with why it takes none now."""
    from hourglass_cli.executor_look import ask
    from hourglass_cli.show.output import table
    from hourglass_cli.show.records import record

    found = ask(where, lambda c, auth: c.list_endpoints(avs, auth=auth))
    if output is LookFormat.JSON:
        print(json.dumps(record(found), indent=2))
        return
    header = ("INSTANCE", "ADDRESS", "ROLE", "HEALTH", "SOURCE", "BREAKER", "IN-FLIGHT", "SENT")
    rows = [
        (
            each.instance,
            each.address,
            each.role.value,
            each.health.value,
            each.health_source.value,
            each.breaker.value,
            str(each.in_flight),
            str(each.sent),
            f"{each.answered}/{each.failed}/{each.lost}",
            f"{each.latency_seconds * 1000:.1f}ms",
            each.skipped or "-",
        )
        for each in found.endpoints
    ]
    print(table((*header, "OK/FAILED/UNKNOWN", "LATENCY", "SKIPPED"), rows))


@app.command()
@looking_into
def explain(
    where: Where,
    subject: Annotated[
        str, typer.Argument(metavar="TASK|AVS", help="A task's id, or an AVS's address.")
    ],
    output: Output = LookFormat.TABLE,
) -> None:
    """Say why a task went where it went, waits or was refused; or what would become of one."""
    from hourglass_cli.executor_look import ask
    from hourglass_cli.show.records import record

    task_id, avs = (subject, "") if len(subject) == 66 else ("", subject)
    found = ask(where, lambda c, auth: c.explain(task_id=task_id, avs_address=avs, auth=auth))
    if output is LookFormat.JSON:
        print(json.dumps(record(found), indent=2, default=str))
        return
    print(found.verdict)
    for step in found.steps or ([found.foreseen] if found.foreseen else []):
        print(_line(step))
        for each in step.considered:
            why = each.skipped or "could have it"
            print(f"    {each.instance} {why}, {each.in_flight} in flight")


@app.command()
@looking_into
def tap(
    where: Where,
    avs: Avs = "",
    sample: Annotated[
        float, typer.Option(min=0.000001, max=1.0, help="Share of the tasks to watch.")
    ] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="End after so many steps; 0 is never.")] = 0,
    output: Output = LookFormat.TABLE,
) -> None:
    """Follow what happens to tasks, until interrupted; never their payloads."""
    from hourglass_services.inspection.tasks import MissedSteps, Opened

    from hourglass_cli.executor_look import ask
    from hourglass_cli.show.records import record

    async def follow(client: Any, auth: Any) -> None:
        from contextlib import aclosing

        seen = 0
        async with aclosing(client.tap(avs, sample_rate=sample, auth=auth)) as events:
            async for event in events:
                if isinstance(event, Opened):
                    continue
                if output is LookFormat.JSON:
                    print(json.dumps(record(event)), flush=True)
                elif isinstance(event, MissedSteps):
                    print(f"... {event.steps} steps missed", flush=True)
                else:
                    print(_line(event), flush=True)
                seen += 1
                if seen == count:
                    return

    ask(where, follow, endless=True)


def _line(step: Any) -> str:
    words = [f"{step.at:%H:%M:%S.%f}"[:-3], step.kind.value, step.task_id, step.instance]
    if step.state is not None:
        words.append(step.state.value)
    if step.failure is not None:
        words.append(f"{step.failure.code} {step.failure.message}".strip())
    if step.lost:
        words.append("outcome unknown")
    return "  ".join(word for word in words if word)
