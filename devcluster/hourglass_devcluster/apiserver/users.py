"""Static users: who may ask, and what TokenReview and SubjectAccessReview say of them."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from hourglass_devcluster.model.status import ApiError, bad_request, qualified, unauthorized

Manifest = Mapping[str, Any]

USER: web.RequestKey["StaticUser"] = web.RequestKey("user")
"""Who asks, on every request past the guard."""

ADMINISTRATORS = "system:masters"
_READING = ("get", "list", "watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticUser:
    """One user by bearer token.

    Members of ``system:masters`` may do everything. Others may do ``verbs`` ("*" for all), in
    ``namespaces`` (empty for all). ``audiences`` empty means that the token is good for any.
    """

    name: str
    token: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    verbs: tuple[str, ...] = _READING
    namespaces: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()

    def may(self, verb: str, namespace: str) -> bool:
        if ADMINISTRATORS in self.groups:
            return True
        allowed = verb in self.verbs or "*" in self.verbs
        return allowed and (not self.namespaces or namespace in self.namespaces)


class Users:
    """Looks users up by token and by name."""

    def __init__(self, users: Sequence[StaticUser]) -> None:
        self._users = tuple(users)

    def by_token(self, token: str) -> StaticUser | None:
        given = token.encode()
        for user in self._users:
            if hmac.compare_digest(user.token.encode(), given):
                return user
        return None

    def by_header(self, header: str) -> StaticUser:
        """Return who an Authorization header names. ApiError 401 if nobody.

        The token comes as a bearer's, or as the password of basic credentials.
        """
        scheme, _, given = header.partition(" ")
        match scheme.lower():
            case "bearer":
                user = self.by_token(given.strip())
            case "basic":
                user = self.by_token(_password(given))
            case _:
                user = None
        if user is None:
            raise unauthorized()
        return user

    def review_token(self, review: Manifest) -> dict[str, Any]:
        """Return a TokenReview with its status."""
        spec = review.get("spec") or {}
        if not spec.get("token"):
            raise bad_request("spec.token: Required value")
        user = self.by_token(spec["token"])
        asked = tuple(spec.get("audiences") or ())
        status: dict[str, Any]
        if user is None:
            status = {
                "authenticated": False,
                "user": {},
                "error": "[invalid bearer token, token lookup failed]",
            }
        elif asked and user.audiences and not set(asked) & set(user.audiences):
            status = {
                "authenticated": False,
                "user": {},
                "error": f"token audiences {list(user.audiences)} do not include {list(asked)}",
            }
        else:
            good_for = [each for each in asked if not user.audiences or each in user.audiences]
            described = {"username": user.name, "groups": [*user.groups, "system:authenticated"]}
            if user.uid:
                described["uid"] = user.uid
            status = {"authenticated": True, "user": described}
            if good_for:
                status["audiences"] = good_for
        return {**review, "status": status}

    def review_access(self, review: Manifest) -> dict[str, Any]:
        """Return a SubjectAccessReview with its status; unknown subjects are not allowed."""
        spec = review.get("spec") or {}
        attributes = spec.get("resourceAttributes") or {}
        if not spec.get("user") and not spec.get("groups"):
            raise bad_request("spec.user: Required value: at least one of user or group")
        allowed = ADMINISTRATORS in (spec.get("groups") or ()) or any(
            user.may(attributes.get("verb", ""), attributes.get("namespace", ""))
            for user in self._users
            if user.name == spec.get("user")
        )
        return {**review, "status": {"allowed": allowed}}


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except ValueError:
        return ""


def check_access(
    user: StaticUser, verb: str, group: str, plural: str, namespace: str, name: str
) -> None:
    """Raise 403 unless ``user`` may do this."""
    if user.may(verb, namespace):
        return
    what = qualified(group, plural)
    named = f' "{name}"' if name else ""
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    text = (
        f'{what}{named} is forbidden: User "{user.name}" cannot {verb} resource "{plural}" in '
        f'API group "{group}"{where}'
    )
    details = {"name": name, "group": group, "kind": plural}
    raise ApiError(403, "Forbidden", text, {key: value for key, value in details.items() if value})
