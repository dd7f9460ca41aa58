"""Names and labels of what a Performer owns, and the hash that names a revision. Pure."""

import hashlib
import json
import re

from hourglass_common.domain.drain_report import PERFORMER_LABEL as PERFORMER_LABEL
from hourglass_common.domain.performer import GROUP, Performer, PerformerSpec
from hourglass_common.domain.schema import to_json

APP_LABEL = "app"
APP = "hourglass-performer"
AVS_LABEL = f"{GROUP}/avs"
REVISION_LABEL = f"{GROUP}/revision"
SERVING_LABEL = f"{GROUP}/serving"
ROLE_LABEL = f"{GROUP}/role"
SERVING = "true"
OUT_OF_SERVICE = "false"
FENCED = "fenced"
"""The value that the Service of a fenced performer asks for, and no pod has."""

_HASH_VERSION = "v1"
_NOT_IN_POD = (
    "avsAddress",
    "replicas",
    "strategy",
    "rollout",
    "suspend",
    "fence",
    "network",
)
"""Parts of the spec that do not shape the pod; the address is in its labels, which may lag, and
the drain time in its grace period, which holds for pods made from then on."""
_MAX_NAME = 63


def revision_of(spec: PerformerSpec) -> str:
    """Return the revision of a spec: a hash of all that shapes the pod.

    Fields equal to their default are left out, so that a new field or a written-out default
    changes nothing; the version prefix is part of what is hashed. Pinned by golden tests: a
    change here restarts every performer of every user.
    """
    shaping = {key: value for key, value in to_json(spec).items() if key not in _NOT_IN_POD}
    text = json.dumps([_HASH_VERSION, shaping], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:9]


def replica_set_name(performer: str, revision: str) -> str:
    return f"{performer}-{revision}"


def service_name(performer: str) -> str:
    return f"performer-{performer}"


def staged_service_name(performer: str) -> str:
    """Return the name of the staged revision's Service, cut and hashed where it would be long."""
    name = f"{service_name(performer)}-staged"
    if len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _MAX_NAME - 9].rstrip('-')}-{digest}"


def performer_of_service(service: str) -> str:
    """Return the performer whose Service would have this name, "" if none would."""
    prefix = service_name("")
    return service.removeprefix(prefix) if service.startswith(prefix) else ""


def grpc_endpoint(performer: Performer) -> str:
    """Return the DNS name and port under which the cluster finds the performer."""
    host = f"{service_name(performer.name)}.{performer.namespace}.svc.cluster.local"
    return f"{host}:{performer.spec.config.grpc_port}"


def label_value(text: str) -> str:
    """Return ``text`` as a label value: the reference's rule, made safe for any input."""
    lowered = text.lower().replace("_", "-")
    return re.sub(r"[^a-z0-9.-]", "-", lowered)[:63].strip("-.")


def selector(performer: Performer) -> dict[str, str]:
    """Return the labels that select every pod of the performer."""
    return {APP_LABEL: APP, PERFORMER_LABEL: performer.name}


def owned_labels(performer: Performer) -> dict[str, str]:
    """Return the labels of every object that the performer owns."""
    found = {
        **selector(performer),
        AVS_LABEL: label_value(performer.spec.avs_address),
        "app.kubernetes.io/name": "performer",
        "app.kubernetes.io/instance": performer.name,
        "app.kubernetes.io/component": "performer",
        "app.kubernetes.io/part-of": "hourglass",
        "app.kubernetes.io/managed-by": "hourglass-operator",
    }
    version = label_value(performer.spec.version)
    return found | ({"app.kubernetes.io/version": version} if version else {})
