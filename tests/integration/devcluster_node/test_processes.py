"""The dev cluster as a process: stopped, killed, started again, and started twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import PODS
from hourglass_devcluster.main import run
from hourglass_devcluster.node_agent.orphans import MARK, end_orphans, remember
from hourglass_devcluster.settings import DevClusterSettings

from tests.support.dev_cluster import running_dev_cluster
from tests.support.dev_pods import pod, pod_until, python_container, restarts, runs

_PROGRAM = """
import asyncio, sys
from hourglass_common.runtime.logs import configure_logs
from pathlib import Path
from hourglass_devcluster.main import run
from hourglass_devcluster.settings import DevClusterSettings
configure_logs()
settings = DevClusterSettings(data_dir=Path(sys.argv[1]), address="127.0.0.1:0")
asyncio.run(run(settings, on_ready=lambda _: print("ready", flush=True)))
"""
_STAYS = "import time; time.sleep(600)"
_STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_STAYS}"
SPACE = "default"


@contextmanager
def _process(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(data_dir)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _pids(data_dir: Path) -> list[int]:
    return [json.loads(each.read_bytes())["pid"] for each in (data_dir / "pids").glob("*.json")]


async def test_a_stop_ends_all_processes_promptly(tmp_path: Path) -> None:
    with running_dev_cluster(tmp_path) as cluster:
        async with KubeClient(await connect(cluster.kubeconfig)) as client:
            for name in ("one", "two", "three"):
                await client.create(PODS, SPACE, pod(name, python_container(_STUBBORN)))
                await pod_until(client, SPACE, name, runs)
        left = [psutil.Process(pid) for pid in _pids(tmp_path)]
        assert len(left) == 3
        began = time.monotonic()
    assert time.monotonic() - began < 2.5
    assert not [each for each in left if each.is_running()]


async def test_pods_of_the_run_before_run_again(tmp_path: Path) -> None:
    with running_dev_cluster(tmp_path) as cluster:
        async with KubeClient(await connect(cluster.kubeconfig)) as client:
            await client.create(PODS, SPACE, pod("one", python_container(_STAYS)))
            await pod_until(client, SPACE, "one", runs)
    with running_dev_cluster(tmp_path) as cluster:
        async with KubeClient(await connect(cluster.kubeconfig)) as client:
            await pod_until(client, SPACE, "one", lambda p: runs(p) and restarts(p) == 1)


async def test_a_killed_dev_cluster_leaves_nothing_for_long(tmp_path: Path) -> None:
    with _process(tmp_path) as process:
        async with KubeClient(await connect(tmp_path / "kubeconfig")) as client:
            await client.create(PODS, SPACE, pod("one", python_container(_STUBBORN)))
            await pod_until(client, SPACE, "one", runs)
        (pid,) = _pids(tmp_path)
        orphan = psutil.Process(pid)
        process.kill()
        process.wait()
        if sys.platform == "linux":
            orphan.wait(5)
    with running_dev_cluster(tmp_path) as cluster:
        async with KubeClient(await connect(cluster.kubeconfig)) as client:
            await pod_until(client, SPACE, "one", lambda p: runs(p) and restarts(p) == 1)
        assert not orphan.is_running()


def test_orphans_are_ended_with_all_of_their_group(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', '{_STAYS}']); {_STAYS}"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as process:
        try:
            remember(tmp_path / "a.json", process.pid)
            orphan = psutil.Process(process.pid)
            while not (children := orphan.children()):
                time.sleep(0.02)  # noqa: TID251
            assert end_orphans(tmp_path) == 1
            psutil.wait_procs(children, timeout=5)
            assert not children[0].is_running()
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []


def test_a_process_with_the_number_of_an_orphan_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _STAYS], start_new_session=True) as process:
        try:
            noted = {"pid": process.pid, "started": 1.0}
            (tmp_path / "a.json").write_text(json.dumps(noted))
            (tmp_path / "b.json").write_text("not json")
            assert end_orphans(tmp_path) == 0
            assert process.poll() is None
        finally:
            os.killpg(process.pid, signal.SIGKILL)


async def test_a_second_one_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running_dev_cluster(tmp_path), pytest.raises(HourglassError, match="another dev cluster"):
        await run(DevClusterSettings(data_dir=tmp_path, address="127.0.0.1:0"))


def test_what_a_container_left_behind_is_ended_when_the_container_is_gone(tmp_path: Path) -> None:
    marked = os.environ | {MARK: "pod-1"}
    with subprocess.Popen([sys.executable, "-c", _STAYS], env=marked) as left:
        try:
            (tmp_path / "pod-1.json").write_text(json.dumps({"pid": 2**22 + 1, "started": 1.0}))
            while psutil.Process(left.pid).environ().get(MARK) is None:
                time.sleep(0.02)  # noqa: TID251
            assert end_orphans(tmp_path) == 1
            assert not psutil.pid_exists(left.pid)
        finally:
            left.kill()
