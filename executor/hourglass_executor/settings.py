"""The executor's configuration: the reference's documented YAML keys, and ours.

The reference's: ``debug``, ``grpcPort``, ``managementServerGrpcPort``, ``performerNetworkName``,
``operator``, ``l1Chain``, ``contracts``, ``overrideContracts``, ``avsPerformers``, ``kubernetes``,
``storage``, ``authentication``. Ours are described where they stand. Durations are text such as
"30s" or a number of seconds.
"""

from pathlib import Path
from typing import Any, Literal

from hourglass_common.runtime.settings import Settings
from hourglass_services.rpc.address import is_loopback
from hourglass_services.rpc.channel import ChannelSecurity
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from .duration import Duration, ReferenceDuration
from .settings_docker import Docker
from .settings_inspection import Inspection
from .settings_keys import Operator
from .settings_kubernetes import PerformerKubernetes, PerformerOptions
from .settings_retention import Retention
from .settings_routing import Routing
from .settings_sections import (
    Address,
    Env,
    Image,
    L1Chain,
    Section,
    required,
)
from .settings_tls import Tls
from .settings_verification import NOT_BUILT_YET, Verification

MIXED_MODES = (
    "mixed deployment modes not supported: all performers must use the same deployment mode "
    "(either 'docker' or 'kubernetes')"
)


class AvsPerformer(Section):
    """One performer that runs from the start.

    Ours: ``taskTimeout`` (default 5m) is how long a task of the AVS may take; ``idempotent`` lets
    a task whose outcome is unknown run again elsewhere; ``cancelOnDisconnect`` cancels a task
    when its caller leaves; ``whenNoneReady`` Queue or Fail; ``replicas`` instances.
    """

    image: Image
    process_type: Literal["server"] = "server"
    avs_address: Address = Field(default="", validate_default=True)
    avs_registrar_address: Address = ""
    envs: tuple[Env, ...] = ()
    deployment_mode: str = "docker"
    kubernetes: PerformerKubernetes = PerformerKubernetes()
    task_timeout: Duration = 300.0
    idempotent: bool = False
    cancel_on_disconnect: bool = False
    when_none_ready: Literal["Queue", "Fail"] = "Queue"
    replicas: int = Field(default=1, ge=1, le=100)
    routing: Routing | None = None

    @field_validator("process_type", mode="before")
    @classmethod
    def _known_type(cls, value: Any) -> Any:
        if value != "server":
            raise ValueError("unsupported AVS performer process type")
        return value

    @field_validator("avs_address")
    @classmethod
    def _has_address(cls, value: str) -> str:
        return str(required(value, "avsAddress is required")).lower()

    @field_validator("deployment_mode", mode="before")
    @classmethod
    def _known_mode(cls, value: Any) -> Any:
        if value not in ("docker", "kubernetes", "process"):
            raise ValueError("deploymentMode must be one of [docker, kubernetes, process]")
        return value

    @model_validator(mode="after")
    def _replicas_said_once(self) -> "AvsPerformer":
        if "replicas" in self.model_fields_set and "replicas" in self.kubernetes.spec:
            raise ValueError("replicas is given twice: leave out kubernetes.replicas")
        return self

    @model_validator(mode="after")
    def _may_run_twice_where_hedged(self) -> "AvsPerformer":
        if self.routing is not None and self.routing.hedging.is_on and not self.idempotent:
            raise ValueError(
                "routing.hedging sends a task twice: say idempotent: true if its tasks may run "
                "twice, or leave hedging out"
            )
        return self


class PerformerControlAddress(Section):
    """Where PerformerControl listens, as ``host:port``, and how it is called.

    With ``tls``, or any of the files but a token's, by TLS: ``caFile`` signed its certificate
    (unset: any authority that this machine trusts), ``serverName`` is in it where that is not the
    address. ``tokenFile`` is shown as the caller, and read again whenever it was replaced;
    ``certificateFile`` and ``keyFile`` where clients need a certificate.
    """

    address: str = "127.0.0.1:50051"
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    token_file: Path | None = None

    @property
    def security(self) -> ChannelSecurity:
        encrypted = (self.tls, self.ca_file, self.certificate_file, self.key_file, self.server_name)
        return ChannelSecurity(
            ca_file=self.ca_file,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            server_name=self.server_name,
            token_file=self.token_file,
            plaintext=not any(encrypted),
        )


