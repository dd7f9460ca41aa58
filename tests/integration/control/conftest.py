"""PerformerControl in a namespace of each test."""

from collections.abc import AsyncIterator

import pytest
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import NAMESPACES

from tests.support.control_pair import Pair, control
from tests.support.control_plane import ControlPlane


@pytest.fixture
async def pair(real_api: ControlPlane, namespace: str) -> AsyncIterator[Pair]:
    async with KubeClient(await connect(real_api.kubeconfig)) as kube:
        await kube.create(
            NAMESPACES,
            None,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        )
        async with control(kube, namespace) as made:
            yield made
