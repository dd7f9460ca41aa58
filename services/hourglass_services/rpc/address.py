"""Listen addresses: how they are written, and which of them stay on this machine."""

import ipaddress

from hourglass_common.domain.errors import Code, HourglassError


def split_address(address: str, flag: str) -> tuple[str, int]:
    """Return host and port of ``host:port``, ``[ipv6]:port`` or ``:port`` (all interfaces)."""
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65535:
        raise HourglassError(
            Code.INVALID_ARGUMENT,
            f"{flag}: {address!r} is not an address",
            hint="write host:port, such as 127.0.0.1:9090",
        )
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  asked for by ":port"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def port_taken(address: str, flag: str) -> HourglassError:
    """Return the error for a port that another program listens on."""
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"can not listen on {address}: the port is taken or the address is not this machine's",
        reason="PORT_TAKEN",
        hint=f"stop the program that listens there, or choose another port with {flag}",
    )
