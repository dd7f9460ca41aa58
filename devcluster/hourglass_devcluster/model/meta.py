"""The metadata rules of every object: names, uid, generation, deletion marks."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339

from .kinds import Kind
from .status import (
    ApiError,
    Cause,
    bad_request,
    conflict,
    forbidden_field,
    invalid,
    required,
    wrong,
)
from .tree import copied

Manifest = Mapping[str, Any]

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
_LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    f"used for validation is '{LABEL}')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN}')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
    f"'my_value',  or '12345', regex used for validation is '{_LABEL_VALUE}')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
    f"for validation is '{_QUALIFIED}')"
)

_OF_THE_SERVER = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def new_object(
    kind: Kind, body: Manifest, namespace: str, *, now: datetime, uid: str, suffix: str
) -> dict[str, Any]:
    """Return ``body`` with the metadata of a new object. ApiError 400 or 422 if it has none.

    ``suffix`` completes a generateName.
    """
    made = typed(kind, body)
    meta = made["metadata"]
    if meta.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"][:58] + suffix
    place(kind, meta, namespace)
    for field in (*_OF_THE_SERVER, "selfLink", "generation", "resourceVersion"):
        meta.pop(field, None)
    meta["uid"] = uid
    meta["creationTimestamp"] = rfc3339(now)
    if kind.counts_generation:
        meta["generation"] = 1
    return made


def typed(kind: Kind, body: Any) -> dict[str, Any]:
    """Return a copy of a request's object, whose apiVersion and kind are those of the path."""
    if not isinstance(body, Mapping):
        raise bad_request(f"the body of the request is not a {kind.kind} object")
    made: dict[str, Any] = copied(body)
    if kind.custom is None:
        made.setdefault("apiVersion", kind.api_version)
        made.setdefault("kind", kind.kind)
    elif not made.get("kind"):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): "
            "Object 'Kind' is missing"
        )
    version = made.get("apiVersion") or ""
    if version != kind.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    if made.get("kind") != kind.kind:
        raise bad_request(
            f'the kind in the data ("{made["kind"]}") does not match the expected kind '
            f'("{kind.kind}")'
        )
    meta = made.get("metadata")
    if meta is None:
        made["metadata"] = {}
    elif not isinstance(meta, Mapping):
        raise bad_request("metadata must be an object")
    return made


def drop_empty(meta: dict[str, Any]) -> None:
    """Remove the maps and lists of ``meta`` that hold nothing, as Kubernetes does."""
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not meta.get(field):
            meta.pop(field, None)


def place(kind: Kind, meta: dict[str, Any], namespace: str) -> None:
    """Put the namespace of the request's path into ``meta``. 400 if it names another."""
    if not kind.namespaced:
        meta.pop("namespace", None)
        return
    if (meta.get("namespace") or namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta["namespace"] = namespace


def keep_identity(
    kind: Kind, old: Manifest, new: dict[str, Any], *, is_patch: bool = False
) -> None:
    """Carry over into ``new`` what a write may not change; ApiError if it tries to."""
    was, meta = old["metadata"], new["metadata"]
    if meta.setdefault("name", was["name"]) != was["name"]:
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL "
            f"({was['name']})"
        )
    place(kind, meta, was.get("namespace") or "")
    if is_patch and meta.get("uid", was["uid"]) != was["uid"]:
        said = wrong("metadata.uid", f'"{meta["uid"]}"', "field is immutable")
        raise invalid_object(kind, old, [said])
    if meta.get("uid") and meta["uid"] != was["uid"]:
        why = (
            f"Precondition failed: UID in precondition: {meta['uid']}, "
            f"UID in object meta: {was['uid']}"
        )
        raise conflict(kind.group, kind.plural, was["name"], why)
    version = meta.get("resourceVersion")
    if version and version != was["resourceVersion"]:
        raise conflict(kind.group, kind.plural, was["name"])
    for field in (*_OF_THE_SERVER, "generation", "resourceVersion"):
        meta.pop(field, None)
        if field in was:
            meta[field] = was[field]
    meta.pop("selfLink", None)


