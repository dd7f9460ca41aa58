"""Requests that were carried out, remembered on the object that they changed. Pure.

The last ones are kept in an annotation, each with a digest of what it asked for: a repeat changes
nothing, whichever replica gets it. Who replaces the object without its annotations forgets them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer import GROUP
from hourglass_common.kube.objects import annotations

REQUESTS = f"{GROUP}/requests"
KEPT = 8

Manifest = Mapping[str, Any]


def digest_of(content: Any) -> str:
    """Return a short name for what a request asks for; ``content`` is JSON."""
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]


def is_repeat(manifest: Manifest, request_id: str, digest: str) -> bool:
    """Return whether the request was carried out on this object already.

    ALREADY_EXISTS if its id was used for other content.
    """
    found = _read(manifest).get(request_id)
    if not request_id or found is None:
        return False
    if found != digest:
        raise HourglassError(
            Code.ALREADY_EXISTS,
            f"request_id {request_id!r} was used for other content",
            reason="REQUEST_ID_REUSED",
            hint="use a new request_id for each different request",
        )
    return True


def remembered(manifest: Manifest | None, request_id: str, digest: str) -> dict[str, str]:
    """Return the annotation that remembers a request, none for one without an id."""
    if not request_id:
        return {}
    known = {request_id: digest, **(_read(manifest) if manifest is not None else {})}
    return {REQUESTS: " ".join(f"{id_}={found}" for id_, found in list(known.items())[:KEPT])}


def _read(manifest: Manifest) -> dict[str, str]:
    entries = annotations(manifest).get(REQUESTS, "").split()
    return {id_: found for id_, _, found in (entry.partition("=") for entry in entries)}