class Kubernetes(Section):
    """Ours: ``via`` is how Performer objects are written and followed: ``performers`` with own
    credentials, or ``control`` through PerformerControl at ``performerControl.address``.
    ``performerDefaults`` are options for every Performer that is made, DeployArtifact's included.
    ``executorName`` is how drain reports name this executor, no other one's; unset means the
    host's name with a mark of its store. ``stopOnExit: true`` deletes what this executor made when
    it stops; else that stays for the next start."""

    namespace: str = "default"
    executor_name: str = Field(default="", max_length=253)
    operator_namespace: str = "hourglass-system"
    crd_group: Literal["hourglass.eigenlayer.io"] = "hourglass.eigenlayer.io"
    crd_version: Literal["v1alpha1"] = "v1alpha1"
    connection_timeout: ReferenceDuration = 30.0
    kube_config_path: str = ""
    in_cluster: bool = True
    via: Literal["performers", "control"] = "performers"
    performer_control: PerformerControlAddress = PerformerControlAddress()
    deploy_timeout: Duration = 300.0
    image_pull_policy: Literal["Always", "Never", "IfNotPresent"] = "IfNotPresent"
    performer_defaults: PerformerOptions = PerformerOptions()
    stop_on_exit: bool = False

    @model_validator(mode="after")
    def _has_credentials(self) -> "Kubernetes":
        if self.via == "performers" and not self.in_cluster and not self.kube_config_path:
            raise ValueError("kubeConfigPath is required when not running in cluster")
        return self


class Badger(Section):
    """The reference's keys; ``dir`` is where our SQLite store goes, the others mean nothing."""

    dir: str = ""
    in_memory: bool = False
    value_log_file_size: int = 0
    num_versions_to_keep: int = 0
    num_level_zero_tables: int = 0
    num_level_zero_tables_stall: int = 0


class Sqlite(Section):
    """Ours: ``dir`` holds the database; ``dataDir`` if it is not given."""

    dir: str = ""


class Storage(Section):
    """``memory`` forgets everything with the process: for tests and development."""

    type: str = "sqlite"
    badger: Badger | None = None
    sqlite: Sqlite = Sqlite()

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        if value not in ("memory", "badger", "sqlite"):
            raise ValueError("type must be 'memory' or 'badger' or 'sqlite'")
        return value

    @model_validator(mode="after")
    def _has_directory(self) -> "Storage":
        given = self.badger
        if self.type == "badger" and (given is None or not (given.dir or given.in_memory)):
            raise ValueError("badger directory is required")
        return self

    @property
    def keeps_nothing(self) -> bool:
        return self.type == "memory" or (
            self.type == "badger" and self.badger is not None and self.badger.in_memory
        )


class Authentication(Section):
    """Whether management calls must carry a signed challenge token."""

    enabled: bool = False


class Processes(Section):
    """Ours: performers as processes of this machine. ``commands`` maps an image, with its tag or
    without, to the command that runs it; ``demo-performer`` is built in."""

    allow: bool = False
    commands: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    stop_on_exit: bool = True
    deploy_timeout: Duration = 60.0
    stop_grace: Duration = 2.0


class Metrics(Section):
    """Where /metrics, /healthz and /readyz are served; "0" for nowhere."""

    address: str = "127.0.0.1:8082"


