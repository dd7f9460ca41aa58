"""A server's certificate and its clients' authority, read anew when they were replaced."""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger

from .files import read_file

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of a server; with ``client_ca_file`` clients must have a certificate of it."""

    certificate_file: Path
    key_file: Path
    client_ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class _Content:
    certificate: bytes
    key: bytes
    client_ca: bytes | None


class ServerCertificates:
    """Gives every handshake what the files hold then.

    A pair that does not belong together, or half of a new one, is not taken: the one before
    serves on, and the log says why.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._complaint = ""
        self._current = _read(files)
        _check(files, self._current)

    def credentials(self) -> grpc.ServerCredentials:
        fetch: Any = self.fetch  # the stubs leave out that None is an answer
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._current),
            fetch,
            require_client_authentication=self._files.client_ca_file is not None,
        )

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what to use from now on, None for no change; called by the core's threads."""
        with self._lock:
            try:
                found = self._replacement()
            except HourglassError as error:
                if error.message != self._complaint:  # once, not with every handshake
                    self._complaint = error.message
                    log.error("new certificate not taken", error=str(error))
                return None
            if found is None:
                return None
            self._current = found
            self._complaint = ""
        log.info("new certificate taken", file=str(self._files.certificate_file))
        return _configuration(found)

    def _replacement(self) -> _Content | None:
        """Return what the files hold if it is new and whole; raises if it is of no use."""
        found = _read(self._files)
        if found == self._current:
            return None
        _check(self._files, found)
        same = _read(self._files) == found  # else it was replaced while it was looked at
        return found if same else None


def _configuration(content: _Content) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(content.key, content.certificate)], content.client_ca
    )


def _read(files: TlsFiles) -> _Content:
    return _Content(
        read_file(files.certificate_file, "the certificate file"),
        read_file(files.key_file, "the key file"),
        read_file(files.client_ca_file, "the clients' CA file") if files.client_ca_file else None,
    )


def _check(files: TlsFiles, content: _Content) -> None:
    """Raise FAILED_PRECONDITION unless the key is the certificate's and the authority is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate_file, files.key_file, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"{files.certificate_file} and {files.key_file} are not a certificate and its key: "
            f"{_words(exc)}",
            reason="BAD_CERTIFICATE_FILES",
            hint="both must be PEM, the key without a password",
        ) from exc
    if content.client_ca is None:
        return
    try:
        context.load_verify_locations(cadata=content.client_ca.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"{files.client_ca_file} holds no certificate of an authority: {_words(exc)}",
            reason="BAD_CLIENT_CA_FILE",
            hint="it must be PEM",
        ) from exc


def _words(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)
