"""Run a gate: give the smoke task to every staged instance and compare the answers."""

import asyncio
import hashlib
from uuid import uuid4

from hourglass_common.domain.task import Completed
from hourglass_services.performer.channel import open_performer_channel
from hourglass_services.performer.client import PerformerClient

from hourglass_operator.planning.actions import RunGate
from hourglass_operator.planning.revision import GateResult

TRIES = 5
"""Calls that end without an answer are repeated; a wrong answer is final."""
CONNECT_SECONDS = 5.0


async def run_gate(gate: RunGate) -> GateResult:
    """Return how the gate ended: Passed, Failed, or Retry where an instance gave no answer."""
    found = await asyncio.gather(*(_ask(gate, address) for address in gate.addresses))
    tries = gate.tries + 1
    wrong = [text for final, text in found if final and text]
    silent = [text for final, text in found if not final]
    if wrong:
        return GateResult(gate.digest, "Failed", tries, wrong[0])
    if silent or not found:
        text = silent[0] if silent else "no staged instance has an address"
        state = "Failed" if tries >= TRIES else "Retry"
        return GateResult(gate.digest, state, tries, text)
    return GateResult(gate.digest, "Passed", tries, f"{len(found)} instances answered as expected")


async def _ask(gate: RunGate, address: str) -> tuple[bool, str]:
    """Return whether there was an answer, and what is wrong with it."""
    channel = open_performer_channel(address)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await channel.channel_ready()
        client = PerformerClient(channel, instance=address)
        task_id = "0x" + hashlib.sha256(uuid4().bytes).hexdigest()
        end = await client.execute(task_id, gate.payload, timeout_seconds=gate.timeout_seconds)
    except TimeoutError:
        return False, f"instance {address} can not be reached"
    finally:
        await channel.close()
    if not isinstance(end.outcome, Completed):
        return False, f"instance {address}: {end.outcome.error.message}"
    if end.outcome.output != gate.expected:
        wanted, given = _digest(gate.expected), _digest(end.outcome.output)
        return True, f"instance {address} answered {given}, expected {wanted}"
    return True, ""


def _digest(output: bytes) -> str:
    """Return an output as it can be shown: short text as it is, the rest by its hash."""
    if len(output) <= 32 and output.isascii() and output.decode().isprintable():
        return repr(output.decode())
    return f"sha256:{hashlib.sha256(output).hexdigest()[:16]} ({len(output)} bytes)"
