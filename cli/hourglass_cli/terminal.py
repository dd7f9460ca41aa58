"""What a terminal gets and a file does not: colours, and lines that are written over."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TextIO


class Tone(Enum):
    """What a colour means; the word beside it means the same."""

    GOOD = "32"
    BAD = "31"
    WAITING = "33"
    QUIET = "2"
    STRONG = "1"
    PLAIN = ""


@dataclass(frozen=True, slots=True)
class Paint:
    """``colours`` says whether text is coloured, ``symbols`` whether it may be more than ASCII."""

    colours: bool = False
    symbols: bool = True

    def __call__(self, text: str, tone: Tone) -> str:
        if not self.colours or tone is Tone.PLAIN or not text:
            return text
        return f"\x1b[{tone.value}m{text}\x1b[0m"

    def symbol(self, text: str, plain: str) -> str:
        return text if self.symbols else plain


def paint_for(stream: TextIO, environ: Mapping[str, str], *, no_color: bool = False) -> Paint:
    """Return the paint for ``stream``: colours on a terminal only, unless NO_COLOR is set."""
    unwanted = no_color or bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
    return Paint(
        colours=is_terminal(stream) and not unwanted,
        symbols=(stream.encoding or "ascii").lower().replace("-", "").startswith("utf"),
    )


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@dataclass(slots=True)
class Progress:
    """Tells on ``stream`` what is waited for: one line written over on a terminal, else a line
    for each change."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _said: str = ""

    def say(self, text: str) -> None:
        if text == self._said:
            return
        self._said = text
        if is_terminal(self.stream):
            width = max(20, _size(self.stream)[0] - 1)
            self.stream.write(f"\r\x1b[2K{text[:width]}")
        else:
            self.stream.write(f"{text}\n")
        self.stream.flush()

    def end(self) -> None:
        """Leave the terminal's line empty for what comes next."""
        if self._said and is_terminal(self.stream):
            self.stream.write("\r\x1b[2K")
            self.stream.flush()
        self._said = ""


class Screen:
    """Shows a text that changes: in place on a terminal, else one block below the other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = 0
        self._shown = ""

    def show(self, text: str) -> None:
        """Show ``text`` instead of the one before; nothing happens where it is the same."""
        if text == self._shown:
            return
        fitting = text
        if is_terminal(self._stream):
            if self._lines:
                self._stream.write(f"\x1b[{self._lines}A\x1b[J")
            fitting, self._lines = _fitted(text, *_size(self._stream))
        elif self._shown:
            self._stream.write("\n")
        self._stream.write(fitting + "\n")
        self._stream.flush()
        self._shown = text


def _fitted(text: str, columns: int, rows: int) -> tuple[str, int]:
    """Return what fits on a screen, and how many of its rows that takes: what has scrolled out of
    it could not be written over."""
    lines = text.split("\n")
    heights = [1 + max(0, _width(line) - 1) // columns for line in lines]
    if sum(heights) < rows:
        return text, sum(heights)
    kept = 0
    while kept < len(lines) and sum(heights[: kept + 1]) < rows - 1:
        kept += 1
    more = f"... {len(lines) - kept} more lines: a larger terminal shows them"
    return "\n".join([*lines[:kept], more[:columns]]), sum(heights[:kept]) + 1


def _width(line: str) -> int:
    """Return how many columns a line takes, colours left aside."""
    return len(re.sub(r"\x1b\[[0-9;]*m", "", line))


def _size(stream: TextIO) -> tuple[int, int]:
    """Return columns and rows, the usual ones where nobody knows."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return found.columns or 80, found.lines or 24
