"""Expressions of CEL, put together from parts. Pure."""

import re
from collections.abc import Mapping

from hourglass_common.domain.names import literal

_HOLE = re.compile("\x00([^\x00]*)\x00")


def hole(expression: str) -> str:
    """Return a mark within a text in whose place the value of ``expression`` is told."""
    return f"\x00{expression}\x00"


def said(field: str, words: str) -> str:
    """Return the CEL text of a refusal, as PerformerControl words it."""
    return text_of(f"{field}: {words}")


def text_of(text: str) -> str:
    """Return a text with its holes as CEL."""
    pieces = _HOLE.split(text)
    found = [
        piece if index % 2 else literal(piece)
        for index, piece in enumerate(pieces)
        if piece or len(pieces) == 1
    ]
    return " + ".join(found)


def has(path: str) -> str:
    """Return the condition that all of ``path``, from ``object.spec.`` on, is there."""
    parts = path.split(".")
    return " && ".join(f"has({'.'.join(parts[: end + 1])})" for end in range(2, len(parts)))


def or_none(path: str) -> str:
    return f"({has(f'object.{path}')} ? object.{path} : [])"


def or_empty(path: str) -> str:
    return f"{has(f'object.{path}')} ? object.{path} : ''"


def list_of(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(literal, texts))}]"


def map_of(texts: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in texts.items())}}}"
