"""What the API serves, as clients discover it: the aggregated form and the older one."""

from collections.abc import Iterable, Sequence
from typing import Any

from .kinds import Kind

# The API whose behaviour is followed; clients decide by it what they may ask for.
KUBERNETES_VERSION = "v1.36.3"

_SUBRESOURCE_VERBS = {
    "status": ("get", "patch", "update"),
    "scale": ("get", "patch", "update"),
    "log": ("get",),
    "eviction": ("create",),
}
_SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
}


def version() -> dict[str, str]:
    """Return what ``/version`` says."""
    _, minor, _ = KUBERNETES_VERSION.split(".")
    return {
        "major": "1",
        "minor": minor,
        "gitVersion": f"{KUBERNETES_VERSION}+hourglass-dev",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    }


def aggregated(kinds: Iterable[Kind], *, core: bool, form: str = "v2") -> dict[str, Any]:
    """Return the APIGroupDiscoveryList of ``/api`` (core) or ``/apis``."""
    groups: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds:
        if (kind.group == "") == core:
            groups.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{form}",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group, "creationTimestamp": None}
                if group
                else {"creationTimestamp": None},
                "versions": [
                    {
                        "version": name,
                        "freshness": "Current",
                        "resources": [_aggregated_resource(kind) for kind in served],
                    }
                    for name, served in versions.items()
                ],
            }
            for group, versions in groups.items()
        ],
    }


def _aggregated_resource(kind: Kind) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    subresources = [
        {
            "subresource": name,
            "responseKind": dict(
                zip(("group", "version", "kind"), _subresource_kind(kind, name), strict=True)
            ),
            "verbs": list(_SUBRESOURCE_VERBS[name]),
        }
        for name in _subresources(kind)
    ]
    if subresources:
        resource["subresources"] = subresources
    return resource


def core_versions() -> dict[str, Any]:
    """Return what ``/api`` says in the older form."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(kinds: Iterable[Kind]) -> dict[str, Any]:
    """Return what ``/apis`` says in the older form."""
    pairs = dict.fromkeys((kind.group, kind.version) for kind in kinds if kind.group)
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, version_) for name, version_ in pairs],
    }


def group(kinds: Iterable[Kind], name: str) -> dict[str, Any] | None:
    """Return what ``/apis/<name>`` says, None if the group is not served."""
    for kind in kinds:
        if kind.group == name and name:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, kind.version)}
    return None


def _group(name: str, version_: str) -> dict[str, Any]:
    named = {"groupVersion": f"{name}/{version_}", "version": version_}
    return {"name": name, "versions": [named], "preferredVersion": named}


def resource_list(kinds: Sequence[Kind], api_version: str) -> dict[str, Any] | None:
    """Return the APIResourceList of a group and version, None if it is not served."""
    served = [kind for kind in kinds if kind.api_version == api_version]
    if not served:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": [entry for kind in served for entry in _entries(kind)],
    }


def _entries(kind: Kind) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    entries = [entry]
    for name in _subresources(kind):
        in_group, in_version, named = _subresource_kind(kind, name)
        below: dict[str, Any] = {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": named,
            "verbs": list(_SUBRESOURCE_VERBS[name]),
        }
        if (in_group, in_version) != (kind.group, kind.version):
            below |= {"group": in_group, "version": in_version}
        entries.append(below)
    return entries


def _subresources(kind: Kind) -> list[str]:
    return [name for name in _SUBRESOURCE_VERBS if kind.serves(name)]


def _subresource_kind(kind: Kind, subresource: str) -> tuple[str, str, str]:
    return _SUBRESOURCE_KINDS.get(subresource, (kind.group, kind.version, kind.kind))
