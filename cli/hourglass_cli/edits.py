"""What a command line wants of a manifest: read from a file, or put together from flags."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hourglass_common.domain.errors import invalid
from hourglass_services.control.mask import update_paths
from hourglass_services.control.port import Masked
from hourglass_services.control.port import Path as FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """The flags of ``update``, as they were given."""

    file: Path | None = None
    image: str = ""
    version: str = ""
    env: tuple[str, ...] = ()
    unset_env: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()


def masked(edits: Edits) -> Masked:
    """Return the fields to change; INVALID_ARGUMENT where there is none, or one is not readable.

    A file's mask is what it says of labels and spec, field by field of the spec.
    """
    manifest: dict[str, Any] = {}
    paths: list[FieldPath] = []

    def put(path: FieldPath, value: Any) -> None:
        _put(manifest, path, value)
        paths.append(path)

    if edits.file is not None:
        found = read_manifest(edits.file)
        for key, value in (found.get("spec") or {}).items():
            put(("spec", key), value)
        for key, value in ((found.get("metadata") or {}).get("labels") or {}).items():
            put(("metadata", "labels", key), value)
    for key, text in (("image", edits.image), ("version", edits.version)):
        if text:
            put(("spec", key), text)
    for name, value in _pairs("--env", edits.env):
        put(("spec", "config", "environment", name), value)
    for field, text in _pairs("--set", edits.fields):
        (path,) = update_paths((field,))
        put(path, _value(field, text))
    paths += [("spec", "config", "environment", name) for name in edits.unset_env]
    paths += update_paths(edits.unset)
    if not paths:
        raise invalid("", "nothing is to be changed: give --image, --env, --set or --file")
    return Masked(manifest, tuple(dict.fromkeys(paths)))


def with_flags(
    spec: Mapping[str, Any], flags: Mapping[str, Any], env: Sequence[str]
) -> dict[str, Any]:
    """Return ``spec`` with the flags that were given in place of what it says."""
    found = dict(spec) | {key: value for key, value in flags.items() if value not in ("", None)}
    if env:
        config = dict(found.get("config") or {})
        pairs = dict(_pairs("--env", env))
        found["config"] = config | {"environment": (config.get("environment") or {}) | pairs}
    return found


def read_manifest(file: Path) -> dict[str, Any]:
    """Return the Performer that a file holds; - is stdin."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise invalid("--file", f"{file} can not be read: {exc}") from exc
    if not isinstance(content, dict) or content.get("kind") != "Performer":
        raise invalid("--file", f"{file} holds no object of kind Performer")
    return content


def _pairs(flag: str, given: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for pair in given:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise invalid(flag, f"{pair!r} is not of the form NAME=value")
        found.append((name, value))
    return found


def _value(field: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise invalid("--set", f"the value of {field} can not be read: {exc}") from exc


def _put(manifest: dict[str, Any], path: FieldPath, value: Any) -> None:
    holder = manifest
    for key in path[:-1]:
        holder = holder.setdefault(key, {})
        if not isinstance(holder, dict):
            raise invalid("--set", f"{'.'.join(path)} is below a field that is set as a whole")
    holder[path[-1]] = value
