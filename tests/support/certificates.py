"""Certificates made in a test: authorities, servers, and clients with a name and groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both and return their paths, the certificate's first."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)
        return certificate, key


class Authority:
    """Signs certificates; ``pem`` is its own, ``key_pem`` the key to it."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        made = _builder(self._name, self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.pem = made.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        self.key_pem = _private(self._key)

    def server(self, *names: str) -> Issued:
        """Return a certificate for 127.0.0.1, localhost and ``names``."""
        known: list[x509.GeneralName] = [x509.DNSName(n) for n in ("localhost", *names)]
        known.append(x509.IPAddress(ip_address("127.0.0.1")))
        return self._issue(_name("server"), known, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(
        self, name: str, groups: Sequence[str] = (), dns: str = "", more_names: Sequence[str] = ()
    ) -> Issued:
        """Return a certificate for the user ``name`` in ``groups``, as Kubernetes reads one."""
        alternative = [x509.DNSName(dns)] if dns else []
        subject = _name(name, groups, more_names)
        return self._issue(subject, alternative, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self, subject: x509.Name, known: Sequence[x509.GeneralName], usage: x509.ObjectIdentifier
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(subject, self._name, key.public_key()).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if known:
            made = made.add_extension(x509.SubjectAlternativeName(known), critical=False)
        return Issued(
            made.sign(self._key, SHA256()).public_bytes(Encoding.PEM),
            _private(key),
        )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common: str, groups: Sequence[str] = (), more_names: Sequence[str] = ()) -> x509.Name:
    given = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    names = [n for n in (common, *more_names) if n]
    return x509.Name([*given, *(x509.NameAttribute(NameOID.COMMON_NAME, n) for n in names)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
