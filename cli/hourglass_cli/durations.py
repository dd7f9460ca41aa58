"""Times on the command line: 60s, 2m, 1h30m, 500ms, or a number of seconds."""

import re

import typer

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str | float) -> float:
    """Return the seconds that ``text`` means; BadParameter says how to write it."""
    written = str(text).strip()
    parts = _PART.findall(written)
    if parts and "".join(number + unit for number, unit in parts) == written:
        found = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        try:
            found = float(written)
        except ValueError:
            found = -1.0
    if not 0 < found < 1e7:
        raise typer.BadParameter(f"{written!r} is not a time: write it as in 60s, 2m or 1h30m")
    return found


def shown(amount: float) -> str:
    """Return seconds as a person would write them: 0.5s, 10s, 2m, 1h."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "m")):
        if amount < limit:
            return f"{amount / unit:g}{name}"
    return f"{amount / 3600:g}h"
