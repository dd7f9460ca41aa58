"""Write docs/reference/performer.md from the CRD; with --check, fail where it differs."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hourglass_common.domain.performer_crd import performer_crd

TARGET = Path(__file__).resolve().parent.parent / "docs/reference/performer.md"
HEAD = """\
# Performer

<!-- Generated from the Python types by `make crd`; do not edit. -->

`apiVersion: hourglass.eigenlayer.io/v1alpha1`, `kind: Performer`, namespaced, short name `perf`.
`kubectl explain performer.spec` shows the same fields; `hourglass performer lint FILE` checks a
manifest by the same rules. Where no default is given, an unset field means nothing, or what its
text says. A rule that is broken is told in the words below, with the field.
"""
_AS_IN_KUBERNETES = (
    "spec.scheduling.affinity",
    "spec.network.ingressFrom[]",
    "spec.network.egress[]",
)
"""Types of Kubernetes' own: described there, only their rules are told here."""

Schema = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    wanted = reference()
    if parser.parse_args().check:
        if not TARGET.exists() or TARGET.read_text() != wanted:
            sys.exit(f"{TARGET.name} does not match the Python types: run `make crd`")
        return
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(wanted)


def reference() -> str:
    """Return the whole page."""
    (version,) = performer_crd()["spec"]["versions"]
    root = version["schema"]["openAPIV3Schema"]
    lines = [HEAD, *(line.replace("`.", "`") for line in _own_rules(root, "")), ""]
    for name in ("spec", "status"):
        lines += _sections(root["properties"][name], name)
    return "\n".join(lines).rstrip() + "\n"


def _sections(schema: Schema, path: str) -> Iterator[str]:
    """Yield the lines about an object, then those about the objects in it."""
    yield from (f"## {path}", "", schema["description"], "")
    yield from ("| Field | Type | Default | Bounds | |", "| --- | --- | --- | --- | --- |")
    for name, field in schema["properties"].items():
        is_required = name in (schema.get("required") or ())
        default = "required" if is_required else _shown(field.get("default"))
        cells = (f"`{name}`", _type(field), default, _bounds(field), field["description"])
        yield f"| {' | '.join(cells)} |"
    yield ""
    rules = list(dict.fromkeys(_rules(schema, path)))
    yield from ("Rules:", "", *rules, "") if rules else ()
    for name, field in schema["properties"].items():
        below, where = _object(field, f"{path}.{name}")
        if below is not None:
            yield from _sections({**below, "description": field["description"]}, where)


def _object(field: Schema, path: str) -> tuple[Schema | None, str]:
    """Return the object that a field is or lists, if it has a section, and its path."""
    below, where = (field["items"], f"{path}[]") if "items" in field else (field, path)
    return (below if "properties" in below and where not in _AS_IN_KUBERNETES else None), where


def _rules(schema: Schema, path: str) -> Iterator[str]:
    """Yield the rules of an object, and of its fields that have no section of their own."""
    yield from _own_rules(schema, path)
    for name, field in schema["properties"].items():
        if _object(field, f"{path}.{name}")[0] is None:
            yield from _all_rules(field, f"{path}.{name}")
        elif "items" in field:
            yield from _own_rules(field, f"{path}.{name}")


def _all_rules(schema: Schema, path: str) -> Iterator[str]:
    """Yield the rules of a field and of all within it."""
    yield from _own_rules(schema, path)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from _all_rules(schema[key], path)
    for field in (schema.get("properties") or {}).values():
        yield from _all_rules(field, path)


def _own_rules(schema: Schema, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations") or ():
        yield f"- `{path}{rule.get('fieldPath', '')}`: {rule['message']}"


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value)
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if schema.get("x-kubernetes-int-or-string"):
        return "number or text"
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        return f"map to {_type(values)}"
    if schema.get("format") == "date-time":
        return "time"
    kind = str(schema["type"])
    return {"integer": "number", "boolean": "true or false"}.get(kind, kind)


def _bounds(schema: Schema) -> str:
    found: list[str] = []
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        found.append(f"{least} to {most}")
    elif least is not None:
        found.append(f"at least {least}")
    units = (("maxLength", "characters"), ("maxItems", "items"), ("maxProperties", "keys"))
    found += [f"at most {schema[key]} {unit}" for key, unit in units if key in schema]
    return ", ".join(found)


def _shown(default: Any) -> str:
    return "" if default is None else f"`{default}`"


if __name__ == "__main__":
    main()
