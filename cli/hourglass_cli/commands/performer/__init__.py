"""``hourglass performer``, and ``kubectl hourglass``: performers at a prompt."""

import typer

from hourglass_cli.groups import Group

from . import change, follow, lint, read, rollout

HELP = "Create, show, change, watch and delete performers."
EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 124 out of time, 130 interrupted. "
    "Asked is PerformerControl (--control, $HOURGLASS_CONTROL, else 127.0.0.1:50051), or the "
    "Kubernetes API where --kubeconfig or --context is given."
)

COMMANDS = (
    ("get", read.get),
    ("list", read.list_),
    ("describe", read.describe),
    ("status", follow.status),
    ("explain", read.explain),
    ("revisions", read.revisions),
    ("logs", follow.logs),
    ("watch", follow.watch),
    ("create", change.create),
    ("update", change.update),
    ("scale", change.scale),
    ("promote", rollout.promote),
    ("abort", rollout.abort),
    ("rollback", rollout.rollback),
    ("fence", rollout.fence),
    ("unfence", rollout.unfence),
    ("drain", rollout.drain),
    ("suspend", rollout.suspend),
    ("resume", rollout.resume),
    ("delete", change.delete),
    ("lint", lint.lint),
)


def add_commands(app: typer.Typer) -> None:
    """Register every command on performers with ``app``."""
    for name, command in COMMANDS:
        app.command(name)(command)


app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None, cls=Group)
add_commands(app)
