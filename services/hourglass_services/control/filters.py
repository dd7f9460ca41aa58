"""Filters as in AIP-160: from text to a predicate over manifests. Pure.

    spec.image:"v2" AND (status.phase = Running OR NOT labels.team = "a")

Comparisons are ``= != < <= > >=`` and ``:`` (contains; has the key or element; ``*`` anything).
``=`` takes a ``*`` at either end of a text. OR binds tighter than AND, and AND may be left out.
What a list holds is compared one by one: one that fits is enough.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from hourglass_common.domain.errors import HourglassError, invalid

from .fields import Field, find_field
from .port import Manifest

Predicate = Callable[[Manifest], bool]
DEEPEST = 20
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<op><=|>=|!=|=|<|>|:)
    |(?P<mark>[().]|-(?=[(A-Za-z_]))
    |(?P<word>[^\s()"'<>=!:.]+(?:\.(?=\d)\d+)*)
    )""",
    re.VERBOSE,
)
_INTEGERS = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)


class Token(NamedTuple):
    """``kind`` is quoted, op, mark, word or end; ``at`` counts characters from 1."""

    kind: str
    text: str
    at: int


def parse_filter(text: str) -> Predicate:
    """Return the predicate; INVALID_ARGUMENT says what can not be read, and where."""
    if not text.strip():
        return lambda _: True
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise invalid("filter", f"character {at + 1}: {text[at : at + 10]!r} can not be read")
        found.append(
            Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1)
        )
        at = match.end()
    return [*found, Token("end", "", len(text) + 1)]


class _Parser:
    """One method for each rule of the grammar."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Predicate:
        found = self._all()
        if self._now.kind != "end":
            raise self._unreadable("AND, OR or the end")
        return found

    def _all(self) -> Predicate:
        parts = [self._any()]
        while self._now.kind != "end" and self._now.text != ")":
            self._take("AND")
            parts.append(self._any())
        return parts[0] if len(parts) == 1 else lambda m: all(part(m) for part in parts)

    def _any(self) -> Predicate:
        parts = [self._one()]
        while self._take("OR"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda m: any(part(m) for part in parts)

    def _one(self) -> Predicate:
        if self._take("NOT") or self._take("-"):
            negated = self._one()
            return lambda m: not negated(m)
        if self._take("("):
            self._depth += 1
            if self._depth > DEEPEST:
                raise invalid("filter", f"more than {DEEPEST} parentheses in each other")
            inner = self._all()
            if not self._take(")"):
                raise self._unreadable(")")
            self._depth -= 1
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        parts = [self._word("a field, such as spec.image")]
        while self._take("."):
            parts.append(self._word("the name of a field"))
        field = find_field(parts, "filter")
        token = self._now
        if token.kind != "op":
            raise self._unreadable(f"one of = != < <= > >= : after {'.'.join(parts)}")
        self._at += 1
        value = self._value()
        return Comparison(field, token.text, value, ".".join(parts)).predicate()

    def _word(self, what: str) -> str:
        token = self._now
        if token.kind not in ("word", "quoted"):
            raise self._unreadable(what)
        self._at += 1
        return _unquoted(token)

    def _value(self) -> str:
        """Return a quoted text, or words with dots between them as they stand."""
        text = self._word("a value")
        while self._tokens[self._at - 1].kind == "word" and self._now.text == ".":
            self._at += 1
            text += "." + self._word("the rest of a value")
        return text

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _take(self, text: str) -> bool:
        if self._now.kind in ("word", "mark") and self._now.text == text:
            self._at += 1
            return True
        return False

    def _unreadable(self, expected: str) -> HourglassError:
        token = self._now
        found = repr(token.text) if token.text else "the end"
        return invalid("filter", f"character {token.at}: expected {expected}, not {found}")


def _unquoted(token: Token) -> str:
    if token.kind != "quoted":
        return token.text
    return re.sub(r"\\(.)", r"\1", token.text[1:-1])


@dataclass(frozen=True, slots=True)
class Comparison:
    """One restriction: ``field op value``; ``text`` is the field as it was written."""

    field: Field
    op: str
    value: str
    text: str

    def predicate(self) -> Predicate:
        """INVALID_ARGUMENT if the value can not be one of the field's, or the field compared."""
        fits = self._fits()
        path, unset = self.field.path, self._unset()
        if self.op == "!=":
            return lambda manifest: not any(fits(one) for one in _found(manifest, path) or unset)
        return lambda manifest: any(fits(one) for one in _found(manifest, path) or unset)

    def _unset(self) -> Sequence[Any]:
        """Return what is compared where the field is not set: false is not written out."""
        kind = self.field.kind
        is_flag = not self.field.is_key and kind.cpp_type == FieldDescriptor.CPPTYPE_BOOL
        return (False,) if is_flag else ()

    def _fits(self) -> Callable[[Any], bool]:
        kind, op, value = self.field.kind, self.op, self.value
        if self.field.path[:1] not in (("metadata",), ("spec",), ("status",)):
            raise invalid("filter", f"{self.text} can not be filtered by")
        if op == ":" and value == "*":
            return lambda one: one not in ({}, [], "")
        message = None if self.field.is_key else kind.message_type
        if message is not None and message.full_name == "google.protobuf.Timestamp":
            return _ordered(op, self._moment(value), lambda one: datetime.fromisoformat(str(one)))
        if message is not None:
            if op != ":":
                raise invalid("filter", f"{self.text} is compared by : alone, or by its fields")
            return lambda one: isinstance(one, Mapping) and value in one
        if not self.field.is_key and kind.cpp_type in _INTEGERS:
            return _ordered(op, self._number(value), int)
        if not self.field.is_key and kind.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return self._truth(value)
        return _textual(op, value)

    def _number(self, value: str) -> int:
        try:
            return int(value)
        except ValueError:
            raise invalid("filter", f"{self.text} is a number, {value!r} is none") from None

    def _truth(self, value: str) -> Callable[[Any], bool]:
        if value not in ("true", "false") or self.op not in ("=", "!=", ":"):
            raise invalid("filter", f"{self.text} is compared by = with true or false")
        return lambda one: bool(one) is (value == "true")

    def _moment(self, value: str) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise invalid(
                "filter",
                f'{self.text} is a time, such as "2026-01-31T12:00:00Z"; {value!r} is none',
            )
        return moment


def _ordered(op: str, value: Any, read: Callable[[Any], Any]) -> Callable[[Any], bool]:
    match op:
        case "<":
            return lambda one: bool(read(one) < value)
        case "<=":
            return lambda one: bool(read(one) <= value)
        case ">":
            return lambda one: bool(read(one) > value)
        case ">=":
            return lambda one: bool(read(one) >= value)
        case _:
            return lambda one: bool(read(one) == value)


def _textual(op: str, value: str) -> Callable[[Any], bool]:
    if op == ":":
        return lambda one: value in str(one)
    if op in ("=", "!=") and (value.startswith("*") or value.endswith("*")):
        middle = value.strip("*")
        starts, ends = not value.startswith("*"), not value.endswith("*")

        def fits(one: Any) -> bool:
            text = str(one)
            if starts:
                return text.startswith(middle)
            return text.endswith(middle) if ends else middle in text

        return fits
    return _ordered(op, value, str)


def _found(manifest: Any, path: Sequence[str]) -> list[Any]:
    """Return the values at ``path``: each element's where there is a list on the way."""
    found = [manifest]
    for step in path:
        found = [
            one[step]
            for each in found
            for one in _each(each)
            if isinstance(one, Mapping) and step in one
        ]
    return [one for each in found for one in _each(each)]


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else (value,)
