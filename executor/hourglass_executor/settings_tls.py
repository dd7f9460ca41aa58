"""The part of the configuration that is about the certificate of the executor's two ports."""

from pathlib import Path

from hourglass_services.rpc.tls import TlsFiles
from pydantic import model_validator

from .settings_sections import Section


class Tls(Section):
    """Ours: both ports speak TLS with ``certificateFile`` and ``keyFile`` (PEM, the key without a
    password; read again whenever they were replaced). With ``clientCaFile`` clients must show a
    certificate of that authority, whoever calls and whatever they call.
    """

    certificate_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Tls":
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificateFile and keyFile need each other")
        if self.client_ca_file and not self.certificate_file:
            raise ValueError("clientCaFile needs certificateFile and keyFile")
        return self

    @property
    def files(self) -> TlsFiles | None:
        """Return the files, None for plaintext."""
        if self.certificate_file is None or self.key_file is None:
            return None
        return TlsFiles(
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            client_ca_file=self.client_ca_file,
        )
