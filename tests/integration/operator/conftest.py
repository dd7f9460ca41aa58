"""A namespace on each of the two API servers for every test of the operator."""

from collections.abc import AsyncIterator

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster, namespace_of_a_test
from tests.support.targets import check_reason, dev_api, only_here, plane, targets_of

__all__ = ["dev_api", "only_here", "plane"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on both, or on the real API alone for one of the known reasons."""
    only = metafunc.definition.get_closest_marker("only")
    if only is not None:
        check_reason(only)
    if "plane" in metafunc.fixturenames:
        metafunc.parametrize("plane", targets_of(only), indirect=True)


@pytest.fixture
async def cluster(plane: ControlPlane, namespace: str) -> AsyncIterator[Cluster]:
    async with namespace_of_a_test(plane, namespace) as found:
        yield found
