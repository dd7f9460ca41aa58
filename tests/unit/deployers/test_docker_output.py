"""What containers write, in files: from where it was left, and never without an end."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from hourglass_executor.deployers.docker.output import BYTES_PER_SECOND, OutputFiles
from hourglass_executor.deployers.log_files import MAX_LOG_BYTES, prune

from tests.support.manual_clock import ManualClock


def line(second: int, text: str) -> bytes:
    return f"2026-01-02T03:04:{second:02}.000000007Z {text}\n".encode()


class Engine:
    """Gives the output of one container, and notes from where on it was asked for."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = frames
        self.since: list[str] = []

    async def follow_output(self, container: str, since: str) -> AsyncGenerator[bytes, None]:
        self.since.append(since)
        for frame in self.frames:
            yield frame


async def copied(engine: Engine, folder: Path) -> Path:
    async with asyncio.TaskGroup() as group:
        files = OutputFiles(engine, folder, group, ManualClock())  # type: ignore[arg-type]
        files.follow("c0ffee", "performer-a-b-0")
    return folder / "performer-a-b-0.log"


async def test_output_goes_to_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    file = await copied(Engine(line(1, "one"), line(2, "two")), tmp_path / "logs")
    assert file.read_bytes() == line(1, "one") + line(2, "two")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_copy_goes_on_where_the_one_before_has_ended(tmp_path: Path) -> None:
    await copied(Engine(line(1, "one"), line(2, "two")), tmp_path)
    engine = Engine(line(2, "two"), line(3, "three"))  # `since` includes the moment itself
    file = await copied(engine, tmp_path)
    assert engine.since == ["1767323042.000000007"]
    assert file.read_bytes() == line(1, "one") + line(2, "two") + line(3, "three")


async def test_where_only_seconds_are_told_a_line_comes_rather_twice_than_not_at_all(
    tmp_path: Path,
) -> None:
    first, second = (f"2026-01-02T03:04:0{n}Z {n}\n".encode() for n in (1, 2))
    await copied(Engine(first, second), tmp_path)
    also = second.replace(b"Z 2", b"Z also 2")
    engine = Engine(first, second, also)
    file = await copied(engine, tmp_path)
    assert engine.since == ["1767323042.0"]
    assert file.read_bytes() == first + second + second + also


async def test_a_file_does_not_outgrow_its_bound(tmp_path: Path) -> None:
    noise = line(1, "x" * (1 << 20))
    file = await copied(Engine(*(noise for _ in range(2 + MAX_LOG_BYTES // len(noise)))), tmp_path)
    assert file.stat().st_size <= MAX_LOG_BYTES + BYTES_PER_SECOND
    assert file.with_name(file.name + ".1").exists()


async def test_a_folder_that_can_not_be_written_costs_the_log_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    await copied(Engine(line(1, "one")), tmp_path / "logs")


def test_the_oldest_logs_of_performers_that_are_gone_are_removed(tmp_path: Path) -> None:
    for number in range(6):
        file = tmp_path / f"performer-{number}.log"
        file.touch()
        os.utime(file, (number, number))
    (tmp_path / "other.log").touch()
    prune(tmp_path, [tmp_path / "performer-0.log"], keep=3)
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == ["other.log", *(f"performer-{number}.log" for number in (0, 3, 4, 5))]
