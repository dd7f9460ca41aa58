"""The two API servers of a suite that runs on both: a real one, and the dev cluster's.

A conftest imports the fixtures and the hook from here. ``@pytest.mark.only(target, reason)`` keeps
a test to one of them; in the operator's suite the reason is one of ``REAL_ONLY``.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_devcluster.apiserver.kubeconfig import write_kubeconfig

from tests.support.control_plane import ControlPlane
from tests.support.dev_control_plane import serve_dev_control_plane

REAL: Final = "real"
DEV: Final = "dev"

QUOTA: Final = "quota"
RBAC: Final = "RBAC evaluation"
POD_SECURITY: Final = "PodSecurity"
ADMISSION: Final = "admission policies"
AUDIT_LOG: Final = "audit log"
PLAYED_NODES: Final = "nodes that kwok plays"
UNSERVED: Final = "a kind or a controller that the dev cluster lacks"
REAL_ONLY: Final = frozenset(
    {QUOTA, RBAC, POD_SECURITY, ADMISSION, AUDIT_LOG, PLAYED_NODES, UNSERVED}
)
"""What the dev cluster has not: the only reasons for a test of the operator to leave it out."""


def targets_of(only: pytest.Mark | None) -> list[str]:
    """Return the targets of a test with that mark: never is one left out by a skip."""
    return [REAL, DEV] if only is None else [only.args[0]]


def check_reason(only: pytest.Mark) -> None:
    """Raise UsageError unless the mark keeps a test to the real API for one of the reasons."""
    target, reason = only.args
    if target != REAL or reason not in REAL_ONLY:
        known = ", ".join(sorted(REAL_ONLY))
        raise pytest.UsageError(f"only({target!r}, {reason!r}): only('real', one of: {known})")


@pytest.fixture(scope="session")
def dev_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The dev cluster's API server and controllers."""
    folder = Path(tmp_path_factory.mktemp("dev-cluster"))
    with dev_control_plane(folder, [performer_crd()]) as plane:
        yield plane


@pytest.fixture
def plane(request: pytest.FixtureRequest) -> ControlPlane:
    """The API server of this run of a test: parametrize it with the names of targets."""
    name = "dev_api" if request.param == DEV else "real_api"
    found: ControlPlane = request.getfixturevalue(name)
    return found


@pytest.fixture(autouse=True)
def only_here(request: pytest.FixtureRequest) -> None:
    """Note in the report of a test that it is kept to one target, and why."""
    only = request.node.get_closest_marker("only")
    if only is not None:
        request.node.user_properties.append(("only", f"{only.args[0]}: {only.args[1]}"))


@contextmanager
def dev_control_plane(
    folder: Path, custom_resources: Sequence[dict[str, Any]]
) -> Iterator[ControlPlane]:
    """Run it on a loop and thread of its own; it has no audit log: the path is of no file."""
    ready = threading.Event()
    found: list[ControlPlane] = []
    failed: list[BaseException] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stopping = asyncio.Event()
        async with serve_dev_control_plane(folder, custom_resources) as (url, token):
            kubeconfig = write_kubeconfig(folder / "test.kubeconfig", url, token)
            found.append(ControlPlane(url, kubeconfig, folder / "audit.log", token))
            stop.append((asyncio.get_running_loop(), stopping))
            ready.set()
            await stopping.wait()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # told to the thread that waits
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="dev-control-plane")
    thread.start()
    ready.wait(30)
    if failed:
        raise failed[0]
    yield found[0]
    loop, stopping = stop[0]
    loop.call_soon_threadsafe(stopping.set)
    thread.join(15)
    assert not thread.is_alive(), "the dev control plane does not stop"
    if failed:
        raise failed[0]
