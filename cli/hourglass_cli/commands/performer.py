"""``hourglass performer``: what PerformerControl offers, at a prompt."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import COLUMNS, Format, document, listing, one, row, table

if TYPE_CHECKING:
    from hourglass_services.control.client import PerformerControlClient

app = typer.Typer(
    help="Create, show, watch and delete performers through PerformerControl.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Control = Annotated[
    str,
    typer.Option(
        "--control",
        envvar="HOURGLASS_CONTROL",
        metavar="HOST:PORT",
        help="Address of PerformerControl.",
    ),
]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", envvar="HOURGLASS_NAMESPACE", help="Namespace.")
]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait at most.")]
Name = Annotated[str, typer.Argument(help="The performer's name.", show_default=False)]
DEFAULT_CONTROL = "127.0.0.1:50051"


@app.command("list")
def list_(
    control: Control = DEFAULT_CONTROL,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Only this namespace; all if not given.")
    ] = "",
    avs: Annotated[str, typer.Option(help="Only performers of this AVS address.")] = "",
    output: Output = Format.TABLE,
    timeout: Timeout = 10.0,
) -> None:
    """List performers."""

    async def ask(client: "PerformerControlClient") -> list[Any]:
        from hourglass_services.control.port import Filter

        found: list[Any] = []
        token = ""
        while True:
            page = await client.list(Filter(namespace=namespace, avs=avs), page_token=token)
            found += [view.manifest for view in page.performers]
            token = page.next_page_token
            if not token:
                return found

    print(listing(_call(control, timeout, ask), output, _now()))


@app.command()
def get(
    name: Name,
    control: Control = DEFAULT_CONTROL,
    namespace: Namespace = "default",
    output: Output = Format.TABLE,
    timeout: Timeout = 10.0,
) -> None:
    """Show one performer."""
    view = _call(control, timeout, lambda client: client.get(namespace, name))
    print(one(view.manifest, output, _now()))


@app.command()
def create(  # noqa: PLR0913  each flag is an argument
    name: Annotated[str, typer.Argument(help="The performer's name.")] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A Performer object in YAML or JSON; - is stdin."),
    ] = None,
    avs: Annotated[str, typer.Option(help="Address of the AVS.")] = "",
    image: Annotated[str, typer.Option(help="The performer's image.")] = "",
    replicas: Annotated[int | None, typer.Option(min=0, help="How many instances.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=value, may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, create nothing.")] = False,
    control: Control = DEFAULT_CONTROL,
    namespace: Namespace = "default",
    output: Output = Format.TABLE,
    timeout: Timeout = 10.0,
) -> None:
    """Create a performer, from a file or from flags."""
    manifest = _read_manifest(file) if file else {"metadata": {}, "spec": {}}
    spec = dict(manifest.get("spec") or {})
    spec |= {key: value for key, value in (("avsAddress", avs), ("image", image)) if value}
    if replicas is not None:
        spec["replicas"] = replicas
    if env:
        spec["config"] = _with_environment(spec.get("config") or {}, env)
    meta = manifest.get("metadata") or {}

    async def ask(client: "PerformerControlClient") -> Any:
        from hourglass_services.control.port import Creation

        creation = Creation(
            namespace=str(meta.get("namespace") or namespace),
            name=name or str(meta.get("name") or ""),
            spec=spec,
            labels=meta.get("labels") or {},
            validate_only=dry_run,
        )
        return await client.create(creation)

    print(one(_call(control, timeout, ask).manifest, output, _now()))


class LintFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@app.command()
def lint(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Manifests in YAML or JSON; - is stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        LintFormat, typer.Option("--output", "-o", help="How to print.")
    ] = LintFormat.TEXT,
) -> int:
    """Check manifests without a cluster, by the rules of the API and in its words.

    Other kinds of objects are passed over. Exit code 1 if anything would be refused; warnings
    alone are 0.
    """
    from hourglass_cli.lint.report import as_json, as_text, check

    missing = [str(file) for file in files if str(file) != "-" and not file.is_file()]
    if missing:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}", param_hint="FILE")
    report = check(files)
    print(as_json(report) if output is LintFormat.JSON else as_text(report), end="")
    print(report.summary, file=sys.stderr)
    return 1 if report.errors else 0


@app.command()
def delete(
    name: Name,
    control: Control = DEFAULT_CONTROL,
    namespace: Namespace = "default",
    timeout: Timeout = 10.0,
) -> None:
    """Delete a performer and all that it runs."""
    from hourglass_services.control.port import Aim

    aim = Aim(namespace=namespace, name=name)
    _call(control, timeout, lambda client: client.delete(aim, timeout_seconds=timeout))
    print(f"performer/{name} deleted")


@app.command()
def watch(
    name: Annotated[str, typer.Argument(help="Only this performer.")] = "",
    control: Control = DEFAULT_CONTROL,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only this namespace.")] = "",
    avs: Annotated[str, typer.Option(help="Only performers of this AVS address.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Print every change, until interrupted."""

    async def follow(client: "PerformerControlClient") -> None:
        from hourglass_services.control.port import Filter

        if output is Format.TABLE:
            print("EVENT      " + table(COLUMNS, ()), flush=True)
        async for event in client.watch(Filter(namespace=namespace, name=name, avs=avs)):
            if event.performer is not None:
                _print_event(event.kind.value, event.performer.manifest, output)

    _call(control, None, follow)


