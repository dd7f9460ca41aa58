"""Watches: a snapshot or what was missed, then the feed's changes as they come."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.port import EventKind, Filter, PerformerView, WatchEvent

from .feed import Feed, Watcher
from .views import Views

BOOKMARK_SECONDS = 60.0
CATCH_UP_SECONDS = 5.0
"""How long a watch waits for caches that are behind its token: another replica was faster."""
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
    offered = asyncio.Event()
    watcher = Watcher(wanted, wake=offered.set)
    feed.watchers.append(watcher)
    try:
        token = resume_token
        if token:
            await views.wait(
                lambda: not feed.is_behind(token, views.caches.versions()), CATCH_UP_SECONDS
            )
        watcher.begin()
        events = opening(views, feed, wanted, token)
        while True:
            for event in events:
                token = event.resume_token or token
                yield event
            events = await _more(views, feed, watcher, offered, token)
    finally:
        feed.watchers.remove(watcher)


async def _more(
    views: Views, feed: Feed, watcher: Watcher, offered: asyncio.Event, token: str
) -> tuple[WatchEvent, ...]:
    """Return what came since the last events were taken, or a newer token if nothing comes."""
    offered.clear()
    if watcher.idle:
        try:
            async with asyncio.timeout(BOOKMARK_SECONDS):
                await offered.wait()
        except TimeoutError:
            feed.listed(views.caches.listed())
            if watcher.idle:
                return (WatchEvent(EventKind.BOOKMARK, None, feed.token),)
    if watcher.missed:
        watcher.begin()
        return resync(views, feed, watcher.wanted, token)
    return watcher.take()


def opening(views: Views, feed: Feed, wanted: Filter, token: str) -> tuple[WatchEvent, ...]:
    """Return what a watcher is told first: what it missed where that is known, else all."""
    feed.listed(views.caches.listed())
    if not token:
        return feed.snapshot(_views(views, wanted))
    missed = None
    if not feed.is_behind(token, views.caches.versions()):
        missed = feed.since(token, wanted, views.at)
    return resync(views, feed, wanted, token) if missed is None else missed


def resync(views: Views, feed: Feed, wanted: Filter, token: str) -> tuple[WatchEvent, ...]:
    """Return what a watcher is told that missed something since ``token``."""
    return feed.snapshot(_views(views, wanted), wanted=wanted, after=token, look=views.at)


def _views(views: Views, wanted: Filter) -> Iterator[PerformerView]:
    there = views.objects
    return (views.view(key, there[key]) for key in sorted(there) if wanted.matches(there[key]))
