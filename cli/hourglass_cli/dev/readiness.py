"""Waiting until the demo performer is there, as PerformerControl tells it."""

from contextlib import aclosing

from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import EventKind, Filter
from hourglass_services.rpc.channel import open_channel


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
