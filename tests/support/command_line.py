"""The command line in this process, with a PerformerControl that a test plays."""

import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hourglass_cli.main import run
from hourglass_cli.session import Host, Session
from hourglass_cli.target import Program, Target

NOW = datetime(2026, 1, 2, 4, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Ran:
    """How a command line ended, what it printed, and where it asked."""

    status: int
    out: str
    err: str
    targets: tuple[Target, ...] = ()


def run_line(port: Any, *arguments: str, program: Program = Program.HOURGLASS) -> Ran:
    """Run one command line that finds ``port`` wherever it asks."""
    targets: list[Target] = []

    @asynccontextmanager
    async def opener(target: Target, _: Program) -> AsyncIterator[Session]:
        targets.append(target)
        namespace = "" if target.all_namespaces else target.namespace or "default"
        yield Session(port, namespace, "a played PerformerControl")

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(list(arguments), Host(program, opener, lambda: NOW))
    return Ran(status, out.getvalue(), err.getvalue(), tuple(targets))
