"""The Performer custom resource as Python types: the one source of its schema.

``performer_crd`` generates the CustomResourceDefinition from these classes; ``parse_performer``
reads an object that the API server has already validated and defaulted. Field names are the
CRD's in snake_case. Fields from ``replicas`` on are ours, the others are the reference's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .performer_rollout import STRATEGY_RULES, Rollout, Strategy
from .schema import described, parse

GROUP = "hourglass.eigenlayer.io"
VERSION = "v1alpha1"
DEFAULT_GRPC_PORT = 9090
MAX_NAME_LENGTH = 53
"""A Service name ends at 63 characters, and ours is ``performer-<name>``."""

NAME_RULE = (
    "performer names are DNS labels of at most 53 characters: "
    "the Service performer-<name> must fit into 63"
)
_ENV_NAME = "^[-._a-zA-Z][-._a-zA-Z0-9]*$"
_LABEL_VALUE = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySelector:
    """One key of a Secret or ConfigMap in the performer's own namespace."""

    name: str = described("Name of the object, in the same namespace.", max_length=253)
    key: str = described("Key within the object.", max_length=253)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSource:
    """Where an environment variable's value comes from: a Secret or a ConfigMap, one of them."""

    secret_key_ref: KeySelector | None = described("A key of a Secret.", default=None)
    config_map_key_ref: KeySelector | None = described("A key of a ConfigMap.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentVariable:
    """An environment variable whose value is kept elsewhere."""

    name: str = described("Name of the variable.", max_length=253, pattern=_ENV_NAME)
    value_from: EnvironmentSource = described(
        "Where its value comes from.",
        rules=(
            (
                "has(self.secretKeyRef) != has(self.configMapKeyRef)",
                "exactly one of secretKeyRef and configMapKeyRef must be set",
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformerConfig:
    """How the performer's process is run."""

    grpc_port: int = described(
        "Port on which the performer serves gRPC; told to it in GRPC_PORT.",
        default=DEFAULT_GRPC_PORT,
        minimum=1,
        maximum=65535,
        integer_format="int32",
    )
    environment: Mapping[str, str] = described(
        "Environment variables by name.",
        default_factory=dict,
        max_items=128,
        max_length=32768,
        rules=(
            (
                f"self.all(name, name.matches('{_ENV_NAME}'))",
                "names of environment variables consist of letters, digits, '-', '_' and '.', "
                "and do not start with a digit",
            ),
        ),
    )
    environment_from: tuple[EnvironmentVariable, ...] = described(
        "Environment variables whose values are kept in Secrets and ConfigMaps.",
        default_factory=tuple,
        max_items=64,
    )
    args: tuple[str, ...] = described(
        "Arguments; the image's own if empty.",
        default_factory=tuple,
        max_items=128,
        max_length=8192,
    )
    command: tuple[str, ...] = described(
        "Entry point; the image's own if empty.",
        default_factory=tuple,
        max_items=128,
        max_length=8192,
    )
    service_account_name: str = described(
        "ServiceAccount of the pods; naming one mounts its token.", default="", max_length=253
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """As in core/v1."""

    key: str = described("Taint key; empty matches all with Exists.", default="", max_length=317)
    operator: str = described(
        "Exists or Equal (default).", default="", enum=("", "Exists", "Equal", "Lt", "Gt")
    )
    value: str = described("Taint value.", default="", max_length=63)
    effect: str = described(
        "NoSchedule, PreferNoSchedule, NoExecute; empty matches all.",
        default="",
        enum=("", "NoSchedule", "PreferNoSchedule", "NoExecute"),
    )
    toleration_seconds: int | None = described(
        "How long a NoExecute taint is tolerated; unset means for ever.",
        default=None,
        integer_format="int64",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingConfig:
    """Where the pods may run."""

    node_selector: Mapping[str, str] = described(
        "Labels that the node must carry.", default_factory=dict, max_items=64, max_length=63
    )
    tolerations: tuple[Toleration, ...] = described(
        "Taints that the pods tolerate.", default_factory=tuple, max_items=64
    )
    affinity: Json | None = described(
        "Affinity as in core/v1: nodeAffinity, podAffinity, podAntiAffinity.",
        default=None,
        any_json=True,
    )
    runtime_class: str = described("RuntimeClass of the pods.", default="", max_length=253)
    priority_class_name: str = described("PriorityClass of the pods.", default="", max_length=253)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareRequirements:
    """Hardware that the pods need."""

    gpu_type: str = described(
        "GPU resource under nvidia.com/; gpu if empty.",
        default="",
        max_length=63,
        pattern=_LABEL_VALUE,
    )
    gpu_count: int = described(
        "GPUs for each instance.", default=0, minimum=0, maximum=1024, integer_format="int32"
    )
    tee_required: bool = described(
        "Whether a trusted execution environment is needed.", default=False
    )
    tee_type: str = described(
        "Kind of TEE: sgx, sev, tdx.", default="", max_length=63, pattern=_LABEL_VALUE
    )
    custom_labels: Mapping[str, str] = described(
        "Labels that the node must carry as well.",
        default_factory=dict,
        max_items=64,
        max_length=63,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Requests and limits, quantities by resource name."""

    requests: Mapping[str, str] = described(
        "What is set aside for each instance.", default_factory=dict, max_items=32, quantity=True
    )
    limits: Mapping[str, str] = described(
        "What each instance may use at most.", default_factory=dict, max_items=32, quantity=True
    )
    claims: tuple[Json, ...] = described(
        "Dynamic resource claims as in core/v1.",
        default_factory=tuple,
        max_items=32,
        any_json=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A Secret in the same namespace."""

    name: str = described("Name of the Secret.", default="", max_length=253)


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """How the pods are confined."""

    profile: str = described(
        "Restricted or Baseline, as in Pod Security; empty means the operator's default.",
        default="",
        enum=("", "Restricted", "Baseline"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Who may talk to the pods, and they to whom."""

    ingress_from: tuple[Json, ...] = described(
        "Peers beside executors and the operator that may reach the gRPC port, as in "
        "networking.k8s.io/v1 NetworkPolicyPeer.",
        default_factory=tuple,
        max_items=32,
        any_json=True,
    )
    egress: tuple[Json, ...] = described(
        "Once given, the only traffic that the pods may begin, as in networking.k8s.io/v1 "
        "NetworkPolicyEgressRule.",
        default_factory=tuple,
        max_items=64,
        any_json=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the instances are probed, over grpc.health.v1."""

    service: str = described(
        "Name of the service that is asked for; empty for the whole server.",
        default="",
        max_length=253,
    )
    period_seconds: int = described(
        "Time between probes once an instance is up.",
        default=5,
        minimum=1,
        maximum=3600,
        integer_format="int32",
    )
    timeout_seconds: int = described(
        "How long an answer may take.", default=1, minimum=1, maximum=300, integer_format="int32"
    )
    failure_threshold: int = described(
        "Misses in a row after which an instance takes no tasks; after twice as many it is "
        "restarted.",
        default=3,
        minimum=1,
        maximum=100,
        integer_format="int32",
    )
    startup_seconds: int = described(
        "How long an instance may take to come up.",
        default=300,
        minimum=1,
        maximum=86400,
        integer_format="int32",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformerSpec:
    """What should run."""

    avs_address: str = described(
        "Address of the AVS that the performer works for, in any case.",
        min_length=1,
        max_length=253,
        pattern=r"^\S+$",
    )
    image: str = described(
        "Container image: repository with a tag or a digest.",
        min_length=1,
        max_length=1024,
        pattern=r"^\S+$",
    )
    image_pull_policy: str = described(
        "When the image is pulled.",
        default="IfNotPresent",
        enum=("Always", "Never", "IfNotPresent"),
    )
    version: str = described("Version of the performer, for people.", default="", max_length=253)
    config: PerformerConfig = described(
        "How the performer's process is run.", default_factory=PerformerConfig
    )
    resources: Resources = described("Requests and limits.", default_factory=Resources)
    scheduling: SchedulingConfig = described(
        "Where the pods may run.", default_factory=SchedulingConfig
    )
    hardware_requirements: HardwareRequirements = described(
        "Hardware that the pods need.",
        default_factory=HardwareRequirements,
        rules=(
            (
                "!has(self.teeRequired) || !self.teeRequired || "
                "(has(self.teeType) && self.teeType != '')",
                "teeRequired needs a teeType, such as sgx",
            ),
            (
                "!has(self.gpuType) || self.gpuType == '' || "
                "(has(self.gpuCount) && self.gpuCount > 0)",
                "gpuType needs a gpuCount of at least 1",
            ),
        ),
    )
    image_pull_secrets: tuple[SecretReference, ...] = described(
        "Secrets with registry credentials.", default_factory=tuple, max_items=8
    )
    replicas: int | None = described(
        "How many instances run; unset means the number that was last asked for, 1 at first.",
        default=None,
        minimum=0,
        maximum=1000,
        integer_format="int32",
    )
    strategy: Strategy = described(
        "How a new revision takes over.", default_factory=Strategy, rules=STRATEGY_RULES
    )
    rollout: Rollout = described("Time limits, history and decisions.", default_factory=Rollout)
    suspend: bool | None = described(
        "Run no instances, and keep everything else; unset means what was last asked for.",
        default=None,
    )
    fence: bool | None = described(
        "Keep the instances running, and give them no tasks; unset means what was last asked for.",
        default=None,
    )
    security: Security = described("How the pods are confined.", default_factory=Security)
    network: Network = described(
        "Who may talk to the pods, and they to whom.", default_factory=Network
    )
    health: Health = described("How the instances are probed.", default_factory=Health)


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """A Performer object: who it is, and what it asks for."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    spec: PerformerSpec
    deleting: bool = False
    created_at: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    status: Json = field(default_factory=dict)
    managed_fields: tuple[Json, ...] = ()


def parse_performer(manifest: Json, spec: PerformerSpec | None = None) -> Performer:
    """Return the object that ``manifest`` holds; ValueError names a field that can not be read.

    ``spec`` is the one already read of this generation, where the caller has kept it.
    """
    meta, status = manifest["metadata"], manifest.get("status") or {}
    written = status.get("observedGeneration", 0) >= 0  # the schema's default says -1
    return Performer(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        generation=int(meta.get("generation", 0)),
        resource_version=meta.get("resourceVersion", ""),
        spec=spec or parse(PerformerSpec, manifest.get("spec") or {}, "spec"),
        deleting=bool(meta.get("deletionTimestamp")),
        created_at=meta.get("creationTimestamp", ""),
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        status=status if written else {},
        managed_fields=tuple(meta.get("managedFields") or ()),
    )
