"""The parts of a Performer's spec that its pods are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .kubernetes_types import AFFINITY
from .names import (
    DATA_KEY,
    ENVIRONMENT_NAME,
    LABEL_RULES,
    LABEL_VALUE,
    OBJECT_NAME,
    QUALIFIED_NAME,
    RESOURCE_PART,
    keys_must_be,
    must_be,
)
from .resource_rules import QUANTITY_RULE, QUANTITY_RULES, RESOURCE_RULES
from .schema import Rule, described

DEFAULT_GRPC_PORT = 9090
MAX_REFERENCES = 8
"""Of one list: the admission policy has a validation for each."""
TEE_TYPES = ("sgx", "sev", "tdx")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySelector:
    """One key of a Secret or ConfigMap in the performer's own namespace."""

    name: str = described(
        "Name of the object, in the same namespace.",
        min_length=1,
        max_length=253,
        rules=(must_be("the name of a Secret or ConfigMap", OBJECT_NAME),),
    )
    key: str = described(
        "Key within the object.",
        min_length=1,
        max_length=253,
        rules=(must_be("a key of a Secret or ConfigMap", DATA_KEY),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSource:
    """Where an environment variable's value comes from: a Secret or a ConfigMap, one of them."""

    secret_key_ref: KeySelector | None = described("A key of a Secret.", default=None)
    config_map_key_ref: KeySelector | None = described("A key of a ConfigMap.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentVariable:
    """An environment variable whose value is kept elsewhere."""

    name: str = described(
        "Name of the variable.",
        min_length=1,
        max_length=253,
        rules=(Rule(ENVIRONMENT_NAME.holds("self"), ENVIRONMENT_NAME.words),),
    )
    value_from: EnvironmentSource = described(
        "Where its value comes from.",
        rules=(
            Rule(
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
        rules=(keys_must_be(ENVIRONMENT_NAME, ENVIRONMENT_NAME.words),),
    )
    environment_from: tuple[EnvironmentVariable, ...] = described(
        "Environment variables whose values are kept in Secrets and ConfigMaps.",
        default_factory=tuple,
        max_items=MAX_REFERENCES,
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
        "ServiceAccount of the pods; naming one mounts its token.",
        default="",
        max_length=253,
        rules=(must_be("the name of a ServiceAccount", OBJECT_NAME),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """As in core/v1."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(has(self.key) && self.key != '') || (has(self.operator) && "
            "self.operator == 'Exists')",
            "a toleration without a key matches every taint and needs operator Exists",
        ),
        Rule(
            "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || "
            "self.value == ''",
            "a toleration with operator Exists takes no value",
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds goes with effect NoExecute only",
        ),
    )

    key: str = described(
        "Taint key; empty matches all with Exists.",
        default="",
        max_length=317,
        rules=(must_be("a taint key", QUALIFIED_NAME),),
    )
    operator: str = described(
        "Exists or Equal (default).", default="", enum=("", "Exists", "Equal")
    )
    value: str = described(
        "Taint value.",
        default="",
        max_length=63,
        rules=(must_be("a taint value", LABEL_VALUE),),
    )
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
        "Labels that the node must carry.",
        default_factory=dict,
        max_items=64,
        max_length=63,
        rules=LABEL_RULES,
    )
    tolerations: tuple[Toleration, ...] = described(
        "Taints that the pods tolerate.", default_factory=tuple, max_items=64
    )
    affinity: Json | None = described(
        "Affinity as in core/v1: nodeAffinity, podAffinity, podAntiAffinity.",
        default=None,
        json_schema=AFFINITY,
    )
    runtime_class: str = described(
        "RuntimeClass of the pods.",
        default="",
        max_length=253,
        rules=(must_be("the name of a RuntimeClass", OBJECT_NAME),),
    )
    priority_class_name: str = described(
        "PriorityClass of the pods.",
        default="",
        max_length=253,
        rules=(must_be("the name of a PriorityClass", OBJECT_NAME),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareRequirements:
    """Hardware that the pods need."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.teeRequired) || !self.teeRequired || (has(self.teeType) && "
            f"self.teeType in {list(TEE_TYPES)})",
            "teeRequired needs a teeType of sgx, sev or tdx",
        ),
        Rule(
            "!has(self.gpuType) || self.gpuType == '' || (has(self.gpuCount) && self.gpuCount > 0)",
            "gpuType needs a gpuCount of at least 1",
        ),
    )

    gpu_type: str = described(
        "GPU resource under nvidia.com/; gpu if empty.",
        default="",
        max_length=63,
        rules=(must_be("the part of a resource name after nvidia.com/", RESOURCE_PART),),
    )
    gpu_count: int = described(
        "GPUs for each instance.", default=0, minimum=0, maximum=1024, integer_format="int32"
    )
    tee_required: bool = described(
        "Whether a trusted execution environment is needed.", default=False
    )
    tee_type: str = described(
        "Kind of TEE: sgx, sev, tdx; one that is not required is preferred.",
        default="",
        max_length=63,
    )
    custom_labels: Mapping[str, str] = described(
        "Labels that the node must carry as well.",
        default_factory=dict,
        max_items=64,
        max_length=63,
        rules=LABEL_RULES,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Requests and limits, quantities by resource name."""

    RULES: ClassVar[tuple[Rule, ...]] = RESOURCE_RULES

    requests: Mapping[str, str] = described(
        "What is set aside for each instance.",
        default_factory=dict,
        max_items=32,
        quantity=True,
        rules=QUANTITY_RULES,
        value_rules=(QUANTITY_RULE,),
    )
    limits: Mapping[str, str] = described(
        "What each instance may use at most.",
        default_factory=dict,
        max_items=32,
        quantity=True,
        rules=QUANTITY_RULES,
        value_rules=(QUANTITY_RULE,),
    )
    claims: tuple[Json, ...] = described(
        "Dynamic resource claims as in core/v1; none can be made, so leave it empty.",
        default_factory=tuple,
        max_items=32,
        any_json=True,
        rules=(
            Rule(
                "self.size() == 0",
                "a performer has no resourceClaims that claims could name: leave it out",
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A Secret in the same namespace."""

    name: str = described(
        "Name of the Secret.",
        default="",
        max_length=253,
        rules=(must_be("the name of a Secret", OBJECT_NAME),),
    )
