"""The Performer custom resource as Python types: the one source of its schema.

``performer_crd`` generates the CustomResourceDefinition from these classes; ``parse_performer``
reads an object that the API server has already validated and defaulted. Field names are the
CRD's in snake_case. Fields from ``replicas`` on are ours, the others are the reference's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .images import MAX_IMAGE_LENGTH
from .kubernetes_types import EGRESS_RULE, NETWORK_PEER
from .names import IMAGE
from .performer_pod import (
    MAX_REFERENCES,
    HardwareRequirements,
    PerformerConfig,
    Resources,
    SchedulingConfig,
    SecretReference,
)
from .performer_rollout import Rollout, Strategy
from .performer_rules import SPEC_RULES
from .schema import Rule, described, parse

GROUP = "hourglass.eigenlayer.io"
VERSION = "v1alpha1"
MAX_NAME_LENGTH = 53
"""A Service name ends at 63 characters, and ours is ``performer-<name>``."""

NAME_RULE = Rule(
    f"self.metadata.name.size() <= {MAX_NAME_LENGTH} && !self.metadata.name.contains('.')",
    "performer names are DNS labels of at most 53 characters: "
    "the Service performer-<name> must fit into 63",
    at=".metadata.name",
)
Json = Mapping[str, Any]


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
        max_items=16,
        json_schema=NETWORK_PEER,
    )
    egress: tuple[Json, ...] = described(
        "Once given, the only traffic that the pods may begin, as in networking.k8s.io/v1 "
        "NetworkPolicyEgressRule.",
        default_factory=tuple,
        max_items=16,
        json_schema=EGRESS_RULE,
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

    RULES: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    avs_address: str = described(
        "Address of the AVS that the performer works for, in any case.",
        max_length=253,
        rules=(Rule(r"self.matches('^\\S+$')", "avsAddress must not be empty or contain spaces"),),
    )
    image: str = described(
        "Container image: repository with a tag or a digest.",
        max_length=MAX_IMAGE_LENGTH,
        rules=(Rule(IMAGE.holds("self"), IMAGE.words),),
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
    )
    image_pull_secrets: tuple[SecretReference, ...] = described(
        "Secrets with registry credentials.", default_factory=tuple, max_items=MAX_REFERENCES
    )
    replicas: int | None = described(
        "How many instances run; unset means the number that was last asked for, 1 at first.",
        default=None,
        minimum=0,
        maximum=1000,
        integer_format="int32",
    )
    strategy: Strategy = described("How a new revision takes over.", default_factory=Strategy)
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