def _print_event(kind: str, manifest: Any, output: Format) -> None:
    match output:
        case Format.TABLE:
            print(kind.ljust(11) + "   ".join(row(manifest, _now())), flush=True)
        case Format.NAME:
            print(f"{kind.lower()} performer/{manifest['metadata']['name']}", flush=True)
        case Format.YAML:
            print("---\n" + document({"type": kind, "object": manifest}, output), flush=True)
        case Format.JSON:
            import json

            print(json.dumps({"type": kind, "object": manifest}), flush=True)


def _call(
    control: str,
    timeout_seconds: float | None,
    ask: "Callable[[PerformerControlClient], Awaitable[Any]]",
) -> Any:
    """Run ``ask`` with a client of PerformerControl, and say where it was asked if it fails."""

    import asyncio

    from hourglass_common.domain.errors import Code, HourglassError

    async def run() -> Any:
        async with _client(control, timeout_seconds) as client, asyncio.timeout(timeout_seconds):
            return await ask(client)

    try:
        return asyncio.run(run())
    except TimeoutError as exc:
        raise HourglassError(
            Code.DEADLINE_EXCEEDED,
            f"PerformerControl at {control} gave no answer within {timeout_seconds:g} s",
            hint="check the address (--control), or give it longer (--timeout)",
        ) from exc
    except HourglassError as error:
        if error.code is Code.UNAVAILABLE and not error.reason:
            raise HourglassError(
                Code.UNAVAILABLE,
                f"PerformerControl at {control} can not be reached: {error.message}",
                hint="is `hourglass dev` or the operator running? --control names its address",
            ) from error
        raise


@asynccontextmanager
async def _client(
    control: str, timeout_seconds: float | None
) -> "AsyncIterator[PerformerControlClient]":
    from hourglass_services.control.client import PerformerControlClient
    from hourglass_services.rpc.channel import open_channel

    async with open_channel(control) as channel:
        yield PerformerControlClient(channel, timeout_seconds=timeout_seconds or 10.0)


def _read_manifest(file: Path) -> dict[str, Any]:
    import yaml
    from hourglass_common.domain.errors import invalid

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise invalid("--file", f"{file} can not be read: {exc}") from exc
    if not isinstance(content, dict) or content.get("kind") != "Performer":
        raise invalid("--file", f"{file} holds no object of kind Performer")
    return content


def _with_environment(config: Any, pairs: list[str]) -> dict[str, Any]:
    from hourglass_common.domain.errors import invalid

    environment = dict(config.get("environment") or {})
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise invalid("--env", f"{pair!r} is not of the form NAME=value")
        environment[name] = value
    return {**config, "environment": environment}


def _now() -> Any:
    from hourglass_common.runtime.system_clock import SystemClock

    return SystemClock().wall()
