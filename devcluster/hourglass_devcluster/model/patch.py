"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from collections.abc import Mapping
from typing import Any

import jsonpatch
import jsonpointer

from .status import ApiError, bad_request
from .tree import copied


def merge_patched(document: Any, patch: Any) -> Any:
    """Return ``document`` after the merge patch; neither argument changes."""
    if not isinstance(patch, Mapping):
        return copied(patch)
    merged: dict[str, Any] = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patched(merged.get(key), value)
    return merged


def json_patched(document: Any, operations: Any) -> Any:
    """Return ``document`` after the operations. 400 if they are none, 422 if one fails."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    try:
        return jsonpatch.JsonPatch(operations).apply(copied(document))
    except jsonpatch.InvalidJsonPatch as exc:
        raise bad_request(f"the JSON patch can not be read: {exc}") from exc
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as exc:
        raise ApiError(
            422, "Invalid", f"the server rejected our request due to an error in our request: {exc}"
        ) from exc
