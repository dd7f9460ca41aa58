"""The objects in YAML and JSON files, read as kubectl reads them."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file: ``place`` is its number, or that of its list and its place in it."""

    file: str
    place: str
    content: Any


class UnreadableError(Exception):
    """Text that is no YAML; ``str`` says where and why."""


class _Loader(yaml.SafeLoader):
    """Dates stay text, keys are text, and a key given twice is an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as in the class above
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _text(self.construct_object(key_node, deep=True))
            if key in found:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            found[key] = self.construct_object(value_node, deep=deep)
        return found


def _text(key: Any) -> Any:
    match key:
        case bool():
            return "true" if key else "false"
        case int() | float():
            return str(key)
        case _:
            return key


def documents(file: Path) -> Iterator[Document]:
    """Yield the objects of a file (``-`` is stdin), those of lists one by one.

    UnreadableError after the readable ones; OSError if there is no such file.
    """
    name = "stdin" if file == STDIN else str(file)
    try:
        text = sys.stdin.read() if file == STDIN else file.read_text(encoding="utf-8")
        for number, content in enumerate(yaml.load_all(text, _Loader), start=1):
            if content is not None:
                yield from _of_lists(name, str(number), content)
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise UnreadableError(" ".join(str(exc).split())) from exc


def _of_lists(file: str, place: str, content: Any) -> Iterator[Document]:
    is_list = isinstance(content, Mapping) and str(content.get("kind", "")).endswith("List")
    items = content.get("items") if is_list else None
    if not isinstance(items, list):
        yield Document(file, place, content)
        return
    for index, item in enumerate(items):
        yield from _of_lists(file, f"{place}[{index}]", item)
