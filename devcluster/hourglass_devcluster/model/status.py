"""Failures as the API reports them: a Kubernetes Status with code, reason and causes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One wrong field: ``reason`` such as ``FieldValueInvalid``, ``message`` without the field."""

    reason: str
    message: str
    field: str


class ApiError(Exception):
    """An answer other than success; ``body()`` is the Status that goes over the wire."""

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = dict(self.details)
        return body


def _details(group: str, kind: str, name: str) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}


def qualified(group: str, plural: str) -> str:
    """Return the resource as messages name it: ``pods``, ``replicasets.apps``."""
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> ApiError:
    text = f'{qualified(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", text, _details(group, plural, name))


def already_exists(group: str, plural: str, name: str) -> ApiError:
    text = f'{qualified(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = "") -> ApiError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    text = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", text, _details(group, plural, name))


def forbidden(group: str, plural: str, name: str, why: str) -> ApiError:
    named = f' "{name}"' if name else ""
    text = f"{qualified(group, plural)}{named} is forbidden: {why}"
    return ApiError(403, "Forbidden", text, _details(group, plural, name))


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """Return 422 with one cause for each wrong field."""
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(group, kind, name)
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field}
        for cause in dict.fromkeys(causes)
    ]
    text = f'{qualified(group, kind)} "{name}" is invalid: {said}'
    return ApiError(422, "Invalid", text, details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(version: int, oldest: int) -> ApiError:
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")


def method_not_allowed(verb: str, group: str, plural: str) -> ApiError:
    what = qualified(group, plural)
    text = f"the dev cluster does not {verb} {what}"
    return ApiError(405, "MethodNotAllowed", text, _details(group, plural, ""))


def unsupported_media_type(content_type: str, supported: Sequence[str]) -> ApiError:
    text = (
        f"the body of the request was in an unknown format ({content_type or 'none'}) - "
        f"accepted media types include: {', '.join(supported)}"
    )
    if "protobuf" in content_type:  # what kubectl sends from its own flags, not from a file
        text += "; with kubectl, write the object to a file and use `apply -f`"
    return ApiError(415, "UnsupportedMediaType", text)


def no_such_path() -> ApiError:
    return ApiError(
        404,
        "NotFound",
        "the server could not find the requested resource",
        {"causes": [{"reason": "UnexpectedServerResponse", "message": "404 page not found"}]},
    )


def not_served(what: str) -> ApiError:
    """Return 404 for a kind or subresource that Kubernetes may have and the dev cluster lacks."""
    text = (
        f"the server could not find the requested resource: the dev cluster does not serve {what}"
    )
    return ApiError(404, "NotFound", text)


def required(field: str, why: str = "") -> Cause:
    message = "Required value" + (f": {why}" if why else "")
    return Cause("FieldValueRequired", message, field)


def wrong(field: str, value: str, why: str) -> Cause:
    """Return FieldValueInvalid; ``value`` is written as given (quote strings yourself)."""
    return Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", field)


def unsupported(field: str, value: str, known: Sequence[str]) -> Cause:
    said = ", ".join(f'"{each}"' for each in known)
    text = f'Unsupported value: "{value}": supported values: {said}'
    return Cause("FieldValueNotSupported", text, field)


def forbidden_field(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)
