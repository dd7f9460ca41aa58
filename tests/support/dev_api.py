"""The dev cluster's API over real sockets, in this process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import Resource
from hourglass_devcluster.apiserver.kubeconfig import write_kubeconfig
from hourglass_devcluster.apiserver.server import serve

from tests.support.dev_registry import WIDGET_CRD

WIDGETS = Resource("example.org", "v1", "widgets", "Widget")


@asynccontextmanager
async def dev_api(data_dir: Path, **options: Any) -> AsyncGenerator[KubeClient]:
    """Serve the dev cluster's API with its state in ``data_dir``; a client of its kubeconfig."""
    async with serve(data_dir=data_dir, custom_resources=[WIDGET_CRD], **options) as served:
        kubeconfig = write_kubeconfig(data_dir / "kubeconfig", served.url, served.token)
        async with KubeClient(await connect(kubeconfig)) as client:
            yield client
