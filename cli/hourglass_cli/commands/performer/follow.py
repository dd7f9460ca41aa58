"""``hourglass performer watch | logs | status``: what goes on."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hourglass_cli.session import Asker
from hourglass_cli.show.output import Format

from .complete import Performer, names_of_performers
from .options import Output, Revision, duration, targeted

if TYPE_CHECKING:
    from hourglass_cli.session import Session

Since = Annotated[Any, duration("--since", help="Only what is not older.", show_default=False)]


@targeted(everywhere=True)
def watch(
    asker: Asker,
    name: Annotated[
        str, typer.Argument(help="Only this performer.", autocompletion=names_of_performers)
    ] = "",
    avs: Annotated[
        str, typer.Option(help="Only performers of this AVS address.", show_default=False)
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Print every change as a line, until interrupted."""
    from hourglass_cli.show.output import COLUMNS, WIDE_COLUMNS, row, table, wide_row

    from .live import print_events

    wide = output is Format.WIDE
    if output in (Format.TABLE, Format.WIDE):
        print("EVENT      " + table(WIDE_COLUMNS if wide else COLUMNS, ()), flush=True)

    def show(kind: str, manifest: Any) -> None:
        cells = (wide_row if wide else row)(manifest, asker.host.now())
        print(kind.ljust(11) + "   ".join(cells), flush=True)

    names = [name] if name else []
    asker.ask(lambda session: print_events(session, names, avs, output, show))


@targeted()
def logs(  # noqa: PLR0913  each flag is an argument
    asker: Asker,
    name: Performer,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option(min=0, help="The last lines of each instance; all if not given."),
    ] = None,
    since: Since = None,
    instance: Annotated[str, typer.Option(help="Only of this instance.", show_default=False)] = "",
    revision: Revision = "",
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the container before the last restart.")
    ] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Show when.")] = False,
    prefix: Annotated[
        bool | None,
        typer.Option(
            "--prefix/--no-prefix",
            help="Name the instance before each line; as a rule where there are several.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print what the instances have written."""
    from hourglass_services.control.port import LogQuery

    from hourglass_cli.questions import one_namespace
    from hourglass_cli.terminal import Tone

    from .printing import paint

    brush = paint(asker)

    async def ask(session: "Session") -> None:
        namespace = one_namespace(session)
        named = prefix
        if named is None:
            view = await session.port.get(namespace, name)
            named = not instance and len(view.endpoints) != 1
        query = LogQuery(
            namespace=namespace,
            name=name,
            revision=revision,
            instance=instance,
            follow=follow,
            tail_lines=tail,
            since_seconds=since,
            previous=previous,
        )
        async for line in session.port.logs(query):
            head = brush(f"[{line.instance}] ", Tone.QUIET) if named else ""
            when = f"{line.time} " if timestamps else ""
            print(f"{head}{when}{line.line}", flush=True)

    asker.ask(ask, timeout_seconds=None if follow else asker.target.timeout_seconds)


@targeted(timeout="60s")
def status(
    asker: Asker,
    name: Performer,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is Ready or failed.")] = False,
    output: Output = Format.TABLE,
) -> int:
    """Say whether a performer is Ready: by words, and by the exit code for scripts.

    0: Ready, its newest spec is achieved. 1: failed (Stalled: waiting does not help), or there is
    no such performer. 124: not Ready yet; with --wait, not within --timeout.
    """
    from hourglass_cli.questions import one_namespace
    from hourglass_cli.show.readiness import state_of

    from .printing import print_view
    from .waiting import wait_until_ready

    async def look(session: "Session") -> Any:
        return await session.port.get(one_namespace(session), name)

    if wait:
        view, state = wait_until_ready(asker, name)
    else:
        view = asker.quickly(look)
        state = state_of(view.manifest)
    if output in (Format.TABLE, Format.WIDE):
        print(f"performer/{name} {_WORDS[state.outcome.value]} ({state})")
    else:
        print_view(asker, view, output)
    return state.outcome.value


_WORDS = {0: "is Ready", 1: "has failed", 124: "is not Ready yet"}
