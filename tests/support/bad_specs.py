"""Specs that no pod, Service or policy can come of, each with the field and the words of its
refusal: the same from the API, from PerformerControl and from ``hourglass performer lint``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPEC: dict[str, Any] = {"avsAddress": "0xAb", "image": "demo:1"}
_TOO_LONG = "n" * 54
_LABELS = "letters, digits, '-', '_' and '.', with a letter or digit at both ends"
_OBJECT = (
    "lower case letters, digits, '-' and '.', with a letter or digit at both ends of each part"
)
_STRICT = (
    "huge pages and extended resources can not be overcommitted: set the same number in limits, "
    "or set it in limits alone"
)
_GPUS = (
    "GPUs are requested by hardwareRequirements.gpuCount: leave them out here, or give the same "
    "number"
)


@dataclass(frozen=True)
class BadSpec:
    """``text`` is part of what is said of ``field``."""

    field: str
    text: str
    spec: Mapping[str, Any] | None = None
    name: str = "demo"

    def manifest(self) -> dict[str, Any]:
        return {
            "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
            "kind": "Performer",
            "metadata": {"name": self.name},
            "spec": {**SPEC, **(self.spec or {})},
        }


def resources(**given: Any) -> dict[str, Any]:
    return {"resources": given}


def config(**given: Any) -> dict[str, Any]:
    return {"config": given}


def scheduling(**given: Any) -> dict[str, Any]:
    return {"scheduling": given}


def hardware(**given: Any) -> dict[str, Any]:
    return {"hardwareRequirements": given}


def toleration(**given: Any) -> dict[str, Any]:
    return scheduling(tolerations=[given])


def referred(name: str = "KEY", secret: str = "s", key: str = "k") -> dict[str, Any]:
    source = {"secretKeyRef": {"name": secret, "key": key}}
    return config(environmentFrom=[{"name": name, "valueFrom": source}])


def node_affinity(**requirement: Any) -> dict[str, Any]:
    terms = [{"matchExpressions": [requirement]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return scheduling(affinity={"nodeAffinity": required})


def pod_affinity(**term: Any) -> dict[str, Any]:
    return scheduling(
        affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    )


def blue_green(**given: Any) -> dict[str, Any]:
    return {"strategy": {"type": "BlueGreen", "blueGreen": given}}


def decision(**given: Any) -> dict[str, Any]:
    return {"rollout": {"decision": {"decidedForHash": "abc", **given}}}


def egress(**given: Any) -> dict[str, Any]:
    return {"network": {"egress": [given]}}


def ingress(**peer: Any) -> dict[str, Any]:
    return {"network": {"ingressFrom": [peer]}}


_AFFINITY = "spec.scheduling.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_APART = "spec.scheduling.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_CONDITION = f"{_AFFINITY}.nodeSelectorTerms[0].matchExpressions[0]"

BAD_SPECS: tuple[BadSpec, ...] = (
    BadSpec("metadata.name", "performer names are DNS labels of at most 53", name=_TOO_LONG),
    BadSpec("metadata.name", "performer names are DNS labels of at most 53", name="a.b"),
    BadSpec("spec.avsAddress", "avsAddress must not be empty", {"avsAddress": ""}),
    BadSpec("spec.avsAddress", "avsAddress must not be empty", {"avsAddress": "0x 1"}),
    BadSpec("spec.image", "image must be a reference such as", {"image": ""}),
    BadSpec("spec.image", "image must be a reference such as", {"image": "demo performer"}),
    BadSpec("spec.image", "image must be a reference such as", {"image": "Demo:1"}),
    BadSpec("spec.image", "image must be a reference such as", {"image": "demo:"}),
    BadSpec("spec.image", "image must be a reference such as", {"image": "demo@sha256:12"}),
    BadSpec("spec.image", "image must be a reference such as", {"image": "a" * 64}),
    BadSpec("spec.image", "image must be a reference such as", {"image": "r.io/" + "b" * 251}),
    BadSpec("spec.imagePullPolicy", "supported values", {"imagePullPolicy": "Sometimes"}),
    BadSpec("spec.replicas", "greater than or equal to 0", {"replicas": -1}),
    BadSpec("spec.replicas", "must be of type integer", {"replicas": "two"}),
    BadSpec("spec.config.grpcPort", "greater than or equal to 1", config(grpcPort=0)),
    BadSpec("spec.config.grpcPort", "less than or equal to 65535", config(grpcPort=65536)),
    BadSpec(
        "spec.config.environment",
        "1A: names of environment variables",
        config(environment={"1A": "x"}),
    ),
    BadSpec(
        "spec.config.environment",
        "..: names of environment variables",
        config(environment={"..": "x"}),
    ),
    BadSpec(
        "spec.config.environmentFrom[0].name",
        "names of environment variables",
        referred(name="A=B"),
    ),
    BadSpec(
        "spec.config.environmentFrom[0].valueFrom",
        "exactly one of secretKeyRef and configMapKeyRef",
        config(environmentFrom=[{"name": "KEY", "valueFrom": {}}]),
    ),
    BadSpec(
        "spec.config.environmentFrom[0].valueFrom.secretKeyRef.name",
        f"the name of a Secret or ConfigMap must be {_OBJECT}",
        referred(secret="My_Secret"),
    ),
    BadSpec(
        "spec.config.environmentFrom[0].valueFrom.secretKeyRef.key",
        "a key of a Secret or ConfigMap must be letters, digits",
        referred(key="api key"),
    ),
    BadSpec(
        "spec.config.environmentFrom[0].valueFrom.secretKeyRef.key",
        "nothing that starts with '..'",
        referred(key="..k"),
    ),
    BadSpec(
        "spec.config.serviceAccountName",
        f"the name of a ServiceAccount must be {_OBJECT}",
        config(serviceAccountName="Signer"),
    ),
    BadSpec(
        "spec.imagePullSecrets[0].name",
        f"the name of a Secret must be {_OBJECT}",
        {"imagePullSecrets": [{"name": "my secret"}]},
    ),
    BadSpec(
        "spec.resources.requests",
        "cpu: the request must not exceed the limit",
        resources(requests={"cpu": "2"}, limits={"cpu": "1500m"}),
    ),
    BadSpec(
        "spec.resources.requests",
        "memory: the request must not exceed the limit",
        resources(requests={"memory": "1Gi"}, limits={"memory": 1_000_000}),
    ),
    BadSpec(
        "spec.resources.requests",
        f"example.com/fpga: {_STRICT}",
        resources(requests={"example.com/fpga": 1}, limits={"example.com/fpga": "2"}),
    ),
    BadSpec(
        "spec.resources.requests",
        f"example.com/fpga: {_STRICT}",
        resources(requests={"example.com/fpga": 1}),
    ),
    BadSpec(
        "spec.resources.limits",
        "example.com/fpga: must be a whole number",
        resources(limits={"example.com/fpga": "500m"}),
    ),
    BadSpec(
        "spec.resources.limits",
        "hugepages-2Mi: must be a multiple of the size of the pages",
        resources(limits={"hugepages-2Mi": "3Mi", "memory": "1Gi"}),
    ),
    BadSpec(
        "spec.resources",
        "huge pages need cpu or memory beside them",
        resources(limits={"hugepages-2Mi": "4Mi"}),
    ),
    BadSpec(
        "spec.resources.limits", "gpu: resources are cpu, memory", resources(limits={"gpu": 1})
    ),
    BadSpec(
        "spec.resources.limits",
        "nvidia.com/: resources are cpu, memory",
        resources(limits={"nvidia.com/": 1}),
    ),
    BadSpec(
        "spec.resources.limits[cpu]",
        "must be a quantity of at least 0",
        resources(limits={"cpu": "much"}),
    ),
    BadSpec(
        "spec.resources.limits[memory]",
        "must be a quantity of at least 0",
        resources(limits={"memory": "-1Gi"}),
    ),
    BadSpec(
        "spec.resources.requests[cpu]",
        "must be a quantity of at least 0",
        resources(requests={"cpu": "-1"}),
    ),
    BadSpec(
        "spec.resources.claims",
        "a performer has no resourceClaims",
        resources(claims=[{"name": "gpu"}]),
    ),
    BadSpec(
        "spec.scheduling.nodeSelector",
        "disk type: keys of labels",
        scheduling(nodeSelector={"disk type": "ssd"}),
    ),
    BadSpec(
        "spec.scheduling.nodeSelector",
        "disk: values of labels",
        scheduling(nodeSelector={"disk": "-ssd"}),
    ),
    BadSpec(
        "spec.scheduling.nodeSelector",
        "keys of labels",
        scheduling(nodeSelector={"Example.com/disk": "ssd"}),
    ),
    BadSpec(
        "spec.scheduling.runtimeClass",
        f"the name of a RuntimeClass must be {_OBJECT}",
        scheduling(runtimeClass="gVisor"),
    ),
    BadSpec(
        "spec.scheduling.priorityClassName",
        f"the name of a PriorityClass must be {_OBJECT}",
        scheduling(priorityClassName="very high"),
    ),
    BadSpec(
        "spec.scheduling.tolerations[0]",
        "operator Exists takes no value",
        toleration(key="k", operator="Exists", value="v"),
    ),
    BadSpec(
        "spec.scheduling.tolerations[0]",
        "without a key matches every taint and needs operator Exists",
        toleration(value="v"),
    ),
    BadSpec(
        "spec.scheduling.tolerations[0]",
        "tolerationSeconds goes with effect NoExecute only",
        toleration(key="k", operator="Exists", tolerationSeconds=60),
    ),
    BadSpec(
        "spec.scheduling.tolerations[0].operator",
        "supported values",
        toleration(key="k", operator="Gt", value="1"),
    ),
    BadSpec(
        "spec.scheduling.tolerations[0].value",
        f"a taint value must be at most 63 {_LABELS}",
        toleration(key="k", value="a b"),
    ),
    BadSpec("spec.scheduling.tolerations[0].key", "a taint key", toleration(key="k/", value="a")),
    BadSpec(
        f"{_AFFINITY}.nodeSelectorTerms",
        "should have at least 1 items",
        scheduling(
            affinity={
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}
                }
            }
        ),
    ),
    BadSpec(
        _CONDITION,
        "operators In and NotIn need values",
        node_affinity(key="zone", operator="In"),
    ),
    BadSpec(
        _CONDITION,
        "operators Gt and Lt need one value, a whole number",
        node_affinity(key="cores", operator="Gt", values=["four"]),
    ),
    BadSpec(f"{_CONDITION}.operator", "supported values", node_affinity(key="a", operator="Is")),
    BadSpec(f"{_CONDITION}.key", "a label", node_affinity(key="a b", operator="Exists")),
    BadSpec(f"{_APART}[0].topologyKey", "Required value", pod_affinity()),
    BadSpec(
        f"{_APART}[0].labelSelector.matchLabels",
        "app: values of labels",
        pod_affinity(topologyKey="zone", labelSelector={"matchLabels": {"app": "a b"}}),
    ),
    BadSpec(
        "spec.hardwareRequirements",
        "teeRequired needs a teeType of sgx, sev or tdx",
        hardware(teeRequired=True),
    ),
    BadSpec(
        "spec.hardwareRequirements",
        "teeRequired needs a teeType of sgx, sev or tdx",
        hardware(teeRequired=True, teeType="nitro"),
    ),
    BadSpec(
        "spec.hardwareRequirements",
        "gpuType needs a gpuCount of at least 1",
        hardware(gpuType="a100"),
    ),
    BadSpec(
        "spec.hardwareRequirements.gpuType",
        "the part of a resource name after nvidia.com/",
        hardware(gpuType="a100/80", gpuCount=1),
    ),
    BadSpec(
        "spec.hardwareRequirements.customLabels",
        "values of labels",
        hardware(customLabels={"pool": "a b"}),
    ),
    BadSpec(
        "spec.hardwareRequirements.customLabels",
        "no node has two values for one label",
        scheduling(nodeSelector={"pool": "a"}) | hardware(customLabels={"pool": "b"}),
    ),
    BadSpec(
        "spec.scheduling.nodeSelector",
        "teeRequired asks for nodes with the label of the TEE set to true",
        scheduling(nodeSelector={"feature.node.kubernetes.io/cpu-security.sev.enabled": "false"})
        | hardware(teeRequired=True, teeType="sev"),
    ),
    BadSpec(
        "spec.resources.limits",
        _GPUS,
        resources(limits={"nvidia.com/gpu": 2}) | hardware(gpuCount=1),
    ),
    BadSpec(
        "spec.resources.limits",
        "teeType sgx requests one sgx.intel.com/enclave",
        resources(limits={"sgx.intel.com/enclave": "2"})
        | hardware(teeRequired=True, teeType="sgx"),
    ),
    BadSpec(
        "spec.strategy",
        "blueGreen goes with type BlueGreen only",
        {"strategy": {"blueGreen": {"autoPromoteAfterSeconds": 0}}},
    ),
    BadSpec(
        "spec.strategy",
        "rollingUpdate goes with type RollingUpdate only",
        {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
    ),
    BadSpec(
        "spec.strategy.rollingUpdate",
        "maxSurge and maxUnavailable can not both be 0",
        {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
    ),
    BadSpec(
        "spec.strategy.blueGreen",
        "autoPromoteAfterSeconds must be less than abortAfterSeconds",
        blue_green(autoPromoteAfterSeconds=60, abortAfterSeconds=60),
    ),
    BadSpec(
        "spec.strategy.blueGreen.gate.smokeTask",
        "must be pairs of hexadecimal digits",
        blue_green(gate={"smokeTask": {"payload": "0x123", "encoding": "Hex"}}),
    ),
    BadSpec(
        "spec.strategy.blueGreen.gate.smokeTask",
        "must be base64 with padding",
        blue_green(gate={"smokeTask": {"payload": "abc", "encoding": "Base64"}}),
    ),
    BadSpec(
        "spec.rollout.decision",
        "Promote and Abort are about the revision that the spec asks for",
        decision(action="Promote", revision="def"),
    ),
    BadSpec(
        "spec.rollout.decision",
        "Rollback returns to an earlier revision",
        decision(action="Rollback", revision="abc"),
    ),
    BadSpec("spec.rollout.decision.action", "supported values", decision(action="Rewind")),
    BadSpec("spec.security.profile", "supported values", {"security": {"profile": "Open"}}),
    BadSpec(
        "spec.health.periodSeconds",
        "greater than or equal to 1",
        {"health": {"periodSeconds": 0}},
    ),
    BadSpec(
        "spec.network.ingressFrom[0]",
        "a peer is an ipBlock, or else a podSelector",
        ingress(ipBlock={"cidr": "10.0.0.0/8"}, podSelector={}),
    ),
    BadSpec("spec.network.ingressFrom[0]", "a peer is an ipBlock", ingress()),
    BadSpec(
        "spec.network.ingressFrom[0].ipBlock.cidr",
        "must be a range of addresses",
        ingress(ipBlock={"cidr": "10.0.0.1"}),
    ),
    BadSpec(
        "spec.network.egress[0].ports[0].port",
        "must be a number from 1 to 65535",
        egress(ports=[{"port": 0}]),
    ),
    BadSpec(
        "spec.network.egress[0].ports[0]",
        "endPort needs a port",
        egress(ports=[{"port": 80, "endPort": 79}]),
    ),
    BadSpec(
        "spec.network.egress[0].to[0].podSelector.matchExpressions[0].values[0]",
        "the value of a label",
        egress(
            to=[
                {
                    "podSelector": {
                        "matchExpressions": [{"key": "a", "operator": "In", "values": ["b c"]}]
                    }
                }
            ]
        ),
    ),
)
