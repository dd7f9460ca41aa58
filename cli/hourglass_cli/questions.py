"""What commands ask of a session: pages joined, a performer waited for, executors inspected."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.port import (
    EventKind,
    Filter,
    InstanceSteps,
    PerformerView,
    WatchEvent,
)
from hourglass_services.inspection.client import InspectionClient
from hourglass_services.rpc.channel import open_channel

from .session import Session
from .show.readiness import Outcome, State, state_of
from .show.tree import Explained, Inspected

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from typing import Any

INSPECT_SECONDS = 2.0
EXPLAINED_AT_MOST = 20
"""A tree of more performers shows the instances that have an address, and no other."""


async def all_performers(
    session: Session, *, avs: str = "", expression: str = ""
) -> list[PerformerView]:
    """Return every page of a list."""
    wanted = Filter(namespace=session.namespace, avs=avs)
    found: list[PerformerView] = []
    token = ""
    while True:
        page = await session.port.list(wanted, 0, token, expression)
        found += page.performers
        token = page.next_page_token
        if not token:
            return found


def one_namespace(session: Session) -> str:
    """Return the namespace of a command on one performer."""
    if not session.namespace:
        raise HourglassError(
            Code.INVALID_ARGUMENT, "a performer is named within one namespace: give -n, not -A"
        )
    return session.namespace


async def until(
    session: Session,
    name: str,
    done: Callable[[PerformerView], State],
    say: Callable[[str], None],
) -> tuple[PerformerView, State]:
    """Follow a performer until ``done`` says that it is Ready or failed; NOT_FOUND once it is
    gone. ``say`` is told each state on the way."""
    namespace = one_namespace(session)
    async for event in followed(session, Filter(namespace=namespace, name=name)):
        match event.kind:
            case EventKind.ADDED | EventKind.MODIFIED if event.performer is not None:
                state = done(event.performer)
                say(f"{name}: {state}")
                if state.outcome is not Outcome.NOT_YET:
                    return event.performer, state
            case EventKind.DELETED:
                raise _gone(namespace, name, "has been deleted")
            case EventKind.SNAPSHOT_DONE:
                await session.port.get(namespace, name)  # NOT_FOUND for one that there is not
            case _:
                pass
    raise _gone(namespace, name, "is not told of any more")


async def until_ready(
    session: Session, name: str, say: Callable[[str], None]
) -> tuple[PerformerView, State]:
    """Follow a performer until its newest spec is achieved, or can not be."""
    return await until(session, name, lambda view: state_of(view.manifest), say)


async def followed(session: Session, wanted: Filter) -> AsyncIterator[WatchEvent]:
    """Yield the events of a watch from now on. Where nobody can be asked, that is raised at once:
    a watch would go on trying, which is right for one that was cut off alone."""
    try:
        if wanted.name and wanted.namespace:
            await session.port.get(wanted.namespace, wanted.name)
        else:
            await session.port.list(wanted, 1, "")
    except HourglassError as error:
        if error.code is not Code.NOT_FOUND:
            raise
    async for event in session.port.watch(wanted, ""):
        yield event


async def inspected(executors: Sequence[str]) -> Inspected:
    """Ask every executor at the same time; what one does not tell, no other pays for."""

    async def ask(address: str) -> "Any":
        try:
            opened: AbstractAsyncContextManager[Any] = open_channel(address)
            async with opened as channel:
                return await InspectionClient(channel).list_endpoints(
                    timeout_seconds=INSPECT_SECONDS
                )
        except HourglassError as error:
            return f"executor {address}: {error.message}"

    answers = await asyncio.gather(*(ask(address) for address in executors))
    told = [answer for answer in answers if not isinstance(answer, str)]
    return Inspected(
        asked=len(executors),
        endpoints=tuple(each for answer in told for each in answer.endpoints),
        failures=tuple(answer for answer in answers if isinstance(answer, str)),
    )


async def explained(session: Session, views: Sequence[PerformerView]) -> Explained:
    """Ask why each of the first performers is as it is, with the instances of the revision that it
    wants and of the one that serves; what is gone meanwhile is left out."""

    async def ask(namespace: str, name: str, revision: str) -> tuple[InstanceSteps, ...]:
        try:
            return (await session.port.explain(namespace, name, revision)).instances
        except HourglassError:
            return ()

    async def all_of(view: PerformerView) -> tuple[tuple[str, str], tuple[InstanceSteps, ...]]:
        meta, status = view.manifest["metadata"], view.manifest.get("status") or {}
        key = (str(meta.get("namespace", "")), str(meta["name"]))
        serving = str(status.get("inServiceRevision", ""))
        more = (serving,) if serving not in ("", status.get("revision")) else ()
        found = await asyncio.gather(*(ask(*key, revision) for revision in ("", *more)))
        return key, tuple(each for instances in found for each in instances)

    return dict(await asyncio.gather(*map(all_of, views[:EXPLAINED_AT_MOST])))


def _gone(namespace: str, name: str, what: str) -> HourglassError:
    return HourglassError(
        Code.NOT_FOUND, f'performer "{namespace}/{name}" {what}', reason="PERFORMER_GONE"
    )
