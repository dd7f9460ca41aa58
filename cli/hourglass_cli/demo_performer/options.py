"""What the demo performer is told to do, by flags or by environment variables.

Each flag is also read from ``DEMO_PERFORMER_<FLAG>``, so that a Performer object can set it in
``spec.config.environment``; the flag wins. The port is ``--port``, then ``GRPC_PORT``.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hourglass_common.domain.errors import Code

ENV_PREFIX: Final = "DEMO_PERFORMER_"
DEFAULT_PORT: Final = 9090


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Counts are of tasks, from 1; 0 means never. Times are in seconds."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    delay: float = 0.0
    start_delay: float = 0.0
    grace: float = 30.0
    fail: Code = Code.INTERNAL
    fail_every: int = 0
    not_serving: bool = False
    not_serving_after: int = 0
    exit_after: int = 0
    exit_during: int = 0
    ledger: Path | None = None
    chatter: bool = False
    ignore_sigterm: bool = False


def parse_options(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return the options; a bad one ends the program with status 2 and a line that names it."""
    parser = argparse.ArgumentParser(
        prog="hourglass demo-performer",
        description="A performer that squares a number: payload 0x4 gives 0x10.",
        epilog="Each flag is also read from DEMO_PERFORMER_<FLAG>, the port also from GRPC_PORT.",
    )
    seconds, count, flag = _seconds, _count, _flag
    table: tuple[tuple[str, Callable[[str], Any], str], ...] = (
        ("host", str, "address to listen on; 0.0.0.0 in a container"),
        ("port", _port, "port to listen on, 0 for any free one"),
        ("delay", seconds, "seconds that each task takes"),
        ("start-delay", seconds, "seconds before it listens"),
        ("grace", seconds, "seconds that running tasks get to finish after SIGTERM"),
        ("fail", _code, "gRPC code with which tasks fail; every task if --fail-every is not given"),
        ("fail-every", count, "fail each N-th task"),
        ("not-serving", flag, "report NOT_SERVING from the start"),
        ("not-serving-after", count, "report NOT_SERVING after N tasks"),
        ("exit-after", count, "leave after N tasks were answered"),
        ("exit-during", count, "crash in the middle of the N-th task"),
        ("ledger", Path, "file to which each task's id is written, synced, before its answer"),
        ("chatter", flag, "write garbage and a line of 10 MB to stdout"),
        ("ignore-sigterm", flag, "do not stop on SIGTERM"),
    )
    for name, read, help_text in table:
        if read is flag:
            parser.add_argument(f"--{name}", type=read, help=help_text, nargs="?", const=True)
        else:
            parser.add_argument(f"--{name}", type=read, help=help_text, metavar="VALUE")
    given = vars(parser.parse_args(arguments))
    values: dict[str, Any] = {}
    for name, read, _ in table:
        field = name.replace("-", "_")
        variable = _variable(field, environ)
        if given[field] is not None:
            values[field] = given[field]
        elif variable is not None:
            try:
                values[field] = read(environ[variable])
            except (ValueError, argparse.ArgumentTypeError) as error:
                parser.error(f"{variable}: {error}")
    if "fail" in values and "fail_every" not in values:
        values["fail_every"] = 1
    return Options(**values)


def _variable(field: str, environ: Mapping[str, str]) -> str | None:
    """Return the environment variable that gives ``field``, if one is set."""
    names = [ENV_PREFIX + field.upper(), *(["GRPC_PORT"] if field == "port" else [])]
    return next((name for name in names if environ.get(name)), None)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds, 0 to 86400")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a number of tasks, 0 or more")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to 65535")
    return int(text)


def _code(text: str) -> Code:
    try:
        return Code[text.upper()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text} is not a gRPC status code") from None


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return words[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text} is neither true nor false") from None
