"""The options of commands that look into an executor, and the decorator that adds them."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .performer.options import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which executor is asked, and as whom."""

    address: str
    tls: bool
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    server_name: str
    operator_key: str
    operator_address: str
    timeout_seconds: float


_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    (
        "executor",
        Annotated[
            str,
            typer.Option(
                envvar=["HOURGLASS_EXECUTOR_MANAGEMENT", "HOURGLASS_EXECUTOR"],
                metavar="HOST:PORT",
                help="Executor's management port.",
            ),
        ],
        "127.0.0.1:9090",
    ),
    ("tls", Annotated[bool, typer.Option("--tls", help="TLS; a CA implies it.")], False),
    (
        "ca_file",
        Annotated[Path | None, typer.Option(help="CA of the executor's certificate.")],
        None,
    ),
    ("cert_file", Annotated[Path | None, typer.Option(help="Certificate to show.")], None),
    ("key_file", Annotated[Path | None, typer.Option(help="Its key.")], None),
    (
        "server_name",
        Annotated[str, typer.Option(help="Name in the executor's certificate.")],
        "",
    ),
    (
        "operator_key",
        Annotated[
            str,
            typer.Option(
                envvar="HOURGLASS_OPERATOR_KEY",
                help="Key that signs challenge tokens, where authentication is on: 0x and 64 "
                "digits, or @file.",
                show_default=False,
            ),
        ],
        "",
    ),
    (
        "operator_address",
        Annotated[str, typer.Option(help="The executor's operator; the key's address if empty.")],
        "",
    ),
    ("timeout", Annotated[Any, duration("--timeout", help="How long to wait at most.")], "10s"),
)


def looking_into(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``command`` a ``where`` made of the options that say which executor is asked."""

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        where = Where(
            address=given.pop("executor"),
            timeout_seconds=given.pop("timeout"),
            **{name: given.pop(name) for name, _, _ in _OPTIONS[1:-1]},
        )
        return command(where=where, **given)

    own = [p for p in inspect.signature(command).parameters.values() if p.name != "where"]
    parameters = [
        *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=kind)
            for name, kind, value in _OPTIONS
        ),
    ]
    changed: Any = run
    changed.__signature__ = inspect.Signature(parameters)
    changed.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
