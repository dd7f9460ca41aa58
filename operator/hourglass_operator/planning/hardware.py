"""Hardware as Kubernetes asks for it: extended resources, node labels, affinity. Pure.

GPUs are resources of NVIDIA's device plugin; SGX enclaves are resources of Intel's; SEV and TDX
are found by the labels that Node Feature Discovery puts on nodes.
"""

from typing import Any

from hourglass_common.domain.performer import PerformerSpec
from hourglass_common.domain.performer_pod import HardwareRequirements
from hourglass_common.domain.resource_rules import SGX_RESOURCE
from hourglass_common.domain.schema import to_json

TEE_LABELS = {
    "sgx": "feature.node.kubernetes.io/cpu-security.sgx.enabled",
    "sev": "feature.node.kubernetes.io/cpu-security.sev.enabled",
    "tdx": "feature.node.kubernetes.io/cpu-security.tdx.enabled",
}


def resources(spec: PerformerSpec) -> dict[str, Any]:
    """Return requests and limits, with those of the hardware beside them."""
    found = to_json(spec.resources)
    extended = _extended(spec.hardware_requirements)
    for kind in ("requests", "limits") if extended else ():
        found[kind] = {**found.get(kind, {}), **extended}
    return found


def _extended(hardware: HardwareRequirements) -> dict[str, str]:
    found: dict[str, str] = {}
    if hardware.gpu_count > 0:
        found[f"nvidia.com/{hardware.gpu_type or 'gpu'}"] = str(hardware.gpu_count)
    if hardware.tee_required and hardware.tee_type == "sgx":
        found[SGX_RESOURCE] = "1"
    return found


def tee_node_labels(hardware: HardwareRequirements) -> dict[str, str]:
    """Return the labels of a node with the required TEE; that of SGX shows as a resource."""
    label = TEE_LABELS.get(hardware.tee_type)
    if not hardware.tee_required or label is None or hardware.tee_type == "sgx":
        return {}
    return {label: "true"}


def affinity(spec: PerformerSpec) -> dict[str, Any]:
    """Return the spec's affinity; a TEE that is named and not required is preferred."""
    found = dict(spec.scheduling.affinity or {})
    hardware = spec.hardware_requirements
    label = TEE_LABELS.get(hardware.tee_type)
    if hardware.tee_required or label is None:
        return found
    match = {"key": label, "operator": "In", "values": ["true"]}
    term = {"weight": 100, "preference": {"matchExpressions": [match]}}
    node = dict(found.get("nodeAffinity") or {})
    key = "preferredDuringSchedulingIgnoredDuringExecution"
    node[key] = [*(node.get(key) or ()), term]
    return {**found, "nodeAffinity": node}
