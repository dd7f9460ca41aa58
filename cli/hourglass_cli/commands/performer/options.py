"""The options that commands on performers share, and the decorator that adds them."""

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hourglass_cli.durations import seconds
from hourglass_cli.session import Asker, Host
from hourglass_cli.show.output import Format
from hourglass_cli.target import Target

WHERE = "Where to ask"


def _option(*names: str, help: str, **more: Any) -> Any:  # noqa: A002  typer's word
    return typer.Option(*names, help=help, rich_help_panel=WHERE, show_default=False, **more)


def duration(*names: str, help: str, **more: Any) -> Any:  # noqa: A002
    """Return an option that is a time, such as 60s or 2m."""
    return typer.Option(*names, help=help, parser=seconds, metavar="DURATION", **more)


Output = Annotated[Format, typer.Option("--output", "-o", help="How to print.")]
Etag = Annotated[
    str, typer.Option(help="Change this version of the object only.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")]
Revision = Annotated[str, typer.Option(help="The revision's hash.", show_default=False)]

_ENV = "or $HOURGLASS_{}."
_PLACES: tuple[tuple[str, Any, Any], ...] = (
    (
        "control",
        Annotated[
            str,
            _option(
                "--control",
                metavar="HOST:PORT",
                help="Ask PerformerControl there; or $HOURGLASS_CONTROL.",
            ),
        ],
        "",
    ),
    ("tls", Annotated[bool, _option("--tls", help="TLS; a CA or certificate implies it.")], False),
    (
        "ca_file",
        Annotated[
            Path | None,
            _option("--ca-file", help="CA of the server's certificate; " + _ENV.format("CA_FILE")),
        ],
        None,
    ),
    (
        "cert_file",
        Annotated[
            Path | None,
            _option("--cert-file", help="Certificate to show; " + _ENV.format("CERT_FILE")),
        ],
        None,
    ),
    (
        "key_file",
        Annotated[Path | None, _option("--key-file", help="Its key; " + _ENV.format("KEY_FILE"))],
        None,
    ),
    (
        "server_name",
        Annotated[
            str,
            _option(
                "--server-name",
                help="Name in the server's certificate; " + _ENV.format("SERVER_NAME"),
            ),
        ],
        "",
    ),
    (
        "token",
        Annotated[str, _option("--token", help="Bearer token; " + _ENV.format("TOKEN"))],
        "",
    ),
    (
        "token_file",
        Annotated[
            Path | None,
            _option("--token-file", help="File of the token; " + _ENV.format("TOKEN_FILE")),
        ],
        None,
    ),
    (
        "kubeconfig",
        Annotated[
            Path | None,
            _option("--kubeconfig", help="Ask the Kubernetes API of this file instead."),
        ],
        None,
    ),
    (
        "kube_context",
        Annotated[str, _option("--context", help="The same, by a context of the kubeconfig.")],
        "",
    ),
    (
        "acting_as",
        Annotated[
            str, _option("--as", metavar="USER", help="The same, as another user, if you may.")
        ],
        "",
    ),
    (
        "namespace",
        Annotated[
            str,
            _option("--namespace", "-n", help="Namespace; " + _ENV.format("NAMESPACE")),
        ],
        "",
    ),
)
_EVERYWHERE = (
    "all_namespaces",
    Annotated[bool, _option("--all-namespaces", "-A", help="All namespaces.")],
    False,
)
_NO_COLOR = (
    "no_color",
    Annotated[bool, _option("--no-color", help="No colours; or $NO_COLOR.")],
    False,
)


def targeted(
    *, everywhere: bool = False, both: bool = False, timeout: str = "10s"
) -> Callable[[Any], Any]:
    """Give a command an ``asker`` made of the options that say where to ask, and who asks.

    ``everywhere`` adds ``--all-namespaces``; ``both`` lets PerformerControl and the Kubernetes API
    be named at once; ``timeout`` is the default of ``--timeout``.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def run(context: typer.Context, **given: Any) -> Any:
            return command(asker=asker_of(context, given, both=both), **given)

        own = [
            each for each in inspect.signature(command).parameters.values() if each.name != "asker"
        ]
        limit = (
            "timeout",
            Annotated[Any, duration("--timeout", help="How long to wait at most.")],
            timeout,
        )
        rows = (*_PLACES, *([_EVERYWHERE] if everywhere else ()), limit, _NO_COLOR)
        added = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for name, annotation, default in rows
        ]
        first = inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        parameters = [first, *kept, *added]
        changed: Any = run
        changed.__signature__ = inspect.Signature(parameters)
        changed.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def asker_of(context: typer.Context, given: dict[str, Any], *, both: bool = False) -> Asker:
    """Return the asker that the options mean, and take them out of ``given``."""
    control = given.pop("control", "")
    kubeconfig, kube_context = given.pop("kubeconfig", None), given.pop("kube_context", "")
    acting_as = given.pop("acting_as", "")
    if control and (kubeconfig or kube_context or acting_as) and not both:
        raise typer.BadParameter("give --control, or --kubeconfig, --context and --as, not both")
    target = Target(
        control=control,
        tls=given.pop("tls", False),
        ca_file=given.pop("ca_file", None),
        cert_file=given.pop("cert_file", None),
        key_file=given.pop("key_file", None),
        server_name=given.pop("server_name", ""),
        token=given.pop("token", ""),
        token_file=given.pop("token_file", None),
        kubeconfig=kubeconfig,
        context=kube_context,
        acting_as=acting_as,
        namespace=given.pop("namespace", ""),
        all_namespaces=given.pop("all_namespaces", False),
        timeout_seconds=given.pop("timeout", 10.0),
    )
    host = context.find_object(Host) or Host()
    return Asker(target.resolved(os.environ), host, no_color=given.pop("no_color", False))
