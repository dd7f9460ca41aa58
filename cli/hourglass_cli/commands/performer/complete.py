"""Names of performers for completion, from wherever the command would ask."""

import contextlib
import io
from dataclasses import replace
from typing import Annotated

import typer

from hourglass_cli.session import Asker, open_session
from hourglass_cli.target import Way

from .options import asker_of

COMPLETE_SECONDS = 1.5


def names_of_performers(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names that begin with ``incomplete``; none where nobody answers in time."""
    given = {key: value for key, value in context.params.items() if value}
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            asker = asker_of(context, given)
            target = replace(asker.target, timeout_seconds=COMPLETE_SECONDS)
            names = _names(replace(asker, target=target))
    except Exception:  # a completion that fails is no completion, and says nothing
        return []
    return [name for name in sorted(set(names)) if name.startswith(incomplete)]


def _names(asker: Asker) -> list[str]:
    by_kubeconfig = asker.target.way(asker.host.program) is Way.KUBECONFIG
    if by_kubeconfig and asker.host.opener is open_session:
        import asyncio

        from hourglass_cli.kube_access import names

        return asyncio.run(asyncio.wait_for(names(asker.target), COMPLETE_SECONDS))
    from hourglass_cli.questions import all_performers

    views = asker.quickly(all_performers)
    return [str(view.manifest["metadata"]["name"]) for view in views]


Performer = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The performer's name.",
        show_default=False,
        autocompletion=names_of_performers,
    ),
]
Performers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Names of performers; all if none is given.",
        show_default=False,
        autocompletion=names_of_performers,
    ),
]
