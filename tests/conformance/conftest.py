"""One suite for every mode in which performers run: ``pytest tests/conformance --modes=process``.

Every case is a function that gets the mode as ``world`` or through ``caller``; ``cases.txt`` lists
them, once for all modes.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.docker_stock import stocked
from tests.support.modes.executor import Caller, ExecutorProgram, calling, executor_program
from tests.support.modes.in_a_cluster import in_a_cluster
from tests.support.modes.in_docker import in_docker
from tests.support.modes.on_processes import on_processes
from tests.support.modes.world import World

MODES = ("process", "docker", "performers", "control")
"""The last two are kubernetes mode, by ``via``."""
FROM_THE_EXECUTOR = {"CONFORMANCE_FAIL": "DATA_LOSS"}
"""What the shared executor has in its own environment."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames:
        asked = str(metafunc.config.getoption("--modes"))
        metafunc.parametrize("mode", asked.split(","), scope="session")


@pytest.fixture(scope="session")
def world(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with _world(mode, tmp_path_factory) as found:
        yield found


def _world(mode: str, folders: pytest.TempPathFactory) -> AbstractContextManager[World]:
    match mode:
        case "process":
            return on_processes()
        case "docker":
            return in_docker(stocked(folders), folders.mktemp("registry"))
        case "performers" | "control":
            return in_a_cluster(folders.mktemp("cluster"), mode)
        case _:
            raise pytest.UsageError(f"--modes: {mode!r} is none of {', '.join(MODES)}")


@pytest.fixture(scope="session")
def shared(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExecutorProgram]:
    """One executor for all cases that neither stop it nor configure it: each has its own AVS."""
    folder = tmp_path_factory.mktemp("executor")
    with executor_program(world, folder, FROM_THE_EXECUTOR) as program:
        yield program


@pytest.fixture
async def caller(world: World, shared: ExecutorProgram) -> AsyncIterator[Caller]:
    """A caller of the shared executor, for an AVS of the test's own."""
    if not shared.address:
        await shared.start(stop_on_exit=True)
    async with calling(world, shared.address) as found:
        yield found
        await found.clear()


@pytest.fixture
def program(world: World, tmp_path: Path) -> Iterator[ExecutorProgram]:
    """An executor of the test's own, not started yet."""
    with executor_program(world, tmp_path) as found:
        yield found
