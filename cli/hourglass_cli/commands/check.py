"""``hourglass check``: is everything in place, and what to do where it is not."""

from enum import StrEnum
from typing import Annotated

import typer

from hourglass_cli.session import Asker

from .performer.options import targeted
from .performer.read import Executors

OperatorNamespace = Annotated[
    str, typer.Option("--operator-namespace", help="Where the operator runs.")
]
OperatorAccount = Annotated[
    str, typer.Option("--operator-account", help="The operator's service account.")
]


class CheckFormat(StrEnum):
    """The values of ``-o``."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


@targeted(everywhere=True, both=True)
def check(
    asker: Asker,
    pre: Annotated[
        bool, typer.Option("--pre", help="Before an installation: can it be made?")
    ] = False,
    executor: Executors = None,
    operator_namespace: OperatorNamespace = "hourglass-system",
    operator_account: OperatorAccount = "hourglass-operator",
    output: Annotated[
        CheckFormat, typer.Option("--output", "-o", help="How to print.")
    ] = CheckFormat.TEXT,
) -> int:
    """Check the cluster, the operator, PerformerControl, executors and performers.

    Each failure comes with a hint and the command that mends it. Exit code 1 if anything failed;
    warnings alone are 0.
    """
    import asyncio

    from hourglass_common.runtime.logs import configure_logs

    from hourglass_cli.checks.cluster import Account
    from hourglass_cli.checks.model import as_text
    from hourglass_cli.checks.run import Wanted, run_checks
    from hourglass_cli.show.output import Format, document
    from hourglass_cli.show.records import record

    from .performer.printing import paint

    configure_logs("error", "text")
    wanted = Wanted(
        before=pre,
        account=Account(operator_namespace, operator_account),
        executors=tuple(executor or ()),
    )
    result = asyncio.run(run_checks(asker, wanted))
    if output is CheckFormat.TEXT:
        print(as_text(result, paint(asker)))
    else:
        print(document({"ok": result.ok, **record(result)}, Format(output.value)))
    return 0 if result.ok else 1
