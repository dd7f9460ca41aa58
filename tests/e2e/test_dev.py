"""``hourglass dev`` as its user meets it: up, down, killed, started again."""

import asyncio
import json
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.dev_run import FREE_PORTS, DevRun, command, gone, hourglass_dev, run

DEMO_AVS = "0xdec0de0000000000000000000000000000000001"


async def submit(dev: DevRun, payload: str, task_id: str = "") -> str:
    """Submit a task by the command line and return what it printed."""
    done = await run(
        *command("task", "submit", f"--avs={DEMO_AVS}", f"--payload={payload}"),
        f"--executor={dev.addresses['executor']}",
        f"--task-id={task_id}",
        "--reference-timestamp=1",
    )
    assert done.status == 0, done.err
    return done.out.strip()


async def performers(dev: DevRun) -> list[str]:
    done = await run(
        *command("performer", "list", f"--control={dev.addresses['performerControl']}", "-oname")
    )
    assert done.status == 0, done.err
    return done.out.split()


async def test_ci_is_one_round_with_one_json_object_as_the_last_line(tmp_path: Path) -> None:
    done = await run(*command("dev", "--ci", *FREE_PORTS), cwd=tmp_path)
    report = json.loads(done.out.splitlines()[-1])
    assert done.status == 0, done.err
    assert report["ok"] is True
    assert report["task"]["result"] == "0x10"
    assert 0 < report["seconds"] < 60
    addresses = report["addresses"]
    assert addresses.keys() == {
        "kubeconfig",
        "performerControl",
        "executor",
        "executorManagement",
        "metrics",
    }
    assert addresses["metrics"].keys() == {"operator", "executor"}
    assert (tmp_path / ".hourglass").is_dir()
    assert not (tmp_path / ".hourglass" / "dev.json").exists()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_everything_within_three_seconds(
    tmp_path: Path, told: signal.Signals
) -> None:
    async with hourglass_dev(tmp_path / "data") as dev:
        family = dev.family()
        assert len(family) >= 5  # itself, the cluster, the operator, the executor, a performer
        started = time.monotonic()
        dev.process.send_signal(told)
        assert await gone(family[1:], within_seconds=3.0) == []
        assert await dev.process.wait() == 0
        assert time.monotonic() - started < 3.0
        assert not (dev.data_dir / "dev.json").exists()


async def test_killing_the_parent_leaves_no_process(tmp_path: Path) -> None:
    async with hourglass_dev(tmp_path / "data") as dev:
        family = dev.family()
        dev.process.kill()
        assert await gone(family, within_seconds=5.0) == []


async def test_a_run_after_a_kill_starts_and_keeps_performers_and_results(tmp_path: Path) -> None:
    task_id = "0x" + "5a" * 32
    async with hourglass_dev(tmp_path / "data") as dev:
        before = await performers(dev)
        first = await submit(dev, "0x5", task_id)
        dev.process.kill()
        await dev.process.wait()
    async with hourglass_dev(tmp_path / "data") as dev:
        assert await performers(dev) == before
        assert await submit(dev, "0x5", task_id) == first == "0x19"
        assert await submit(dev, "0x6") == "0x24"


@pytest.mark.parametrize("part", ["cluster", "operator", "executor"])
async def test_a_part_that_dies_ends_the_run_and_its_log_is_named(
    tmp_path: Path, part: str
) -> None:
    async with hourglass_dev(tmp_path / "data") as dev:
        family = dev.family()
        next(process for process in family if part in process.cmdline()).kill()
        async with asyncio.timeout(10):
            assert await dev.process.wait() == 1
        assert await gone(family[1:], within_seconds=1.0) == []
    output = (tmp_path / "data.out").read_text()
    assert f"the {part} was killed by signal 9" in output
    assert str(tmp_path / "data" / "logs" / f"{part}.log") in output


async def test_a_taken_port_is_refused_with_its_flag_before_anything_starts(
    tmp_path: Path,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = (*FREE_PORTS, f"--executor-port={port}")
        done = await run(*command("dev", "--data-dir=data", *flags), cwd=tmp_path)
    assert done.status == 1
    assert f"port {port} can not be used" in done.err
    assert "--executor-port" in done.err
    assert not (tmp_path / "data" / "logs").exists()


async def test_a_second_run_on_one_data_directory_is_refused(tmp_path: Path) -> None:
    async with hourglass_dev(tmp_path / "data") as dev:
        done = await run(*command("dev", f"--data-dir={dev.data_dir}", *FREE_PORTS))
        assert done.status == 1
        assert f"process {dev.process.pid}" in done.err
        assert "--data-dir" in done.err
        assert await submit(dev, "0x4") == "0x10"  # the first one goes on


async def test_ci_that_is_interrupted_says_so_and_fails(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("dev", "--ci", *FREE_PORTS), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    log = tmp_path / ".hourglass" / "logs" / "cluster.log"
    async with asyncio.timeout(30):
        while not log.exists():
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(10):
        out, _ = await process.communicate()
    report = json.loads(out.splitlines()[-1])
    assert process.returncode == 1
    assert (report["ok"], report["error"]) == (False, "interrupted before the task was checked")


async def test_ci_that_can_not_become_ready_says_why_in_json(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = (*FREE_PORTS, f"--api-port={port}")
        done = await run(*command("dev", "--ci", *flags), cwd=tmp_path)
    report = json.loads(done.out.splitlines()[-1])
    assert done.status == 1
    assert report["ok"] is False
    assert "--api-port" in report["error"]


async def test_a_part_that_is_not_ready_in_time_is_named(tmp_path: Path) -> None:
    flags = ("--data-dir=data", "--ready-timeout=1", *FREE_PORTS)
    done = await run(*command("dev", *flags), cwd=tmp_path)
    assert done.status == 124
    assert "is not Ready after 1 s" in done.err
    assert str(tmp_path / "data" / "logs") in done.err
