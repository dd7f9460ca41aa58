"""``hourglass task``: submit a task to an executor, and look at those it keeps."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from hourglass_cli.groups import Group

from . import task_look

app = typer.Typer(
    help="Submit tasks, and look at them.", no_args_is_help=True, rich_markup_mode=None, cls=Group
)


class TaskFormat(StrEnum):
    """The values of ``-o``."""

    TEXT = "text"
    JSON = "json"


@app.callback()
def task() -> None:
    """Submit tasks, and look at them."""


for _name, _command in (
    ("get", task_look.get),
    ("list", task_look.list_),
    ("resolve", task_look.resolve),
):
    app.command(_name)(_command)


class Role(StrEnum):
    """The roles by which instances are addressed."""

    STAGED = "staged"
    IN_SERVICE = "in-service"


@app.command()
def submit(  # noqa: PLR0913  each flag is an argument
    avs: Annotated[str, typer.Option(help="Address of the AVS.")],
    payload: Annotated[str, typer.Option(help="Sent as it stands, such as 0x4; or @file.")],
    executor: Annotated[
        str,
        typer.Option(envvar="HOURGLASS_EXECUTOR", metavar="HOST:PORT", help="Executor's address."),
    ] = "127.0.0.1:9090",
    executor_address: Annotated[
        str,
        typer.Option(help="Address of the executor's operator; that of `hourglass dev` if empty."),
    ] = "",
    aggregator: Annotated[
        str, typer.Option(help="The aggregator's address; the key's if a key is given.")
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            envvar="HOURGLASS_AGGREGATOR_KEY",
            help="The aggregator's private key: 0x and 64 digits, or @file. Unsigned without.",
        ),
    ] = "",
    task_id: Annotated[str, typer.Option(help="0x and 64 digits; random if empty.")] = "",
    operator_set_id: Annotated[int, typer.Option(min=0)] = 0,
    reference_timestamp: Annotated[
        int, typer.Option(min=0, help="Unix seconds of the aggregator's certificate; 0 is now.")
    ] = 0,
    block_number: Annotated[int, typer.Option(min=0, help="0 is the latest.")] = 0,
    role: Annotated[
        Role | None, typer.Option(help="Only an instance in this role may have it.")
    ] = None,
    instance: Annotated[str, typer.Option(help="Only the instance of this name may.")] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for it.")] = 60.0,
    output: Annotated[TaskFormat, typer.Option("--output", "-o")] = TaskFormat.TEXT,
) -> None:
    """Submit a task, wait for its result and print it."""
    import asyncio
    import secrets

    from hourglass_common.runtime.system_clock import SystemClock
    from hourglass_services.executor.port import Submission

    from hourglass_cli.dev.programs import OPERATOR_ADDRESS
    from hourglass_cli.executor_call import submit as send
    from hourglass_cli.payload import NOBODY, UNSIGNED, read_payload, shown

    submission = Submission(
        task_id=task_id or "0x" + secrets.token_hex(32),
        avs_address=avs,
        payload=read_payload(payload),
        aggregator_address=aggregator or NOBODY,
        executor_address=executor_address or OPERATOR_ADDRESS,
        signature=UNSIGNED,
        operator_set_id=operator_set_id,
        reference_timestamp=reference_timestamp or int(SystemClock().wall().timestamp()),
        task_block_number=block_number,
    )
    if role is not None or instance:
        from dataclasses import replace

        from hourglass_common.domain.task import Addressee
        from hourglass_services.executor.addressing import ROLES

        wanted = ROLES[(role or Role.IN_SERVICE).value]
        submission = replace(submission, addressee=Addressee(wanted, instance))
    if key:
        from hourglass_cli.signing import signed

        submission = signed(submission, key)
    answer = asyncio.run(send(executor, submission, timeout_seconds=timeout))
    if output is TaskFormat.TEXT:
        print(shown(answer.output))
        return
    import json

    print(json.dumps(_shown(answer), indent=2))


def _shown(answer: Any) -> dict[str, Any]:
    from hourglass_cli.payload import shown

    return {
        "taskId": answer.task_id,
        "avsAddress": answer.avs_address,
        "operatorAddress": answer.operator_address,
        "operatorSetId": answer.operator_set_id,
        "result": shown(answer.output),
        "outputHex": "0x" + answer.output.hex(),
        "resultSignature": "0x" + answer.result_signature.hex(),
        "authSignature": "0x" + answer.auth_signature.hex(),
        "version": answer.version,
    }
