"""What a user asked of the API server, counted from its audit log. Pure but for ``AuditLog``."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_FOLLOWING = frozenset({"watch", "list"})
_ASIDE = frozenset({"leases", "events", "tokenreviews", "subjectaccessreviews"})

Event = dict[str, Any]


def name_of(event: Event) -> str:
    """Return verb, resource and subresource, as in ``update performers/status``."""
    about = event.get("objectRef") or {}
    parts = (about.get("resource", event.get("requestURI", "")), about.get("subresource", ""))
    return f"{event['verb']} {'/'.join(part for part in parts if part)}"


def requests(events: Iterable[Event], user: str, namespace: str) -> Counter[str]:
    """Return how often the user asked what of the namespace: following, Leases, ... aside."""
    return Counter(
        name_of(event)
        for event in _of(events, user)
        if event["verb"] not in _FOLLOWING
        and (event.get("objectRef") or {}).get("namespace") == namespace
        and (event.get("objectRef") or {}).get("resource") not in _ASIDE
    )


def writes(events: Iterable[Event], user: str) -> Counter[str]:
    """Return how often the user wrote what, Leases and reviews aside; Events count."""
    aside = _ASIDE - {"events"}
    return Counter(
        name_of(event)
        for event in _of(events, user)
        if event["verb"] in WRITES and (event.get("objectRef") or {}).get("resource") not in aside
    )


def _of(events: Iterable[Event], user: str) -> Iterator[Event]:
    return (event for event in events if (event.get("user") or {}).get("username") == user)


@dataclass
class AuditLog:
    """A log file, read from where it stood when ``mark`` was called."""

    path: Path
    offset: int = 0

    def mark(self) -> None:
        self.offset = self.path.stat().st_size if self.path.exists() else 0

    def since(self) -> list[Event]:
        """Return the events since the mark; a last line that is half written is left out."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(self.offset)
            lines = log.read().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]
