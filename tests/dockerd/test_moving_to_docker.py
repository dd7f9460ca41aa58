"""A performer moves between process mode and docker mode without a failed task."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker_stock import stocked
from tests.support.modes.executor import ExecutorProgram, executor_program
from tests.support.modes.in_docker import in_docker
from tests.support.modes.moving import (
    moves_and_comes_back,
    moves_by_configuration,
    stays_where_it_is_when_nothing_is_said,
)
from tests.support.modes.on_processes import ProcessWorld
from tests.support.modes.world import World

PROCESSES = ProcessWorld()


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with in_docker(stocked(tmp_path_factory), tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ExecutorProgram]:
    with executor_program(PROCESSES, tmp_path) as found:
        yield found


async def test_a_performer_moves_by_a_call_and_back_under_load(
    program: ExecutorProgram, docker: World
) -> None:
    await moves_and_comes_back(program, PROCESSES, docker)


async def test_a_performer_that_has_moved_stays_when_nothing_is_said(
    program: ExecutorProgram, docker: World
) -> None:
    await stays_where_it_is_when_nothing_is_said(program, PROCESSES, docker)


async def test_a_performer_moves_by_a_changed_configuration(
    program: ExecutorProgram, docker: World
) -> None:
    await moves_by_configuration(program, PROCESSES, docker)
