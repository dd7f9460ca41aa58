"""Which requests our programs and kubectl made, read from the audit log of an API server.

An audit event holds no content type, so the kind of a PATCH comes from elsewhere: our client
writes it after its user agent (``hourglass/0.1.0 (apply)``), kubectl tells by its field manager.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROGRAMS = ("hourglass/", "kubectl/")
_SUFFIX = re.compile(r"\((apply|merge|json|strategic)\)$")
_OWN_GROUP = "hourglass.eigenlayer.io"


def requests_of_programs(log: Path) -> dict[str, str]:
    """Return the names of the requests in ``log``, each with the user agent that first made it."""
    found: dict[str, str] = {}
    with log.open() as lines:
        for event in _events(lines):
            agent = event.get("userAgent") or ""
            if agent.startswith(PROGRAMS):
                found.setdefault(audited_name(event), agent)
    return found


def audited_name(event: dict[str, Any]) -> str:
    """Return the name of one audited request, as ``kube_requests.request_name`` spells it."""
    about = event.get("objectRef") or {}
    url = urlsplit(event["requestURI"])
    if "resource" not in about:
        return f"{event['verb']} {url.path}"
    group = about.get("apiGroup") or ""
    name = f"{event['verb']} {about['resource']}" + (f".{group}" if group else "")
    if about.get("subresource"):
        name += f"/{about['subresource']}"
    if event["verb"] != "patch":
        return name
    return f"{name} {_patch(event.get('userAgent') or '', parse_qs(url.query), group)}"


def _patch(agent: str, query: dict[str, list[str]], group: str) -> str:
    told = _SUFFIX.search(agent)
    if told:
        return told[1]
    manager = query.get("fieldManager", [""])[0]
    if manager == "kubectl" and "force" in query:
        return "apply"
    match manager:
        case "kubectl":
            return "json"  # kubectl moves ownership over before a first server-side apply
        case "kubectl-last-applied":
            return "apply"
        case "kubectl-client-side-apply" | "kubectl-patch" | "kubectl-edit":
            return "merge" if group == _OWN_GROUP else "strategic"
        case _:
            return "merge"  # annotate, label, scale


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue  # the last line may be half written
