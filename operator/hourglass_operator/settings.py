"""What the operator can be told. Names of flags and variables follow the fields."""

import re
from pathlib import Path
from typing import Literal, Self

from hourglass_common.domain.images import is_registry
from hourglass_common.domain.tenancy import KUBERNETES_NAMESPACES, Policy
from hourglass_common.runtime.settings import Settings
from hourglass_services.rpc.address import is_loopback
from hourglass_services.rpc.tls import TlsFiles
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ENV_PREFIX = "HOURGLASS_OPERATOR__"


class TlsSettings(BaseModel):
    """The certificate of PerformerControl's server, and who may connect at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate_file: Path | None = None
    """PEM, with what stands between it and its authority. Read again whenever it was replaced."""
    key_file: Path | None = None
    """PEM, without a password."""
    client_ca_file: Path | None = None
    """PEM; clients must then show a certificate of it, whose CN is the user and O the groups."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file need each other")
        if self.client_ca_file and not self.certificate_file:
            raise ValueError("client_ca_file needs certificate_file and key_file")
        return self


class CallerSettings(BaseModel):
    """What one caller may do at a time; whoever needs no authentication is not limited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls_per_second: float = Field(default=200.0, gt=0)
    """In the long run."""
    burst: int = Field(default=400, ge=1)
    """Calls at once, after a pause."""
    calls: int = Field(default=128, ge=1)
    """Calls that are not answered yet."""
    streams: int = Field(default=256, ge=1)
    """Watches and logs that are open."""


class PolicySettings(BaseModel):
    """What nobody may ask for; the admission policies say the same to kubectl."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed_registries: tuple[str, ...] = ()
    """Registries, or repositories in them, that images may come from; empty means any."""
    require_digest: bool = False
    """Images must be named by a digest."""
    allow_control_plane: bool = False
    """Performers may tolerate the taints of the control plane's nodes."""
    protected_namespaces: tuple[str, ...] = ("hourglass-system", *KUBERNETES_NAMESPACES)
    """Namespaces without performers: the operator's own, and those of Kubernetes."""

    @field_validator("allowed_registries", "protected_namespaces", mode="before")
    @classmethod
    def separated(cls, given: object) -> object:
        return tuple(filter(None, given.split(","))) if isinstance(given, str) else given

    @field_validator("allowed_registries")
    @classmethod
    def whole(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for one in given:
            if not is_registry(one.partition("/")[0]) or one.endswith("/"):
                raise ValueError(
                    f"{one!r} must begin with a registry and not end with '/', as in "
                    "registry.example.com/team"
                )
        return given

    def policy(self) -> Policy:
        return Policy(**self.model_dump())


class ControlSettings(BaseModel):
    """PerformerControl's server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = "127.0.0.1:50051"
    """host:port of PerformerControl."""
    insecure: bool = False
    """Allows plaintext on an address that other machines can reach, and no authentication there."""
    tls: TlsSettings = TlsSettings()
    """The certificate of PerformerControl's server."""
    authentication: Literal["Required", "None"] | None = None
    """Required or None; unset means None for plaintext on a loopback address, else Required."""
    audience: str = Field(default="hourglass-control", min_length=1)
    """Tokens must be made for it: `kubectl create token NAME --audience=hourglass-control`."""
    caller: CallerSettings = CallerSettings()
    """What one caller may do at a time."""
    policy: PolicySettings = PolicySettings()
    """What nobody may ask for."""
    channelz_address: str = ""
    """host:port on loopback where grpc.channelz.v1 is served; empty means nowhere."""

    @property
    def authenticates(self) -> bool:
        """Whether callers must show who they are."""
        if self.authentication is not None:
            return self.authentication == "Required"
        return self._exposed or self.tls.certificate_file is not None

    @property
    def tls_files(self) -> TlsFiles | None:
        if self.tls.certificate_file is None or self.tls.key_file is None:
            return None
        return TlsFiles(
            certificate_file=self.tls.certificate_file,
            key_file=self.tls.key_file,
            client_ca_file=self.tls.client_ca_file,
        )

    @property
    def _exposed(self) -> bool:
        return not is_loopback(_host(self.address))

    @model_validator(mode="after")
    def _somebody_can_be_known(self) -> Self:
        if not self._exposed:
            return self
        if not self.authenticates and not self.insecure:
            raise ValueError(
                f"authentication: None on {self.address}, which other machines can reach, lets "
                "them do everything: say insecure: true as well if that is meant"
            )
        if self.authenticates and self.insecure and not self.tls.certificate_file:
            raise ValueError(
                f"in plaintext on {self.address} nobody can be known, tokens could be read on the "
                "way: give tls, or say authentication: None as well if that is meant"
            )
        return self

    @field_validator("channelz_address")
    @classmethod
    def local(cls, given: str) -> str:
        if given and not is_loopback(_host(given)):
            raise ValueError(f"{given} can be reached from other machines: use 127.0.0.1")
        return given


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


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