def check_preconditions(
    kind: Kind, old: Manifest, uid: str | None, resource_version: str | None
) -> None:
    """Raise 409 unless the object is still the one meant."""
    meta = old["metadata"]
    for what, wanted, found, happened in (
        ("UID", uid, meta["uid"], "deleted and then recreated"),
        ("ResourceVersion", resource_version, meta["resourceVersion"], "modified"),
    ):
        if wanted and wanted != found:
            why = (
                f"the {what} in the precondition ({wanted}) does not match the {what} in record "
                f"({found}). The object might have been {happened}"
            )
            raise conflict(kind.group, kind.kind, meta["name"], why)


def advance_generation(kind: Kind, old: Manifest, new: dict[str, Any]) -> None:
    """Count ``metadata.generation`` up when anything but metadata and status differs."""
    if not kind.counts_generation:
        return
    ignored = ("metadata", "status") if kind.has_status else ("metadata",)
    if any(old.get(key) != new.get(key) for key in {*old, *new} if key not in ignored):
        new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1


def validate(kind: Kind, manifest: Manifest) -> None:
    """Raise 422 for a bad name, label, annotation or finalizer of ``manifest``."""
    causes = list(_causes(kind, manifest["metadata"]))
    if causes:
        raise invalid_object(kind, manifest, causes)


def invalid_object(kind: Kind, manifest: Manifest, causes: list[Cause]) -> ApiError:
    return invalid(kind.group, kind.kind, manifest["metadata"].get("name") or "", causes)


def validate_change(kind: Kind, old: Manifest, new: Manifest) -> None:
    """Raise 422 if ``new`` adds a finalizer to an object that is being deleted."""
    if not old["metadata"].get("deletionTimestamp"):
        return
    had = set(old["metadata"].get("finalizers") or ())
    added = [each for each in new["metadata"].get("finalizers") or () if each not in had]
    if added:
        why = f"no new finalizers can be added if the object is being deleted, found new {added}"
        raise invalid_object(kind, new, [forbidden_field("metadata.finalizers", why)])


def _causes(kind: Kind, meta: Manifest) -> Iterator[Cause]:
    name = meta.get("name")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from _name_causes(kind, name)
    for field in ("labels", "annotations"):
        for key, value in (meta.get(field) or {}).items():
            yield from label_key_causes(f"metadata.{field}", key)
            if not isinstance(value, str):
                yield wrong(f"metadata.{field}", f"{value!r}", "must be a string")
            elif field == "labels":
                yield from label_value_causes("metadata.labels", value)
    for finalizer in meta.get("finalizers") or ():
        yield from label_key_causes("metadata.finalizers", finalizer)


def _name_causes(kind: Kind, name: str) -> Iterator[Cause]:
    match kind.plural:
        case "services" | "namespaces":
            pattern, limit, text = LABEL, 63, LABEL_TEXT
        case _:
            pattern, limit, text = _SUBDOMAIN, 253, _SUBDOMAIN_TEXT
    if len(name) > limit:
        yield wrong("metadata.name", f'"{name}"', f"must be no more than {limit} characters")
    if not re.fullmatch(pattern, name):
        yield wrong("metadata.name", f'"{name}"', text)


def label_key_causes(field: str, key: str) -> Iterator[Cause]:
    """Yield what is wrong with ``key`` as the key of a label or an annotation."""
    prefix, slash, name = key.rpartition("/")
    if slash and not re.fullmatch(_SUBDOMAIN, prefix):
        yield wrong(field, f'"{key}"', f"prefix part {_SUBDOMAIN_TEXT}")
    if len(name) > 63:
        yield wrong(field, f'"{key}"', "name part must be no more than 63 characters")
    if not re.fullmatch(_QUALIFIED, name):
        yield wrong(field, f'"{key}"', _QUALIFIED_TEXT)


def label_value_causes(field: str, value: str) -> Iterator[Cause]:
    """Yield what is wrong with ``value`` as the value of a label."""
    if len(value) > 63:
        yield wrong(field, f'"{value}"', "must be no more than 63 bytes")
    if not re.fullmatch(_LABEL_VALUE, value):
        yield wrong(field, f'"{value}"', _LABEL_VALUE_TEXT)
