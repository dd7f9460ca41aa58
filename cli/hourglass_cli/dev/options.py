"""What ``hourglass dev`` is told, and the addresses that follow from it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
"""Everything listens on the loopback interface only: nothing here asks for credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports that are listened on; 0 stands for any free one. Field names are the flags'."""

    executor_port: int = 9090
    control_port: int = 50051
    api_port: int = 16443
    operator_metrics_port: int = 8081
    executor_metrics_port: int = 8082


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """``ready_timeout`` is in seconds, for all parts together."""

    data_dir: Path = Path(".hourglass")
    fresh: bool = False
    ci: bool = False
    ports: Ports = field(default_factory=Ports)
    ready_timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The files of one data directory."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def addresses(self) -> Path:
        return self.root / "dev.json"

    @property
    def lock(self) -> Path:
        return self.root / "dev.lock"

    @property
    def cluster(self) -> Path:
        return self.root / "cluster"

    @property
    def executor(self) -> Path:
        return self.root / "executor"

    @property
    def executor_config(self) -> Path:
        return self.root / "executor.yaml"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @property
    def state(self) -> tuple[Path, ...]:
        """What ``--fresh`` removes: all that a run leaves behind, and nothing else."""
        return (
            self.kubeconfig,
            self.addresses,
            self.cluster,
            self.executor,
            self.executor_config,
            self.logs,
        )


def addresses(layout: Layout, ports: Ports) -> dict[str, Any]:
    """Return the content of ``dev.json``."""
    return {
        "kubeconfig": str(layout.kubeconfig),
        "performerControl": f"{HOST}:{ports.control_port}",
        "executor": f"{HOST}:{ports.executor_port}",
        "executorManagement": f"{HOST}:{ports.executor_port}",
        "metrics": {
            "operator": f"http://{HOST}:{ports.operator_metrics_port}/metrics",
            "executor": f"http://{HOST}:{ports.executor_metrics_port}/metrics",
        },
    }
