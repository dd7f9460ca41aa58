"""The environment and the command line of a container, from what the API holds. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]
Reference = tuple[str, str]
"""("ConfigMap" or "Secret", name), in the pod's own namespace."""

PORT_VARIABLE = "GRPC_PORT"
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_KEYED = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")
_SOURCES = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
_WHOLE = (("configMapRef", "ConfigMap"), ("secretRef", "Secret"))


class VariableError(Exception):
    """A variable has no value: the message is that of CreateContainerConfigError."""


def references(container: Manifest) -> frozenset[Reference]:
    """Return the objects that the container's variables come from."""
    return frozenset(_references(container))


def environment(
    container: Manifest, pod: Manifest, objects: Mapping[Reference, Manifest], port: int
) -> dict[str, str]:
    """Return the container's variables; GRPC_PORT is ``port``, whatever the pod says.

    ``objects`` holds those of ``references`` that exist. VariableError if one is missing.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for field, kind in _WHOLE:
            if field in source:
                data = _data(objects, kind, source[field])
                found |= {source.get("prefix", "") + key: value for key, value in data.items()}
    found[PORT_VARIABLE] = str(port)
    for variable in container.get("env") or ():
        name = variable["name"]
        if name == PORT_VARIABLE:
            continue
        if "valueFrom" not in variable:
            found[name] = expand(variable.get("value") or "", found)
            continue
        value = _from(variable["valueFrom"], pod, objects)
        if value is not None:
            found[name] = value
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)``; ``$$`` stands for ``$``, an unknown name stays as it is."""

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$"
        return variables.get(found[1], found[0])

    return _REFERENCE.sub(value, text)


def command_line(
    container: Manifest, image_command: tuple[str, ...], variables: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the words to run: the container's command, else the image's, then its args."""
    words = container.get("command") or image_command
    args = container.get("args") or ()
    given = container.get("command") is not None
    head = [expand(word, variables) for word in words] if given else list(words)
    return (*head, *(expand(word, variables) for word in args))


def _references(container: Manifest) -> Iterator[Reference]:
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        for field, kind in _SOURCES:
            if field in source:
                yield kind, source[field].get("name", "")
    for source in container.get("envFrom") or ():
        for field, kind in _WHOLE:
            if field in source:
                yield kind, source[field].get("name", "")


def _from(source: Manifest, pod: Manifest, objects: Mapping[Reference, Manifest]) -> str | None:
    for field, kind in _SOURCES:
        if field in source:
            reference = source[field]
            data = _data(objects, kind, reference)
            value = data.get(reference["key"])
            if value is None and not reference.get("optional"):
                where = f"{pod['metadata'].get('namespace')}/{reference.get('name')}"
                raise VariableError(f"couldn't find key {reference['key']} in {kind} {where}")
            return value
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"].get("fieldPath", ""))
    raise VariableError(f"a variable from {', '.join(source)} is not known to the dev cluster")


def _data(objects: Mapping[Reference, Manifest], kind: str, reference: Manifest) -> dict[str, str]:
    name = reference.get("name", "")
    found = objects.get((kind, name))
    if found is None:
        if reference.get("optional"):
            return {}
        raise VariableError(f'{kind.lower()} "{name}" not found')
    if kind == "ConfigMap":
        return dict(found.get("data") or {})
    try:
        return {
            key: base64.b64decode(value).decode()
            for key, value in (found.get("data") or {}).items()
        }
    except (binascii.Error, UnicodeDecodeError):
        raise VariableError(f'secret "{name}" holds a value that is not text') from None


def _field(pod: Manifest, path: str) -> str:
    meta = pod["metadata"]
    if keyed := _KEYED.match(path):
        return str((meta.get(keyed[1]) or {}).get(keyed[2], ""))
    values = {
        "metadata.name": meta.get("name"),
        "metadata.namespace": meta.get("namespace"),
        "metadata.uid": meta.get("uid"),
        "spec.nodeName": (pod.get("spec") or {}).get("nodeName"),
        "spec.serviceAccountName": (pod.get("spec") or {}).get("serviceAccountName") or "default",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    if path not in values:
        raise VariableError(f"the field {path} is not known to the dev cluster")
    return str(values[path] or "")
