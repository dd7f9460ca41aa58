"""Performers on ``hourglass dev``: dying in a task, changing under load, refused at the door."""

import asyncio
import json
import secrets
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_cli.dev.programs import AGGREGATOR, OPERATOR_ADDRESS
from hourglass_cli.payload import UNSIGNED
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import PERFORMERS
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest, EnvironmentVariable, Submission
from hourglass_services.rpc.channel import open_channel

from tests.support.dev_run import DevRun, Done, gone, hourglass_dev, run, tool

AVS = "0x" + "77" * 20


def submission(payload: bytes = b"0x4") -> Submission:
    return Submission(
        task_id="0x" + secrets.token_hex(32),
        aggregator_address=AGGREGATOR,
        avs_address=AVS,
        payload=payload,
        signature=UNSIGNED,
        operator_set_id=0,
        reference_timestamp=1,
        executor_address=OPERATOR_ADDRESS,
    )


async def deploy(client: ExecutorClient, digest: str, **environment: str) -> str:
    """Deploy the demo performer for the AVS of these tests; return once it serves."""
    request = DeployRequest(
        avs_address=AVS,
        digest=digest,
        registry="demo-performer",
        environment=tuple(
            EnvironmentVariable(name=name, value=value) for name, value in environment.items()
        ),
    )
    return (await client.deploy(request, timeout_seconds=60)).deployment_id


async def kubectl(dev: DevRun, *arguments: str, stdin: str = "") -> Done:
    path = tool("kubectl")
    if path is None:
        pytest.skip("kubectl neither in KUBEBUILDER_ASSETS nor in PATH")
    file = dev.data_dir.parent / "manifest.yaml"
    file.write_text(stdin)
    given = (*arguments, f"--filename={file}") if stdin else arguments
    environ = {"HOME": str(dev.data_dir.parent), "KUBECONFIG": dev.addresses["kubeconfig"]}
    return await run(path, *given, **environ)


async def test_a_performer_that_dies_in_a_task_leaves_an_unknown_outcome_told_again(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "ledger"
    async with (
        hourglass_dev(tmp_path / "data") as dev,
        open_channel(dev.addresses["executor"]) as channel,
    ):
        client = ExecutorClient(channel)
        settings = {"DEMO_PERFORMER_EXIT_DURING": "1", "DEMO_PERFORMER_LEDGER": str(ledger)}
        await deploy(client, "sha256:" + "1" * 64, **settings)
        task = submission()
        for _ in range(2):
            with pytest.raises(HourglassError) as ended:
                await client.submit(task, timeout_seconds=60)
            assert ended.value.code is Code.ABORTED
            assert ended.value.reason == "TASK_OUTCOME_UNKNOWN"
    assert ledger.read_text().split() == [task.task_id]


async def test_an_image_change_under_load_loses_nothing(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    results: Counter[str] = Counter()
    submitted: list[str] = []
    changed = asyncio.Event()

    async def load(client: ExecutorClient) -> None:
        while not changed.is_set():
            task = submission()
            submitted.append(task.task_id)
            try:
                answer = await client.submit(task, timeout_seconds=60)
                results[answer.output.decode()] += 1
            except HourglassError as error:
                results[str(error)] += 1

    async with (
        hourglass_dev(tmp_path / "data") as dev,
        open_channel(dev.addresses["executor"]) as channel,
        KubeClient(await connect(dev.addresses["kubeconfig"])) as cluster,
    ):
        client = ExecutorClient(channel)
        settings = {"DEMO_PERFORMER_DELAY": "0.02", "DEMO_PERFORMER_LEDGER": str(ledger)}
        await deploy(client, "sha256:" + "1" * 64, **settings)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(load(client))
            await change_image(cluster, "demo-performer:v2")
            seen = len(submitted)
            while len(submitted) < seen + 20:  # and tasks go on afterwards
                await asyncio.sleep(0.05)
            changed.set()
    assert results.keys() == {"0x10"}, results
    assert sorted(ledger.read_text().split()) == sorted(submitted)


async def change_image(cluster: KubeClient, image: str) -> None:
    """Change the image of the performer of these tests; return once only the new one runs."""
    listed = await cluster.list(PERFORMERS, "default")
    name = next(
        item["metadata"]["name"] for item in listed.items if item["spec"]["avsAddress"] == AVS
    )
    before = (await cluster.get(PERFORMERS, "default", name))["status"].get("revision")
    await cluster.merge_patch(PERFORMERS, "default", name, {"spec": {"image": image}})
    async with asyncio.timeout(60):
        while True:
            status: dict[str, Any] = (await cluster.get(PERFORMERS, "default", name))["status"]
            if status.get("revision") != before and status.get("ready"):
                return
            await asyncio.sleep(0.1)


async def test_a_bad_object_is_refused_with_the_field_and_the_rule(tmp_path: Path) -> None:
    async with hourglass_dev(tmp_path / "data") as dev:
        bad = {
            "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
            "kind": "Performer",
            "metadata": {"name": "bad"},
            "spec": {"avsAddress": "0x1", "image": "demo-performer", "replicas": -1},
        }
        done = await kubectl(dev, "apply", stdin=yaml.safe_dump(bad))
        assert done.status == 1
        assert "spec.replicas" in done.err
        done = await kubectl(
            dev, "apply", stdin=yaml.safe_dump(bad | {"metadata": {"name": "n" * 54}})
        )
        assert done.status == 1
        done = await kubectl(dev, "get", "performers", "--output=json")
        names = [item["metadata"]["name"] for item in json.loads(done.out)["items"]]
        assert "bad" not in names
        assert len(names) == 1


async def test_a_performer_that_is_deaf_and_busy_does_not_hold_up_the_end(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with (
        hourglass_dev(tmp_path / "data") as dev,
        open_channel(dev.addresses["executor"]) as channel,
    ):
        client = ExecutorClient(channel)
        settings = {
            "DEMO_PERFORMER_IGNORE_SIGTERM": "true",
            "DEMO_PERFORMER_DELAY": "600",
            "DEMO_PERFORMER_LEDGER": str(ledger),
        }
        await deploy(client, "sha256:" + "2" * 64, **settings)
        async with asyncio.TaskGroup() as group:
            busy = group.create_task(client.submit(submission(), timeout_seconds=600))
            while not ledger.exists():
                await asyncio.sleep(0.02)
            busy.cancel()
        family = dev.family()
        dev.process.send_signal(signal.SIGINT)
        assert await gone(family[1:], within_seconds=3.0) == []


async def test_garbage_and_long_lines_from_a_performer_harm_nobody(tmp_path: Path) -> None:
    async with (
        hourglass_dev(tmp_path / "data") as dev,
        open_channel(dev.addresses["executor"]) as channel,
    ):
        client = ExecutorClient(channel)
        await deploy(client, "sha256:" + "3" * 64, DEMO_PERFORMER_CHATTER="true")
        for _ in range(3):
            answer = await client.submit(submission(), timeout_seconds=60)
            assert answer.output == b"0x10"
        assert all(one.application_healthy for one in await client.list())
