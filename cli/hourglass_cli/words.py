"""What may follow on a command line, from the commands' own tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# The part of a shell's completion that is no shell's; typer exports it as little as click does.
from typer._click.shell_completion import (
    _resolve_context,  # pyright: ignore[reportPrivateUsage]
    _resolve_incomplete,  # pyright: ignore[reportPrivateUsage]
)


@dataclass(frozen=True, slots=True)
class Found:
    """Each word with what it is about; ``files`` says that names of files fit instead."""

    words: tuple[tuple[str, str], ...]
    files: bool = False


def completions(root: Any, program: str, words: Sequence[str], host: Any) -> Found:
    """Return what the last of ``words`` may become; the ones before it stand."""
    before = list(words[:-1])
    context = _resolve_context(root, {"obj": host}, program, before)
    asked, incomplete = _resolve_incomplete(context, before, words[-1])
    kind: Any = getattr(asked, "type_descriptor", None)
    if kind is not None and (kind.is_path or "Path" in str(kind.annotation)):
        return Found((), files=True)
    found = asked.shell_complete(context, incomplete)
    return Found(tuple((str(item.value), " ".join((item.help or "").split())) for item in found))
