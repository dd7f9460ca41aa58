"""Label and field selectors: parsed once, asked often."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from .kinds import Kind
from .status import bad_request
from .tree import at

Manifest = Mapping[str, Any]
Predicate = Callable[[Manifest], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^)]*)\)$")
_EQUAL = re.compile(r"^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$")
_NAME = re.compile(r"^!?\s*[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$")

_ALWAYS = ("metadata.name", "metadata.namespace")
_FIELDS = {
    "pods": ("spec.nodeName", "status.phase", "spec.restartPolicy", "spec.serviceAccountName"),
    "services": ("spec.clusterIP", "spec.type"),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "replicasets.apps": ("status.replicas",),
}
_EVENT_FIELDS = {
    "involvedObject": ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion"),
}
_EVENT_PLAIN = ("reason", "type", "reportingComponent", "source")


def label_predicate(text: str) -> Predicate | None:
    """Return a test of labels (not of objects); None when everything matches.

    400 if ``text`` is not a selector.
    """
    tests = [_label_test(part) for part in _split(text)]
    if not tests:
        return None
    return lambda labels: all(test(labels) for test in tests)


def _split(text: str) -> list[str]:
    parts = re.split(r",(?![^(]*\))", text)
    return [part.strip() for part in parts if part.strip()]


def _label_test(part: str) -> Predicate:
    if found := _SET.match(part):
        key, verb, values = found[1], found[2], {each.strip() for each in found[3].split(",")}
        if verb == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        key, verb, value = found[1], found[2], found[3]
        if verb == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if _NAME.match(part):
        key = part.removeprefix("!").strip()
        if part.startswith("!"):
            return lambda labels: key not in labels
        return lambda labels: key in labels
    raise bad_request(f'unable to parse requirement: "{part}" is not a label selector')


def selector_predicate(selector: Manifest | None) -> Predicate:
    """Return the test of a ``LabelSelector`` object (matchLabels and matchExpressions)."""
    selector = selector or {}
    wanted = dict(selector.get("matchLabels") or {})
    tests = [_expression(each) for each in selector.get("matchExpressions") or ()]
    return lambda labels: (
        all(labels.get(key) == value for key, value in wanted.items())
        and all(test(labels) for test in tests)
    )


def _expression(requirement: Manifest) -> Predicate:
    key = requirement.get("key", "")
    values = set(requirement.get("values") or ())
    match requirement.get("operator"):
        case "In":
            return lambda labels: labels.get(key) in values
        case "NotIn":
            return lambda labels: labels.get(key) not in values
        case "Exists":
            return lambda labels: key in labels
        case "DoesNotExist":
            return lambda labels: key not in labels
        case other:
            raise bad_request(f'"{other}" is not a valid label selector operator')


def selector_text(selector: Manifest | None) -> str:
    """Return a ``LabelSelector`` object as text; empty when it selects everything."""
    selector = selector or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        key, values = each.get("key", ""), ",".join(sorted(each.get("values") or ()))
        match each.get("operator"):
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case _:
                parts.append(f"!{key}")
    return ",".join(parts)


def field_predicate(kind: Kind, text: str) -> Predicate | None:
    """Return a test of objects as stored; None when everything matches.

    400 if a field can not be selected by for this kind.
    """
    tests = [_field_test(kind, part) for part in _split(text)]
    if not tests:
        return None
    return lambda manifest: all(test(manifest) for test in tests)


def _field_test(kind: Kind, part: str) -> Predicate:
    found = re.match(r"^([A-Za-z.]+)\s*(==|=|!=)\s*(.*)$", part)
    if not found:
        raise bad_request(f'invalid field selector: "{part}"; can\'t understand it')
    field, verb, value = found[1], found[2], found[3]
    path = _stored_path(kind, field)
    equal = verb != "!="
    return lambda manifest: (_text(at(manifest, path)) == value) is equal


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _stored_path(kind: Kind, field: str) -> str:
    if field in _ALWAYS or field in _FIELDS.get(kind.stored_as, ()):
        return field
    if kind.stored_as == "events":
        owner, _, part = field.partition(".")
        if owner in ("involvedObject", "regarding") and part in _EVENT_FIELDS["involvedObject"]:
            return f"involvedObject.{part}"
        if field == "reportingController":
            return "reportingComponent"
        if field == "source":
            return "source.component"
        if field in _EVENT_PLAIN:
            return field
    raise bad_request(f"field label not supported: {field}")
