"""What the operator can be told. Names of flags and variables follow the fields."""

import re
from typing import Literal, Self

from hourglass_common.runtime.settings import Settings
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ENV_PREFIX = "HOURGLASS_OPERATOR__"


class ControlSettings(BaseModel):
    """PerformerControl's server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = "127.0.0.1:50051"
    """host:port of PerformerControl."""
    insecure: bool = False
    """Allows plaintext on an address that other machines can reach."""


class OperatorSettings(Settings):
    """All of the operator's settings."""

    kubeconfig: str | None = None
    """Else $KUBECONFIG, the pod's service account, ~/.kube/config."""
    watch_namespaces: tuple[str, ...] = ()
    """Empty means all namespaces; several are separated by commas."""
    default_security_profile: Literal["Restricted", "Baseline"] = "Restricted"
    """For performers that name none; those that run keep what they were made with."""
    kube_api_qps: float = Field(default=0.0, ge=0)
    """Writes per second at most; 0 means as many as the API answers without saying slow down."""
    workers: int = Field(default=8, ge=1, le=256)
    """Performers that are reconciled at the same time."""
    leader_elect: bool = False
    """Of several replicas one reconciles; all serve PerformerControl."""
    leader_election_namespace: str | None = None
    """Else the namespace that the kubeconfig or the pod names."""
    leader_elect_lease_duration: float = Field(default=15.0, ge=1)
    """Seconds without a renewal after which another replica takes the lead."""
    leader_elect_renew_deadline: float = Field(default=10.0, gt=0)
    """Seconds without a renewal after which the leader writes nothing more."""
    leader_elect_retry_period: float = Field(default=2.0, gt=0)
    """Seconds between two renewals."""
    watch_idle_seconds: float = Field(default=55.0, gt=0)
    """A watch without a word for so long is taken for dead; servers end one within 50 s."""
    metrics_bind_address: str = "127.0.0.1:8080"
    """host:port or :port for /metrics, /livez, /healthz and /readyz; "0" switches them off."""
    health_probe_bind_address: str = "0"
    """Another address for the same, where probes must not see the metrics' one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """debug, info, warning or error: less than that is not told."""
    log_format: Literal["json", "text"] = "json"
    """json (one object a line) or text."""
    control: ControlSettings = ControlSettings()
    """PerformerControl's server."""

    @model_validator(mode="after")
    def _lease_times_fit(self) -> Self:
        duration, deadline = self.leader_elect_lease_duration, self.leader_elect_renew_deadline
        if not duration > deadline > 1.2 * self.leader_elect_retry_period:
            raise ValueError(
                "leader_elect_lease_duration must be more than leader_elect_renew_deadline, and "
                "that more than 1.2 times leader_elect_retry_period"
            )
        return self

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def separated(cls, given: object) -> object:
        return tuple(filter(None, given.split(","))) if isinstance(given, str) else given

    @field_validator("watch_namespaces")
    @classmethod
    def named(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """Each namespace once, in the order of names; a name that can not be one is refused."""
        for name in given:
            if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
                raise ValueError(f"{name!r} is not the name of a namespace")
        return tuple(sorted(set(given)))
