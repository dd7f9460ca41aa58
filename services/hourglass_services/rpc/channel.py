"""Client channels to the pair's own servers."""

from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
from hourglass_common.domain.errors import Code, HourglassError

from .address import is_loopback
from .bearer import FixedToken, TokenFile, TokenSource, shown_by
from .files import read_file

_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.enable_retries", 0),  # nothing may run twice without our code knowing
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 10_000),
    ("grpc.max_receive_message_length", 16 << 20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSecurity:
    """How a channel knows its server, and what it shows of itself.

    TLS unless ``plaintext``. The certificates are read when the channel is opened; a token file
    is read again whenever it was replaced.
    """

    ca_file: Path | None = None
    """Who signed the server's certificate; None means any authority that this machine trusts."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate, where the server asks for one; both or neither."""
    server_name: str = ""
    """The name in the server's certificate, where it is not that of the address."""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    """A token to show, or the file that holds it; at most one of the two."""
    plaintext: bool = False
    """No TLS: a token is then shown to this machine alone."""


def open_channel(address: str, security: ChannelSecurity | None = None) -> grpc.aio.Channel:
    """Return a channel to ``host:port``; it connects by itself, again and again.

    Plaintext unless ``security`` is given. FAILED_PRECONDITION if one of its files can not be
    read, or if a token would travel in plaintext; INVALID_ARGUMENT if it contradicts itself.
    """
    security = security or ChannelSecurity(plaintext=True)
    _check(security, address)
    source = _token_source(security)
    interceptors = shown_by(source) if source else None
    if security.plaintext:
        return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors)
    options = list(_OPTIONS)
    if security.server_name:
        options.append(("grpc.ssl_target_name_override", security.server_name))
        options.append(("grpc.default_authority", security.server_name))
    return grpc.aio.secure_channel(
        address, _credentials(security), options=options, interceptors=interceptors
    )


def _check(security: ChannelSecurity, address: str) -> None:
    pair = (security.certificate_file, security.key_file)
    tls = (security.ca_file, *pair, security.server_name)
    if security.plaintext and any(tls):
        raise _contradiction("plaintext has no certificates and no server name")
    if any(pair) and not all(pair):
        raise _contradiction("a certificate needs its key, and a key its certificate")
    if security.token and security.token_file:
        raise _contradiction("give a token or a token file, not both")
    shows_token = bool(security.token or security.token_file)
    if security.plaintext and shows_token and not is_loopback(_host(address)):
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"a token is not sent to {address} in plaintext: who reads it on the way could use it",
            reason="INSECURE_TOKEN",
            hint="use TLS: give the server's CA",
        )


def _contradiction(message: str) -> HourglassError:
    return HourglassError(Code.INVALID_ARGUMENT, message, reason="BAD_CHANNEL_SECURITY")


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _token_source(security: ChannelSecurity) -> TokenSource | None:
    if security.token_file:
        return TokenFile(security.token_file)
    return FixedToken(security.token) if security.token else None


def _credentials(security: ChannelSecurity) -> grpc.ChannelCredentials:
    ca = read_file(security.ca_file, "the CA file") if security.ca_file else None
    key = read_file(security.key_file, "the key file") if security.key_file else None
    chain = (
        read_file(security.certificate_file, "the certificate file")
        if security.certificate_file
        else None
    )
    return grpc.ssl_channel_credentials(ca, key, chain)
