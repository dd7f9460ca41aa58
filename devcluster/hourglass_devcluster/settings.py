"""What the dev cluster is told."""

from pathlib import Path

from hourglass_common.runtime.settings import Settings
from pydantic import Field, field_validator

DEFAULT_PORT = 16443


class DevClusterSettings(Settings):
    """``address`` is ``host:port``, port 0 for any free one; the kubeconfig names the real one.

    ``fresh`` begins with no state: everything below ``data_dir`` that a run left is removed.
    """

    data_dir: Path = Path(".hourglass/cluster")
    address: str = f"127.0.0.1:{DEFAULT_PORT}"
    kubeconfig: Path | None = Field(default=None, description="default: data_dir/kubeconfig")
    fresh: bool = False

    @field_validator("address")
    @classmethod
    def _is_loopback(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if host not in ("127.0.0.1", "localhost"):
            raise ValueError("the dev cluster listens on 127.0.0.1 only: give 127.0.0.1:PORT")
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{port!r} is not a port, 0 to 65535")
        return value

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def kubeconfig_path(self) -> Path:
        return self.kubeconfig or self.data_dir / "kubeconfig"
