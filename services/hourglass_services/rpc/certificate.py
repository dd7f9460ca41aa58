"""Who a client certificate names: the user is CN, the groups are every O, as in Kubernetes. Pure.

Names that begin with ``system:`` are Kubernetes' own, and no certificate gives them here.
"""

import re

from hourglass_common.domain.access import AUTHENTICATED, Caller, Proof
from hourglass_common.domain.errors import Code, HourglassError

RESERVED = "system:"
_PAIR = re.compile(rb"(?P<kind>[A-Za-z][A-Za-z0-9]*|[0-9.]+)=(?P<value>(?:[^,+\\\"<>;]|\\.)*)")
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2}|.)")


def certificate_caller(subject: bytes) -> Caller:
    """Return the caller that ``subject`` (RFC 2253) names; UNAUTHENTICATED if it names none."""
    pairs = _pairs(subject)
    names = [value for kind, value in pairs if kind == "CN"]
    if len(names) != 1:
        raise _refused("names no user, or several, in CN")
    name = names[0]
    if not name or not name.isprintable():
        raise _refused("has a name in CN that can not be one")
    if name.startswith(RESERVED):
        raise _refused(f"names a user that begins with {RESERVED!r}, which only Kubernetes gives")
    groups = [
        value
        for kind, value in pairs
        if kind == "O" and value and value.isprintable() and not value.startswith(RESERVED)
    ]
    return Caller(
        name=name,
        groups=(*dict.fromkeys(groups), AUTHENTICATED),
        proof=Proof.CERTIFICATE,
    )


def _pairs(subject: bytes) -> list[tuple[str, str]]:
    """Return kinds and values of a name, whether or not several make up one part of it."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(subject):
        match = _PAIR.match(subject, at)
        if match is None:
            raise _refused("has a name that can not be read")
        if match["value"].startswith(b"#"):  # bytes of a type that is no text
            raise _refused("has a name that is no text")
        try:
            value = _ESCAPE.sub(_unescaped, match["value"]).decode()
        except UnicodeDecodeError as exc:
            raise _refused("has a name that is not UTF-8") from exc
        found.append((match["kind"].decode(), value))
        at = match.end()
        if at < len(subject) and subject[at : at + 1] not in (b",", b"+"):
            raise _refused("has a name that can not be read")
        at += 1
    return found


def _unescaped(match: re.Match[bytes]) -> bytes:
    found = match[1]
    return bytes.fromhex(found.decode()) if len(found) == 2 else found


def _refused(why: str) -> HourglassError:
    return HourglassError(
        Code.UNAUTHENTICATED,
        f"the client certificate {why}",
        reason="BAD_CERTIFICATE",
        hint="use one whose CN is the user and whose O are the groups, or show a token as well",
    )
