"""The kinds that the dev cluster serves, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]

# What it costs to lose a pod, as a whole number: the cheapest go first when a set scales down.
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column of a custom resource; ``path`` is its JSONPath."""

    name: str
    type: str
    path: str
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps its replicas: dotted paths without the leading dot."""

    spec_replicas: str
    status_replicas: str
    label_selector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind as one API group serves it.

    Kinds with the same ``storage`` are views of the same objects (events). ``schema`` names its
    OpenAPI definition; ``custom`` is the CRD's own schema and makes it a custom resource.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    has_status: bool = False
    scale: ScalePaths | None = None
    counts_generation: bool = False
    unconditional_update: bool = True
    create_on_update: bool = False
    returns_deleted: bool = False
    other_subresources: tuple[str, ...] = ()
    storage: str = ""
    schema: str = ""
    custom: Manifest | None = None
    columns: tuple[Column, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def stored_as(self) -> str:
        """The name under which the store keeps its objects."""
        return self.storage or (f"{self.plural}.{self.group}" if self.group else self.plural)

    def serves(self, subresource: str) -> bool:
        match subresource:
            case "":
                return True
            case "status":
                return self.has_status
            case "scale":
                return self.scale is not None
            case _:
                return subresource in self.other_subresources


_CORE = "io.k8s.api.core.v1."

PODS = Kind(
    group="",
    version="v1",
    plural="pods",
    singular="pod",
    kind="Pod",
    short_names=("po",),
    categories=("all",),
    has_status=True,
    counts_generation=True,
    returns_deleted=True,
    other_subresources=("log", "eviction"),
    schema=_CORE + "Pod",
)
SERVICES = Kind(
    group="",
    version="v1",
    plural="services",
    singular="service",
    kind="Service",
    short_names=("svc",),
    categories=("all",),
    has_status=True,
    create_on_update=True,
    returns_deleted=True,
    schema=_CORE + "Service",
)
CORE_EVENTS = Kind(
    group="",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    short_names=("ev",),
    create_on_update=True,
    storage="events",
    schema=_CORE + "Event",
)
EVENTS = Kind(
    group="events.k8s.io",
    version="v1",
    plural="events",
    singular="event",
    kind="Event",
    short_names=("ev",),
    create_on_update=True,
    storage="events",
    schema="io.k8s.api.events.v1.Event",
)
NAMESPACES = Kind(
    group="",
    version="v1",
    plural="namespaces",
    singular="namespace",
    kind="Namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    has_status=True,
    schema=_CORE + "Namespace",
)
CONFIG_MAPS = Kind(
    group="",
    version="v1",
    plural="configmaps",
    singular="configmap",
    kind="ConfigMap",
    short_names=("cm",),
    schema=_CORE + "ConfigMap",
)
SECRETS = Kind(
    group="",
    version="v1",
    plural="secrets",
    singular="secret",
    kind="Secret",
    schema=_CORE + "Secret",
)
SERVICE_ACCOUNTS = Kind(
    group="",
    version="v1",
    plural="serviceaccounts",
    singular="serviceaccount",
    kind="ServiceAccount",
    short_names=("sa",),
    returns_deleted=True,
    schema=_CORE + "ServiceAccount",
)
REPLICA_SETS = Kind(
    group="apps",
    version="v1",
    plural="replicasets",
    singular="replicaset",
    kind="ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    has_status=True,
    scale=ScalePaths("spec.replicas", "status.replicas", "spec.selector"),
    counts_generation=True,
    schema="io.k8s.api.apps.v1.ReplicaSet",
)
ENDPOINT_SLICES = Kind(
    group="discovery.k8s.io",
    version="v1",
    plural="endpointslices",
    singular="endpointslice",
    kind="EndpointSlice",
    counts_generation=True,
    schema="io.k8s.api.discovery.v1.EndpointSlice",
)
LEASES = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    singular="lease",
    kind="Lease",
    unconditional_update=False,
    create_on_update=True,
    schema="io.k8s.api.coordination.v1.Lease",
)
NETWORK_POLICIES = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="networkpolicies",
    singular="networkpolicy",
    kind="NetworkPolicy",
    short_names=("netpol",),
    counts_generation=True,
    schema="io.k8s.api.networking.v1.NetworkPolicy",
)
POD_DISRUPTION_BUDGETS = Kind(
    group="policy",
    version="v1",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    kind="PodDisruptionBudget",
    short_names=("pdb",),
    has_status=True,
    counts_generation=True,
    unconditional_update=False,
    schema="io.k8s.api.policy.v1.PodDisruptionBudget",
)
TOKEN_REVIEWS = Kind(
    group="authentication.k8s.io",
    version="v1",
    plural="tokenreviews",
    singular="tokenreview",
    kind="TokenReview",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authentication.v1.TokenReview",
)
SUBJECT_ACCESS_REVIEWS = Kind(
    group="authorization.k8s.io",
    version="v1",
    plural="subjectaccessreviews",
    singular="subjectaccessreview",
    kind="SubjectAccessReview",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authorization.v1.SubjectAccessReview",
)

BUILT_IN: tuple[Kind, ...] = (
    CONFIG_MAPS,
    CORE_EVENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    REPLICA_SETS,
    TOKEN_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    LEASES,
    ENDPOINT_SLICES,
    EVENTS,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
)


def custom_kind(definition: Manifest) -> Kind:
    """Return the kind that a CustomResourceDefinition (its storage version) describes."""
    spec = definition["spec"]
    names = spec["names"]
    version = next(each for each in spec["versions"] if each.get("storage"))
    subresources = version.get("subresources") or {}
    scale = subresources.get("scale")
    return Kind(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        has_status="status" in subresources,
        scale=None
        if scale is None
        else ScalePaths(
            scale["specReplicasPath"].removeprefix("."),
            scale["statusReplicasPath"].removeprefix("."),
            scale.get("labelSelectorPath", "").removeprefix("."),
        ),
        counts_generation=True,
        unconditional_update=False,
        schema=_definition_name(spec["group"], version["name"], names["kind"]),
        custom=version["schema"]["openAPIV3Schema"],
        columns=_columns(version),
    )


def _columns(version: Manifest) -> tuple[Column, ...]:
    columns: Sequence[Manifest] = version.get("additionalPrinterColumns") or (
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    )
    return tuple(
        Column(
            name=each["name"],
            type=each["type"],
            path=each["jsonPath"],
            format=each.get("format", ""),
            description=each.get("description", ""),
            priority=each.get("priority", 0),
        )
        for each in columns
    )


def _definition_name(group: str, version: str, kind: str) -> str:
    return ".".join([*reversed(group.split(".")), version, kind])
