"""``hourglass performer get -w``: a tree that follows what happens, until interrupted."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hourglass_cli.session import Asker
from hourglass_cli.show.output import Format, document

if TYPE_CHECKING:
    from hourglass_services.control.port import Filter, PerformerView, WatchEvent

    from hourglass_cli.session import Session

INSPECT_EVERY_SECONDS = 2.0
AGE_SECONDS = 1.0
SETTLE_SECONDS = 0.1
"""Changes come in bursts: the tree is drawn once they have come."""


def follow(
    asker: Asker, names: Sequence[str], avs: str, executors: Sequence[str], form: Format
) -> None:
    """Show what there is and every change of it; JSON and YAML give one document for each event."""
    if form in (Format.TABLE, Format.WIDE):
        asker.ask(lambda session: _tree(asker, session, names, avs, executors))
    else:
        asker.ask(lambda session: print_events(session, names, avs, form))


class _Picture:
    """What is there, put together from a watch; ``changed`` is set whenever it differs."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._views: dict[tuple[str, str], PerformerView] = {}
        self.changed = asyncio.Event()
        self.whole = asyncio.Event()

    @property
    def views(self) -> "list[PerformerView]":
        return [self._views[key] for key in sorted(self._views)]

    def take(self, event: "WatchEvent") -> None:
        from hourglass_services.control.port import EventKind

        if event.performer is not None:
            meta = event.performer.manifest["metadata"]
            key = (str(meta.get("namespace", "")), str(meta["name"]))
            if event.kind is EventKind.DELETED:
                self._views.pop(key, None)
            elif not self._names or key[1] in self._names:
                self._views[key] = event.performer
        elif event.kind is EventKind.RESYNC:
            self._views.clear()
            self.whole.clear()
        elif event.kind is EventKind.SNAPSHOT_DONE:
            self.whole.set()
        self.changed.set()


async def _tree(
    asker: Asker, session: "Session", names: Sequence[str], avs: str, executors: Sequence[str]
) -> None:
    from hourglass_cli.questions import explained, followed, inspected
    from hourglass_cli.show.tree import Explained, Inspected, tree
    from hourglass_cli.terminal import Screen, is_terminal

    from .printing import paint

    picture = _Picture(names)
    told = Inspected(asked=len(executors))
    first = asyncio.Event()

    async def inspections() -> None:
        nonlocal told
        while executors:
            told = await inspected(executors)
            first.set()
            picture.changed.set()
            await asyncio.sleep(INSPECT_EVERY_SECONDS)

    async def drawing() -> None:
        screen, brush, began = Screen(sys.stdout), paint(asker), asker.host.now()
        in_place, drawn = is_terminal(sys.stdout), ""
        told_of: list[PerformerView] | None = None
        why: Explained = {}
        await picture.whole.wait()
        if executors:
            await first.wait()
        while True:
            with contextlib.suppress(TimeoutError):  # on a terminal ages go on
                async with asyncio.timeout(AGE_SECONDS if in_place else None):
                    await picture.changed.wait()
            await picture.whole.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            picture.changed.clear()
            views = picture.views
            if told_of != views:
                told_of, why = views, await explained(session, views)
            ageless = tree(views, told, began, brush, why)
            if in_place or ageless != drawn:
                screen.show(tree(views, told, asker.host.now(), brush, why))
            drawn = ageless

    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(drawing()), group.create_task(inspections())]
        async for event in followed(session, _wanted(session, names, avs)):
            picture.take(event)
        await asyncio.sleep(2 * SETTLE_SECONDS)  # the watch has ended: what it told is still shown
        for task in beside:
            task.cancel()


def _wanted(session: "Session", names: Sequence[str], avs: str) -> "Filter":
    from hourglass_services.control.port import Filter

    name = names[0] if len(names) == 1 else ""
    return Filter(namespace=session.namespace, name=name, avs=avs)


async def print_events(
    session: "Session", names: Sequence[str], avs: str, form: Format, show: Any = None
) -> None:
    """Print a document for each event; ``show`` prints the other forms."""
    from hourglass_cli.questions import followed

    async for event in followed(session, _wanted(session, names, avs)):
        if event.performer is None:
            continue
        manifest = event.performer.manifest
        if names and manifest["metadata"]["name"] not in names:
            continue
        if show is not None and form in (Format.TABLE, Format.WIDE):
            show(event.kind.value, manifest)
        else:
            print_event(event.kind.value, manifest, form)


def print_event(kind: str, manifest: Any, form: Format) -> None:
    """Print one event as a name, or as a document with its type and the object."""
    match form:
        case Format.NAME:
            print(f"{kind.lower()} performer/{manifest['metadata']['name']}", flush=True)
        case Format.YAML:
            print("---\n" + document({"type": kind, "object": manifest}, form), flush=True)
        case _:
            import json

            print(json.dumps({"type": kind, "object": manifest}, sort_keys=True), flush=True)
