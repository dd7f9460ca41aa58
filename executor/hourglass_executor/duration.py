"""Times in the configuration: a number of seconds, or text such as "500ms", "30s", "5m", "1h"."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: Any) -> float:
    """Return the seconds that ``value`` means; ValueError says how to write it."""
    if isinstance(value, bool):
        raise ValueError('write a duration such as "30s"')
    if isinstance(value, int | float):
        found = float(value)
    else:
        text = str(value).strip()
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError('write a duration such as "30s" or "5m", or a number of seconds')
        found = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if found <= 0:
        raise ValueError("a duration is more than 0 seconds")
    return found


def reference_seconds(value: Any) -> float:
    """As ``seconds``, where a bare number is Go's nanoseconds, as the reference reads it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return seconds(value / 1e9)
    return seconds(value)


Duration = Annotated[float, BeforeValidator(seconds)]
ReferenceDuration = Annotated[float, BeforeValidator(reference_seconds)]
