"""Watches: a snapshot or what was missed, then the feed's changes as they come."""

import asyncio
from collections.abc import AsyncIterator

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.port import EventKind, Filter, WatchEvent

from .feed import Feed, Watcher, snapshot
from .views import Views

BOOKMARK_SECONDS = 60.0
WATCHERS = 1024


async def watch(views: Views, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
    """As ``PerformerControlPort.watch``."""
    feed = views.synced()
    if len(feed.watchers) >= WATCHERS:
        raise HourglassError(
            Code.RESOURCE_EXHAUSTED,
            f"{WATCHERS} watches are open, the most allowed",
            reason="TOO_MANY_WATCHES",
            retry_after=10.0,
        )
    watcher = Watcher(wanted)
    feed.watchers.append(watcher)
    try:
        opening = feed.since(resume_token, wanted) if resume_token else None
        if opening is None:
            opening = _snapshot(views, feed, wanted, resync=bool(resume_token))
        for event in opening:
            yield event
        async for event in _follow(views, feed, watcher):
            yield event
    finally:
        feed.watchers.remove(watcher)


async def _follow(views: Views, feed: Feed, watcher: Watcher) -> AsyncIterator[WatchEvent]:
    while True:
        moved = views.moved
        events = watcher.take()
        if watcher.missed:
            watcher.missed = False
            events = _snapshot(views, feed, watcher.wanted, resync=True)
        for event in events:
            yield event
        try:
            async with asyncio.timeout(BOOKMARK_SECONDS):
                await moved.wait()
        except TimeoutError:
            if not watcher.idle:
                continue
            yield WatchEvent(EventKind.BOOKMARK, None, feed.token)


def _snapshot(views: Views, feed: Feed, wanted: Filter, *, resync: bool) -> tuple[WatchEvent, ...]:
    there = views.objects
    shown = (views.view(key, there[key]) for key in sorted(there) if wanted.matches(there[key]))
    return snapshot(shown, feed.token, resync=resync)
