"""Addresses of this machine that a Kubernetes API takes."""

import psutil
import pytest


def own_address() -> str:
    """Return an address of this machine that is not loopback's: EndpointSlices refuse that."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family.name == "AF_INET" and not one.address.startswith("127."):
                return str(one.address)
    pytest.skip("this machine has no address but loopback, and the API refuses that one")
