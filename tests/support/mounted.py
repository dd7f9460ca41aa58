"""Certificates as Kubernetes mounts them, and what a server shows of them."""

import asyncio
import ssl
from pathlib import Path

from cryptography import x509
from hourglass_services.rpc.tls import TlsFiles

from tests.support.certificates import Issued


class Mounted:
    """A folder as Kubernetes mounts a Secret: all files change at once, by one link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = 0
        folder.mkdir()

    def put(self, issued: Issued, client_ca: bytes = b"") -> TlsFiles:
        self._versions += 1
        version = self.folder / f"..{self._versions}"
        version.mkdir()
        (version / "tls.crt").write_bytes(issued.certificate)
        (version / "tls.key").write_bytes(issued.key)
        (version / "ca.crt").write_bytes(client_ca)
        fresh = self.folder / "..data_tmp"
        fresh.symlink_to(version.name)
        fresh.rename(self.folder / "..data")
        for name in ("tls.crt", "tls.key", "ca.crt"):
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(Path("..data") / name)
        return TlsFiles(
            certificate_file=self.folder / "tls.crt",
            key_file=self.folder / "tls.key",
            client_ca_file=self.folder / "ca.crt" if client_ca else None,
        )


def serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


async def served_serial(address: str) -> int:
    """Return the number of the certificate that a new connection is shown."""
    host, _, port = address.partition(":")
    pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)), timeout=5)
    return serial(pem.encode())
