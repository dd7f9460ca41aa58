"""JSON values as trees: copied before they change, read and written by dotted path."""

from collections.abc import Mapping
from typing import Any


def copied(value: Any) -> Any:
    """Return a deep copy of a JSON value, with plain dicts and lists."""
    if isinstance(value, Mapping):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [copied(each) for each in value]
    return value


def at(value: Any, path: str) -> Any:
    """Return what ``path`` (dotted, no indices) names, None where there is nothing."""
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def put(value: dict[str, Any], path: str, new: Any) -> None:
    """Write ``new`` at ``path``, making the objects on the way."""
    *parents, last = path.split(".")
    for part in parents:
        value = value.setdefault(part, {})
    value[last] = new
