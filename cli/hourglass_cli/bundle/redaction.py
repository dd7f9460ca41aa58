"""Taking secrets out of what is handed on. Pure.

Three nets, each under the one before: fields that hold a user's own words (the environment, the
arguments, annotations that are not ours) lose their values; texts that look like credentials are
cut out of everything; and every value that was taken out anywhere is looked for everywhere.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

REMOVED = "<removed>"
_KNOWN_ANNOTATIONS = ("hourglass.eigenlayer.io/", "deployment.kubernetes.io/", "app.kubernetes.io/")
_OURS = ("AVS_ADDRESS", "GRPC_PORT")
"""Variables that the operator sets: what they say is in the spec as well."""
_SHORTEST = 6
"""Shorter values are not looked for elsewhere: "true" or "9090" would be found in everything."""

_CREDENTIALS = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{6,}"),
    re.compile(r"(?i)(?<=basic )[\w+/=]{8,}"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(
        r"(?i)(?<![a-z])(?:[\w.-]*(?:password|passwd|secret|token|api[_-]?key|private[_-]?key)"
        r"[\w.-]*)[\"']?\s*[=:]\s*[\"']?(?!true\b|false\b|null\b|<removed>)"
        r"(?P<value>[^\s\"',;&]{4,})"
    ),
)


class Redaction:
    """``known`` are secrets to begin with, such as the token that was used to ask."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self.learn(known)

    def learn(self, secrets: Iterable[str]) -> None:
        """Take these out of all texts from now on."""
        for value in secrets:
            self._remember(value)

    def manifest(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Return an object without what may be secret in it."""
        found: dict[str, Any] = self._walk(manifest)
        return found

    def text(self, text: str) -> str:
        """Return ``text`` without credentials, and without what was taken out of any object."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, REMOVED)
        for pattern in _CREDENTIALS:
            text = pattern.sub(_cut, text)
        return text

    def _walk(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._field(str(key), each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._walk(each) for each in value]
        return value

    def _field(self, key: str, value: Any) -> Any:
        match key:
            case "managedFields":
                return REMOVED
            case "environment" if isinstance(value, Mapping):
                return {name: self._value_of(name, each) for name, each in value.items()}
            case "env" if isinstance(value, list | tuple):
                return [self._variable(each) for each in value]
            case "args" | "command" if isinstance(value, list | tuple):
                program = key == "command"
                return [
                    self._argument(each, program=program and not i) for i, each in enumerate(value)
                ]
            case "annotations" if isinstance(value, Mapping):
                return {name: self._annotation(name, each) for name, each in value.items()}
            case "payload" | "expectedOutput" | "stringData" | "data" | "binaryData":
                self._remember_all(value)
                return REMOVED
            case _:
                return self._walk(value)

    def _variable(self, variable: Any) -> Any:
        if not isinstance(variable, Mapping) or "value" not in variable:
            return variable  # valueFrom names a secret, and does not tell it
        name = str(variable.get("name", ""))
        return {**variable, "value": self._value_of(name, variable["value"])}

    def _value_of(self, name: str, value: Any) -> str:
        return str(value) if name in _OURS else self._take(value)

    def _argument(self, text: Any, *, program: bool) -> str:
        """Keep the program and the names of flags; their values are the user's own."""
        written = str(text)
        if program and re.fullmatch(r"[\w./-]+", written) and not _looks_secret(written):
            return written
        name, equals, value = written.partition("=")
        if equals and re.fullmatch(r"-{0,2}[\w.-]+", name):
            return f"{name}={self._take(value)}"
        if re.fullmatch(r"--[a-z][a-z-]*", written):
            return written
        return self._take(written)

    def _annotation(self, name: str, value: Any) -> Any:
        if name.startswith(_KNOWN_ANNOTATIONS):
            return value
        if name.endswith("last-applied-configuration"):
            self._learn_from_json(str(value))
            return REMOVED
        return self._take(value)

    def _learn_from_json(self, text: str) -> None:
        """Meet the secrets of a manifest that is kept as a text: it may be an older one."""
        try:
            found = json.loads(text)
        except ValueError:
            return
        if isinstance(found, Mapping):
            self.manifest(found)

    def _take(self, value: Any) -> str:
        self._remember(str(value))
        return REMOVED

    def _remember_all(self, value: Any) -> None:
        if isinstance(value, Mapping):
            for each in value.values():
                self._remember_all(each)
        elif isinstance(value, str) and len(value) < 4096:
            self._remember(value)

    def _remember(self, value: str) -> None:
        words = (word for word in re.split(r"[\s\"'=:,]+", value) if re.search(r"\d", word))
        for piece in {value, value.strip(), *value.splitlines(), *words}:
            if len(piece) >= _SHORTEST and piece != REMOVED:
                self._values.add(piece)


def _looks_secret(text: str) -> bool:
    return any(pattern.search(text) for pattern in _CREDENTIALS)


def _cut(found: re.Match[str]) -> str:
    groups = found.groupdict()
    value = groups.get("value")
    return found[0].replace(value, REMOVED) if value else REMOVED
