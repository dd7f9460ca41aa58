"""Where a command finds performers: PerformerControl, or the Kubernetes API itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

DEFAULT_CONTROL = "127.0.0.1:50051"
DEFAULT_NAMESPACE = "default"


class Program(Enum):
    """The name that the command line was called by; the value is what its help shows."""

    HOURGLASS = "hourglass"
    KUBECTL = "kubectl hourglass"

    def command(self, words: str) -> str:
        """Return the command line for a command on performers, to be shown to people."""
        if self is Program.KUBECTL:
            return f"kubectl hourglass {words}"
        return f"hourglass performer {words}"


class Way(Enum):
    CONTROL = "PerformerControl"
    KUBECONFIG = "the Kubernetes API"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the flags say about it; "" and None where they say nothing."""

    control: str = ""
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    token: str = ""
    token_file: Path | None = None
    kubeconfig: Path | None = None
    context: str = ""
    acting_as: str = ""
    namespace: str = ""
    all_namespaces: bool = False
    timeout_seconds: float = 10.0

    @property
    def wants_tls(self) -> bool:
        return self.tls or any((self.ca_file, self.cert_file, self.key_file, self.server_name))

    @property
    def names_kubernetes(self) -> bool:
        """Whether a flag means the Kubernetes API."""
        return bool(self.kubeconfig or self.context or self.acting_as)

    def resolved(self, environ: Mapping[str, str]) -> "Target":
        """Return the target with what the environment says where the flags say nothing."""

        def path(given: Path | None, name: str) -> Path | None:
            found = environ.get(name, "")
            return given or (Path(found) if found else None)

        tokens_given = bool(self.token or self.token_file)
        return Target(
            control=self.control or self._control_of(environ),
            tls=self.tls,
            ca_file=path(self.ca_file, "HOURGLASS_CA_FILE"),
            cert_file=path(self.cert_file, "HOURGLASS_CERT_FILE"),
            key_file=path(self.key_file, "HOURGLASS_KEY_FILE"),
            server_name=self.server_name or environ.get("HOURGLASS_SERVER_NAME", ""),
            token=self.token if tokens_given else environ.get("HOURGLASS_TOKEN", ""),
            token_file=self.token_file if tokens_given else path(None, "HOURGLASS_TOKEN_FILE"),
            kubeconfig=self.kubeconfig,
            context=self.context,
            acting_as=self.acting_as,
            namespace=self.namespace or environ.get("HOURGLASS_NAMESPACE", ""),
            all_namespaces=self.all_namespaces,
            timeout_seconds=self.timeout_seconds,
        )

    def _control_of(self, environ: Mapping[str, str]) -> str:
        """Flags count before the environment: a kubeconfig that is named is meant."""
        if self.names_kubernetes:
            return ""
        return environ.get("HOURGLASS_CONTROL", "")

    def way(self, program: Program) -> Way:
        """Return which of the two it is, for a target that is resolved."""
        if self.control:
            return Way.CONTROL
        if self.names_kubernetes or program is Program.KUBECTL:
            return Way.KUBECONFIG
        return Way.CONTROL
