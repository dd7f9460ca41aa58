"""A namespace behind a proxy that can spoil what the operator asks."""

from collections.abc import AsyncIterator

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.kill_runs import Lane, lane


@pytest.fixture
async def spoiled(real_api: ControlPlane, namespace: str) -> AsyncIterator[Lane]:
    """One operator, ready; a watch that is silent for 2 s counts as dead."""
    async with lane(real_api, namespace, watch_idle_seconds="2") as found:
        yield found
        assert found.operator.complaints() == []
        assert found.history.orphans() == []
