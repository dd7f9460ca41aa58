"""The part of JSONPath that printer columns use: fields, indices, ``[*]`` and simple filters."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\\])+)
    |\['(?P<quoted>[^']*)'\]
    |\[(?P<index>-?\d+)\]
    |\[(?P<all>\*)\]
    |\[\?\(@(?P<path>[^=!<>]*)(?P<verb>==|!=)(?P<value>"[^"]*"|'[^']*'|[^)]*)\)\]""",
    re.VERBOSE,
)


def find(path: str, value: Any) -> list[Any]:
    """Return all that ``path`` (such as ``.status.conditions[?(@.type=="Ready")].status``) names.

    Empty where there is nothing, or where the path is not of the part that is known.
    """
    found = [value]
    for step in _steps(path):
        found = [each for one in found for each in _walk(step, one)]
    return found


@lru_cache(maxsize=256)
def _steps(path: str) -> tuple[dict[str, Any], ...]:
    steps = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            return ({"field": ""},)
        steps.append({key: text for key, text in match.groupdict().items() if text is not None})
        position = match.end()
    return tuple(steps)


def _walk(step: Mapping[str, str], value: Any) -> Iterator[Any]:
    match step:
        case {"field": name} | {"quoted": name}:
            name = name.replace("\\", "")
            if isinstance(value, Mapping) and name in value:
                yield value[name]
        case {"index": text}:
            index = int(text)
            if isinstance(value, list) and -len(value) <= index < len(value):
                yield value[index]
        case {"all": _}:
            yield from value.values() if isinstance(value, Mapping) else _items(value)
        case {"path": path, "verb": verb, "value": text}:
            wanted = text.strip().strip("\"'")
            for item in _items(value):
                has = [str(each) for each in find(path.strip(), item)]
                if (wanted in has) is (verb == "=="):
                    yield item
        case _:
            return


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
