"""``hourglass performer list | get | describe | explain | revisions``: what there is."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hourglass_cli.session import Asker
from hourglass_cli.show.output import Format

from .complete import Performer, Performers
from .options import Output, Revision, targeted

if TYPE_CHECKING:
    from hourglass_cli.session import Session

Avs = Annotated[str, typer.Option(help="Only performers of this AVS address.", show_default=False)]
Expression = Annotated[
    str,
    typer.Option(
        "--filter",
        metavar="EXPRESSION",
        help="Only what this says, as in 'spec.image:\"v2\" AND status.ready = false'.",
        show_default=False,
    ),
]
Executors = Annotated[
    list[str] | None,
    typer.Option(
        "--executor",
        metavar="HOST:PORT",
        help="Ask this executor's management port for breakers and tasks; may be repeated.",
        show_default=False,
    ),
]


@targeted(everywhere=True)
def list_(
    asker: Asker,
    avs: Avs = "",
    expression: Expression = "",
    output: Output = Format.TABLE,
) -> None:
    """List performers."""
    from hourglass_cli.questions import all_performers

    from .printing import print_views

    views = asker.quickly(lambda s: all_performers(s, avs=avs, expression=expression))
    print_views(asker, views, output)


@targeted(everywhere=True)
def get(
    asker: Asker,
    names: Performers = None,
    avs: Avs = "",
    expression: Expression = "",
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show a live tree, until interrupted.")
    ] = False,
    executor: Executors = None,
    output: Output = Format.TABLE,
) -> None:
    """Show performers; with -w as a live tree: performer, revisions, instances."""
    from .printing import print_view, print_views

    if watch:
        from .live import follow

        follow(asker, names or [], avs, executor or [], output)
        return
    if not names:
        from hourglass_cli.questions import all_performers

        views = asker.quickly(lambda s: all_performers(s, avs=avs, expression=expression))
        print_views(asker, views, output)
        return
    views = asker.quickly(lambda session: _each(session, names))
    if len(views) == 1:
        print_view(asker, views[0], output)
    else:
        print_views(asker, views, output)


async def _each(session: "Session", names: list[str]) -> list[Any]:
    from hourglass_cli.questions import one_namespace

    namespace = one_namespace(session)
    return [await session.port.get(namespace, name) for name in names]


@targeted()
def describe(
    asker: Asker,
    name: Performer,
    executor: Executors = None,
    output: Output = Format.TABLE,
) -> None:
    """Show all about one performer: conditions, tree, the last acts."""
    from hourglass_cli.questions import explained, inspected, one_namespace
    from hourglass_cli.show.describe import described

    from .printing import paint, print_view

    async def ask(session: "Session") -> Any:
        view = await session.port.get(one_namespace(session), name)
        if output not in (Format.TABLE, Format.WIDE):
            return view, None, None
        return view, await inspected(executor or []), await explained(session, [view])

    view, told, why = asker.quickly(ask)
    if output in (Format.TABLE, Format.WIDE):
        print(described(view, told, asker.host.now(), paint(asker), why))
    else:
        print_view(asker, view, output)


@targeted()
def explain(
    asker: Asker,
    name: Performer,
    revision: Revision = "",
    output: Output = Format.TABLE,
) -> None:
    """Say why a performer serves or does not, step by step, and what to do."""
    from hourglass_cli.questions import one_namespace
    from hourglass_cli.show.describe import explanation

    from .printing import paint, print_records

    found = asker.quickly(lambda s: s.port.explain(one_namespace(s), name, revision))
    print_records(found, output, lambda: explanation(found, paint(asker)), (f"performer/{name}",))


@targeted()
def revisions(asker: Asker, name: Performer, output: Output = Format.TABLE) -> None:
    """List the revisions of a performer that are kept, newest first."""
    from hourglass_cli.questions import one_namespace
    from hourglass_cli.show import describe as show

    from .printing import print_records

    found = asker.quickly(lambda s: s.port.list_revisions(one_namespace(s), name))
    print_records(
        {"items": list(found)},
        output,
        lambda: show.revisions(found, asker.host.now(), wide=output is Format.WIDE),
        [f"revision/{each.hash}" for each in found],
    )
