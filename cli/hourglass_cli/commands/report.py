"""``hourglass report``: a support bundle, with secrets removed."""

from pathlib import Path
from typing import Annotated

import typer

from hourglass_cli.session import Asker

from .check import OperatorAccount, OperatorNamespace
from .performer.options import targeted
from .performer.read import Executors


@targeted(everywhere=True, both=True)
def report(
    asker: Asker,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="Where to write it; hourglass-report-<time>.tar.gz here if not given.",
            show_default=False,
        ),
    ] = None,
    executor: Executors = None,
    operator_namespace: OperatorNamespace = "hourglass-system",
    operator_account: OperatorAccount = "hourglass-operator",
) -> None:
    """Write a support bundle: performers, what belongs to them, events, logs, checks, versions.

    Secrets are not read, and what looks like one is removed; look through it all the same.
    """
    import asyncio
    import sys

    from hourglass_common.runtime.logs import configure_logs

    from hourglass_cli.bundle.make import make_bundle
    from hourglass_cli.checks.cluster import Account
    from hourglass_cli.terminal import Progress

    configure_logs("error", "text")
    path = file or Path(f"hourglass-report-{asker.host.now():%Y%m%dT%H%M%SZ}.tar.gz")
    account = Account(operator_namespace, operator_account)
    progress = Progress()
    try:
        made = asyncio.run(make_bundle(asker, path, account, tuple(executor or ()), progress))
    finally:
        progress.end()
    for each in made.missing:
        print(f"missing: {each}", file=sys.stderr)
    print(f"{made.path}: {len(made.names)} files; look through it before you hand it on")
