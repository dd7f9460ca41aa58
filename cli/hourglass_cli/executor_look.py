"""Asking an executor's ExecutorInspection, for the commands that do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import AuthSignature
from hourglass_services.inspection.client import InspectionClient
from hourglass_services.rpc.channel import ChannelSecurity, open_channel

if TYPE_CHECKING:
    from .commands.executor_options import Where

T = TypeVar("T")
Question = Callable[[InspectionClient, AuthSignature | None], Awaitable[T]]


def ask(where: "Where", question: Question[T], *, endless: bool = False) -> T:
    """Return the answer of the executor that ``where`` names; ``endless`` has no time limit."""

    async def run() -> T:
        async with open_channel(where.address, _security(where)) as channel:
            try:
                async with asyncio.timeout(None if endless else where.timeout_seconds):
                    return await question(
                        InspectionClient(channel), await _proof(where, ExecutorClient(channel))
                    )
            except HourglassError as error:
                raise _explained(error, where.address) from error

    try:
        return asyncio.run(run())
    except TimeoutError as exc:
        raise HourglassError(
            Code.DEADLINE_EXCEEDED,
            f"the executor at {where.address} gave no answer in time",
            hint="check the address (--executor), or give it longer (--timeout)",
        ) from exc


def _security(where: "Where") -> ChannelSecurity:
    files = (where.ca_file, where.cert_file, where.key_file, where.server_name)
    return ChannelSecurity(
        ca_file=where.ca_file,
        certificate_file=where.cert_file,
        key_file=where.key_file,
        server_name=where.server_name,
        plaintext=not (where.tls or any(files)),
    )


async def _proof(where: "Where", client: ExecutorClient) -> AuthSignature | None:
    """Return a signed challenge token where a key is given."""
    if not where.operator_key:
        return None
    from hourglass_executor.tasks.keccak import keccak256

    from .signing import signer_of

    signer = signer_of(where.operator_key, "--operator-key")
    challenge = await client.challenge(where.operator_address or signer.address)
    return AuthSignature(
        challenge_token=challenge.token,
        signature=signer.sign_message(keccak256(challenge.token.encode())),
    )


def _explained(error: HourglassError, address: str) -> HourglassError:
    if error.code is Code.UNAVAILABLE and not error.reason:
        return HourglassError(
            Code.UNAVAILABLE,
            f"the executor at {address} can not be reached: {error.message}",
            hint="is it running? --executor names its management port",
        )
    if error.code is Code.UNAUTHENTICATED:
        return HourglassError(
            error.code,
            error.message,
            reason=error.reason,
            hint="sign with the operator's key: --operator-key @FILE",
        )
    return error
