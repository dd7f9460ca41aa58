"""Values of the port as JSON has them: camelCase keys, what is empty left out. Pure."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any


def record(value: Any) -> Any:
    """Return dataclasses, enums and times as JSON values; None and "" are left out of records."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {_camel(each.name): record(getattr(value, each.name)) for each in fields(value)}
        return {key: each for key, each in found.items() if each not in ("", None)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): record(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [record(each) for each in value]
    return value


def _camel(name: str) -> str:
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)
