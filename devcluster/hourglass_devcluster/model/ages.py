"""Ages as Kubernetes prints them: ``42s``, ``5m3s``, ``3h``, ``12d``."""

from datetime import datetime
from typing import Any


def age_of(moment: Any, now: datetime) -> str:
    """Return how long ago an RFC 3339 time was; empty if it is none."""
    try:
        then = datetime.fromisoformat(moment)
        return duration((now - then).total_seconds())
    except (TypeError, ValueError):
        return ""


def duration(seconds: float) -> str:
    """Return a duration with two units at most, the fewer the longer it is."""
    if seconds < -1:
        return "<invalid>"
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"
