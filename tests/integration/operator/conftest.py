"""A namespace on the real control plane for each test of the operator."""

from collections.abc import AsyncIterator

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster, namespace_of_a_test


@pytest.fixture
async def cluster(real_api: ControlPlane, namespace: str) -> AsyncIterator[Cluster]:
    async with namespace_of_a_test(real_api, namespace) as found:
        yield found
