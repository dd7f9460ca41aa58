"""The Performers of the bench, and what an operator makes of one, as a plan for the bare client.

Pure. What is made is learnt from a sample, so that any operator can be measured.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    PERFORMERS,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Manifest,
    Resource,
)

from tests.bench.operator_rig.bare_client import NAME, UID, VERSION, Step

JSON = "application/json"
CHILD_KINDS: tuple[Resource, ...] = (
    REPLICA_SETS,
    SERVICES,
    PODS,
    CONFIG_MAPS,
    SERVICE_ACCOUNTS,
    Resource("apps", "v1", "deployments", "Deployment"),
    Resource("apps", "v1", "statefulsets", "StatefulSet"),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
)
"""Where the children of a Performer are looked for."""

_SET_BY_THE_SERVER = (
    *("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"),
    "namespace",
)
_SET_IN_A_SERVICE = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the operator made of one Performer: its children, and the first status it wrote."""

    performer: Manifest
    children: tuple[tuple[Resource, Manifest], ...]
    first_status: Mapping[str, Any]

    def counts(self) -> dict[str, int]:
        """Return how many children of each kind a Performer has, by plural."""
        found: dict[str, int] = {}
        for resource, _ in self.children:
            found[resource.plural] = found.get(resource.plural, 0) + 1
        return found


def performer(name: str, image: str = "registry.local/performer:1") -> dict[str, Any]:
    """Return a Performer that leaves everything to its default."""
    return {
        "apiVersion": PERFORMERS.api_version,
        "kind": PERFORMERS.kind,
        "metadata": {"name": name},
        "spec": {"avsAddress": "0x00000000000000000000000000000000000000ab", "image": image},
    }


def owner_of(child: Manifest) -> str:
    """Return the name of the Performer that owns the object, "" if none does."""
    for reference in child["metadata"].get("ownerReferences") or ():
        if reference.get("kind") == PERFORMERS.kind:
            return str(reference["name"])
    return ""


def is_ready(found: Manifest) -> bool:
    """Return whether a Performer says that its present spec is Ready.

    By its Ready condition, or by ``status.ready`` where an operator writes no conditions.
    """
    said = condition(found, "Ready")
    if said is None:
        return bool((found.get("status") or {}).get("ready"))
    generation = found["metadata"].get("generation")
    return said.get("status") == "True" and said.get("observedGeneration", generation) == generation


def load(namespace: str) -> list[Step]:
    """Return the step that creates a Performer."""
    path = PERFORMERS.path(namespace)
    return [Step("POST", path, JSON, json.dumps(performer(NAME)))]


def bare_steps(sample: Sample, namespace: str, *, only: Sequence[str] = ()) -> list[Step]:
    """Return the steps that make a Performer, its children (``only`` these), its first status."""
    steps = load(namespace)
    for resource, child in sample.children:
        if not only or resource.plural in only:
            body = _as_template(_as_sent(resource, child), sample, namespace)
            steps.append(Step("POST", resource.path(namespace), JSON, body))
    if sample.first_status:
        status = {
            **performer(NAME),
            "metadata": {"name": NAME, "resourceVersion": VERSION},
            "status": dict(sample.first_status),
        }
        path = PERFORMERS.path(namespace, NAME, "status")
        steps.append(Step("PUT", path, JSON, _as_template(status, sample, namespace)))
    return steps


def without_status(steps: Iterable[Step]) -> list[Step]:
    """Return the steps but for those that write a status."""
    return [step for step in steps if step.method != "PUT"]


def _as_sent(resource: Resource, child: Manifest) -> Manifest:
    meta = {k: v for k, v in child["metadata"].items() if k not in _SET_BY_THE_SERVER}
    found = {k: v for k, v in child.items() if k != "status"}
    if resource == SERVICES:
        spec = {k: v for k, v in child["spec"].items() if k not in _SET_IN_A_SERVICE}
        found["spec"] = spec
    return {"apiVersion": resource.api_version, "kind": resource.kind, **found, "metadata": meta}


def _as_template(body: Manifest, sample: Sample, namespace: str) -> str:
    meta = sample.performer["metadata"]
    text = json.dumps(body).replace(meta["uid"], UID).replace(meta["name"], NAME)
    return text.replace(meta["namespace"], namespace)
