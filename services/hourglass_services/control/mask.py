"""Field masks: which fields a request means, and the patch that changes no others. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from hourglass_common.domain.errors import invalid

from .fields import find_field, split_path
from .port import Manifest, Masked, Path

ALL = "*"
WRITABLE: tuple[Path, ...] = (("metadata", "labels"), ("spec",))
_SOURCE = "update_mask"
Patch = dict[str, Any]


def update_paths(mask: Iterable[str]) -> tuple[Path, ...]:
    """Return where the fields of an update mask are in a manifest; none for an empty mask.

    INVALID_ARGUMENT for a field that there is not, or that only the cluster writes.
    """
    texts = tuple(mask)
    if texts == (ALL,):
        return WRITABLE
    return tuple(_update_path(text) for text in texts)


def _update_path(text: str) -> Path:
    if text == ALL:
        raise invalid(_SOURCE, "* stands alone: it means all fields")
    field = find_field(split_path(text, _SOURCE), _SOURCE)
    if not any(field.path[: len(root)] == root for root in WRITABLE):
        raise invalid(_SOURCE, f"{text} can not be changed; what can is labels and spec")
    if any(end < len(field.path) for end in field.lists):
        raise invalid(_SOURCE, f"{text}: a list is changed as a whole; name the list itself")
    return field.path


def path_text(path: Path) -> str:
    """Return the text of a path below labels or spec, as a mask has it."""
    steps = path[1:] if path[0] == "metadata" else path
    return ".".join(f"`{step}`" if "." in step else step for step in steps)


def patch_of(current: Manifest, masked: Masked) -> Patch:
    """Return the RFC 7386 patch that makes ``current`` as asked, {} if it is so already.

    Without paths, what ``masked.manifest`` has of labels and spec is set and nothing removed.
    """
    patch: Patch = {}
    if not masked.paths:
        for path in WRITABLE:
            wanted = _at(masked.manifest, path)
            if wanted is not _MISSING:
                _put(patch, path, _merged(_at(current, path), wanted))
        return _pruned(patch)
    for path in sorted(set(masked.paths)):
        found = _difference(_at(current, path), _at(masked.manifest, path))
        if found is not _SAME:
            _put(patch, path, found)
    return patch


def patched(current: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``current`` after the RFC 7386 ``patch``; neither is changed."""
    result: dict[str, Any] = dict(current) if isinstance(current, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = patched(result.get(key), value)
        else:
            result[key] = value
    return result


def read_paths(mask: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return the paths of a read mask as names of fields; none mean all of them.

    INVALID_ARGUMENT for a field that there is not.
    """
    texts = tuple(mask)
    if not texts or texts == (ALL,):
        return ()
    found: list[tuple[str, ...]] = []
    for text in texts:
        field = find_field(split_path(text, "read_mask"), "read_mask")
        if field.is_key or any(end < len(field.path) for end in field.lists):
            raise invalid("read_mask", f"{text}: a list or a map is read as a whole")
        found.append(split_path(text, "read_mask"))
    return tuple(found)


def keep(message: Message, paths: Sequence[tuple[str, ...]]) -> None:
    """Clear every field of ``message`` that ``paths`` do not name."""
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in paths:
        by_first.setdefault(first, []).append(tuple(rest))
    for kind, value in message.ListFields():
        below = by_first.get(kind.name) or by_first.get(kind.json_name)
        if below is None:
            message.ClearField(kind.name)
        elif all(below):
            keep(value, below)


class _Mark:
    """A value that no manifest can hold."""


_MISSING, _SAME = _Mark(), _Mark()


def _at(manifest: Any, path: Path) -> Any:
    for step in path:
        if not isinstance(manifest, Mapping) or step not in manifest:
            return _MISSING
        manifest = manifest[step]
    return manifest


def _put(patch: Patch, path: Path, value: Any) -> None:
    for step in path[:-1]:
        patch = patch.setdefault(step, {})
    patch[path[-1]] = value


def _difference(current: Any, wanted: Any) -> Any:
    """Return the patch that makes ``current`` into ``wanted``, ``_SAME`` if it is."""
    if wanted is _MISSING:
        return _SAME if current is _MISSING else None
    if not isinstance(wanted, Mapping):
        return _SAME if current is not _MISSING and current == wanted else wanted
    if not isinstance(current, Mapping):
        return dict(wanted)
    found = {
        key: change
        for key in {*current, *wanted}
        if (change := _difference(current.get(key, _MISSING), wanted.get(key, _MISSING)))
        is not _SAME
    }
    return found or _SAME


def _merged(current: Any, wanted: Any) -> Any:
    """Return the patch that sets what ``wanted`` has, leaving out what is so already."""
    if not isinstance(wanted, Mapping) or not isinstance(current, Mapping):
        return wanted
    return {
        key: _merged(current.get(key, _MISSING), value)
        for key, value in wanted.items()
        if current.get(key, _MISSING) != value
    }


def _pruned(patch: Patch) -> Patch:
    """Return the patch without the branches that change nothing."""
    found = {
        key: _pruned(value) if isinstance(value, dict) else value for key, value in patch.items()
    }
    return {key: value for key, value in found.items() if value != {}}
