"""Checks and how they are shown: grouped, each failure with a hint and the command that mends it.
Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from hourglass_cli.terminal import Paint, Tone


class State(Enum):
    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what came of it, what to do, and the command that does it."""

    what: str
    state: State
    message: str = ""
    hint: str = ""
    command: str = ""


def passed(what: str, message: str = "") -> Check:
    return Check(what, State.PASSED, message)


def skipped(what: str, message: str, hint: str = "") -> Check:
    return Check(what, State.SKIPPED, message, hint)


def warning(what: str, message: str, hint: str = "", command: str = "") -> Check:
    return Check(what, State.WARNING, message, hint, command)


def failed(what: str, message: str, hint: str = "", command: str = "") -> Check:
    return Check(what, State.FAILED, message, hint, command)


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Result:
    categories: tuple[Category, ...] = field(default_factory=tuple)

    def count(self, state: State) -> int:
        return sum(each.state is state for group in self.categories for each in group.checks)

    @property
    def ok(self) -> bool:
        """Whether nothing failed; a warning is no failure."""
        return not self.count(State.FAILED)


_MARKS = {
    State.PASSED: ("√", "ok", Tone.GOOD),
    State.WARNING: ("‼", "!!", Tone.WAITING),
    State.FAILED: ("×", "xx", Tone.BAD),
    State.SKIPPED: ("-", "--", Tone.QUIET),
}


def as_text(result: Result, paint: Paint) -> str:
    """Return the categories one below the other, and a last line that sums them up."""
    parts = [_category(each, paint) for each in result.categories]
    words = "Everything checked is well." if result.ok else "Something is wrong."
    counts = ", ".join(
        f"{result.count(state)} {state.value}" for state in State if result.count(state)
    )
    tone = Tone.GOOD if result.ok else Tone.BAD
    return "\n\n".join([*parts, f"{paint(words, tone)} ({counts})"])


def _category(category: Category, paint: Paint) -> str:
    lines = [paint(category.name, Tone.STRONG), "-" * len(category.name)]
    for each in category.checks:
        lines += _check(each, paint)
    return "\n".join(lines)


def _check(check: Check, paint: Paint) -> Sequence[str]:
    symbol, plain, tone = _MARKS[check.state]
    mark = paint(paint.symbol(symbol, plain), tone)
    quiet = check.state in (State.PASSED, State.SKIPPED)
    lines = [f"{mark} {check.what}{f' ({check.message})' if check.message and quiet else ''}"]
    lines += [] if quiet or not check.message else [f"    {check.message}"]
    lines += [f"    hint: {check.hint}"] if check.hint else []
    lines += [f"    try:  {check.command}"] if check.command else []
    return lines
