"""Waiting until the demo performer is there: for the cluster, and for the executor."""

import asyncio
from contextlib import aclosing

from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import EventKind, Filter
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

_ASK_AGAIN_SECONDS = 0.1


async def performer_ready(control: str, avs: str) -> str:
    """Return the name of a performer of ``avs`` as soon as one is Ready; waits for ever if not."""
    async with open_channel(control) as channel:
        client = PerformerControlClient(channel)
        async with aclosing(client.watch(Filter(avs=avs))) as events:  # type: ignore[type-var]
            async for event in events:
                if event.kind in (EventKind.ADDED, EventKind.MODIFIED) and event.performer:
                    manifest = event.performer.manifest
                    if (manifest.get("status") or {}).get("ready"):
                        return str(manifest["metadata"]["name"])
    raise AssertionError("a watch has no end")


async def performer_routable(management: str, avs: str) -> None:
    """Return when the executor itself has seen a performer of ``avs`` healthy.

    After a restart the objects still tell of the run before; the executor's own probe does not.
    """
    async with open_channel(management) as channel:
        client = ExecutorClient(channel)
        while not any(one.application_healthy for one in await client.list(avs)):  # noqa: ASYNC110
            await asyncio.sleep(_ASK_AGAIN_SECONDS)  # there is no watch for this
