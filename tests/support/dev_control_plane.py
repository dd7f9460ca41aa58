"""The dev cluster's API server with its controllers, without a node: pods are not run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hourglass_devcluster.apiserver.server import serve

DEV_HAS_CONTROLLERS = False


@asynccontextmanager
async def serve_dev_control_plane(
    data_dir: Path, custom_resources: Sequence[dict[str, Any]]
) -> AsyncIterator[tuple[str, str]]:
    """Yield its URL and the administrator's token."""
    async with serve(data_dir=data_dir, custom_resources=custom_resources) as served:
        yield served.url, served.token