class ExecutorSettings(Settings):
    """The whole configuration.

    Ours at the top: ``grpcHost`` is the address to listen on, and one that other machines reach
    needs ``tls``, or ``insecure: true`` for plaintext; ``channelzAddress`` is host:port on
    loopback where grpc.channelz.v1 is served, nowhere if empty; ``dataDir`` is where state and
    logs are kept; ``allowMixedModes`` lets performers differ in deploymentMode; ``drainTimeout``
    bounds how long a replaced performer may finish its tasks; ``stopGrace`` the same when the
    executor stops.
    """

    model_config = ConfigDict(  # type: ignore[assignment]
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    debug: bool = False
    grpc_host: str = "127.0.0.1"
    insecure: bool = False
    tls: Tls = Tls()
    channelz_address: str = ""
    grpc_port: int = Field(default=9090, ge=0, le=65535)
    management_server_grpc_port: int = Field(default=0, ge=0, le=65535)
    performer_network_name: str = ""
    operator: Operator
    l1_chain: L1Chain | None = Field(default=None, alias="l1Chain")
    contracts: Any = None
    override_contracts: Any = None
    avs_performers: tuple[AvsPerformer, ...] = ()
    routing: Routing = Routing()
    allow_mixed_modes: bool = False
    kubernetes: Kubernetes | None = None
    processes: Processes = Processes()
    docker: Docker | None = None
    storage: Storage = Storage()
    data_dir: str = ".hourglass/executor"
    authentication: Authentication = Authentication()
    verification: Verification | None = Field(default=None, validate_default=True)
    metrics: Metrics = Metrics()
    inspection: Inspection = Inspection()
    retention: Retention = Retention()
    drain_timeout: Duration = 60.0
    stop_grace: Duration = 1.5

    @field_validator("verification")
    @classmethod
    def _verification_written_out(cls, value: Verification | None) -> Verification | None:
        if value is None:
            raise ValueError(NOT_BUILT_YET)
        return value

    @field_validator("channelz_address")
    @classmethod
    def _local(cls, value: str) -> str:
        if value and not is_loopback(value.rpartition(":")[0].strip("[]")):
            raise ValueError(f"{value} can be reached from other machines: use 127.0.0.1")
        return value

    @field_validator("avs_performers")
    @classmethod
    def _one_performer_each(cls, value: tuple[AvsPerformer, ...]) -> tuple[AvsPerformer, ...]:
        named = [one.avs_address for one in value]
        twice = sorted({avs for avs in named if named.count(avs) > 1})
        if twice:
            raise ValueError(f"one performer for each AVS: {', '.join(twice)} is given twice")
        return value

    @model_validator(mode="after")
    def _management_is_not_open(self) -> "ExecutorSettings":
        if is_loopback(self.grpc_host) or self.insecure or self.tls.files is None:
            return self  # plaintext for others is refused where the port is opened
        if not self.authentication.enabled and self.tls.client_ca_file is None:
            raise ValueError(
                f"whoever reaches {self.grpc_host} could deploy and remove performers: give "
                "authentication: {enabled: true} or tls.clientCaFile, or say insecure: true as "
                "well if that is meant"
            )
        return self

    @model_validator(mode="after")
    def _routing_fits(self) -> "ExecutorSettings":
        for one in self.avs_performers:
            try:
                self.routing_of(one)
            except ValidationError as error:
                found = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
                raise ValueError(
                    f"routing of AVS {one.avs_address}, together with that of all: {found}"
                ) from None
        return self

    @model_validator(mode="after")
    def _modes_fit(self) -> "ExecutorSettings":
        modes = {one.deployment_mode for one in self.avs_performers}
        if len(modes) > 1 and not self.allow_mixed_modes:
            raise ValueError(f"{MIXED_MODES}; allowMixedModes: true permits it")
        if "kubernetes" in modes and self.kubernetes is None:
            raise ValueError(
                "kubernetes configuration is required when using kubernetes deployment mode"
            )
        if "process" in modes and not self.processes.allow:
            raise ValueError(
                "deploymentMode process runs commands on this machine: set processes.allow: true"
            )
        return self

    @property
    def uses_docker(self) -> bool:
        """Whether docker mode is asked for, or is what is left: it is the default."""
        modes = {one.deployment_mode for one in self.avs_performers}
        others = self.kubernetes is not None or self.processes.allow
        return self.docker is not None or "docker" in modes or not (modes or others)

    def routing_of(self, performer: AvsPerformer) -> Routing:
        """Return how tasks of the AVS of ``performer`` are routed."""
        return performer.routing.over(self.routing) if performer.routing else self.routing

    def stops_on_exit(self, mode: str) -> bool:
        """Whether performers of a mode end with the executor, or are left for its next start."""
        docker, cluster = self.docker or Docker(), self.kubernetes
        return {
            "docker": docker.stop_on_exit,
            "kubernetes": cluster is not None and cluster.stop_on_exit,
            "process": self.processes.stop_on_exit,
        }[mode]

    @property
    def store_directory(self) -> Path:
        """Where the database is; the same in every spelling of ``storage``."""
        if self.storage.type == "badger" and self.storage.badger is not None:
            return Path(self.storage.badger.dir)
        return Path(self.storage.sqlite.dir or self.data_dir)
