"""Two executors, the operator's own code, a blue-green upgrade with long tasks in flight."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_common.kube.resources import REPLICA_SETS, Manifest
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

from tests.support.dev_cluster import DevCluster, dev_cluster
from tests.support.dev_operator import Stage, stage
from tests.support.executor_process import executor_process, running_executor, until
from tests.support.executor_values import submission

__all__ = ["dev_cluster"]

BLUE_GREEN: dict[str, Any] = {
    "strategy": {"type": "BlueGreen", "blueGreen": {"autoPromoteAfterSeconds": 0}},
    "rollout": {"keepPreviousSeconds": 0},
}
ROLLING: dict[str, Any] = {"strategy": {"type": "RollingUpdate"}}
SECONDS = 5.0
"""What a task takes: past the 3 s that executors have for their first word of a drain."""


@pytest.fixture
async def on(dev_cluster: DevCluster, namespace: str) -> AsyncIterator[Stage]:
    async with stage(dev_cluster, namespace) as found:
        yield found


def with_ledger(ledger: Path, delay: float) -> dict[str, Any]:
    return {
        "environment": {
            "DEMO_PERFORMER_DELAY": f"{delay:g}",
            "DEMO_PERFORMER_LEDGER": str(ledger),
        }
    }


def promotion(found: Manifest) -> Manifest | None:
    """Return the receipt of a promotion from one revision to another."""
    for receipt in found["status"].get("receipts") or ():
        if receipt["action"] == "Promote":
            return dict(receipt)
    return None


def drained(found: Manifest) -> bool:
    receipt = promotion(found)
    return receipt is not None and bool(receipt.get("drained"))


async def begun(ledger: Path, count: int) -> None:
    await until(lambda: ledger.exists() and len(ledger.read_text().split()) == count)


@pytest.mark.parametrize(
    ("via", "rollout"),
    [
        pytest.param("performers", BLUE_GREEN, id="performers-BlueGreen"),
        pytest.param("control", ROLLING, id="control-RollingUpdate"),
    ],
)
async def test_the_receipt_has_the_figures_of_both_executors_and_the_old_revision_goes_at_0(
    on: Stage, via: str, rollout: dict[str, Any], tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    await on.create("demo", **rollout, config=with_ledger(ledger, SECONDS))
    old = (await on.get("demo"))["status"]["revision"]
    async with (
        running_executor(on.settings(tmp_path / "a", via)) as a,
        running_executor(on.settings(tmp_path / "b", via)) as b,
        open_channel(a.grpc) as to_a,
        open_channel(b.grpc) as to_b,
        asyncio.TaskGroup() as group,
    ):
        clients = (ExecutorClient(to_a), ExecutorClient(to_b))
        long = [
            group.create_task(client.submit(submission(number), timeout_seconds=60))
            for number, client in enumerate(clients, 1)
        ]
        await begun(ledger, 2)
        await on.change("demo", image="demo-performer:v2")
        await on.until("demo", lambda found: (promotion(found) or {}).get("inFlight") == "2")
        assert not any(task.done() for task in long), "too fast to see a drain"
        after = group.create_task(clients[0].submit(submission(3), timeout_seconds=60))
        assert [(await task).output for task in long] == [b"0x10", b"0x10"]
        ended = asyncio.get_running_loop().time()
        receipt = promotion(await on.until("demo", drained))
        assert asyncio.get_running_loop().time() - ended < 4.0
        assert receipt is not None
        assert (receipt["from"], receipt["inFlight"], receipt["lost"]) == (old, "2", "0")

        async def retired() -> bool:
            found = await on.client.get(REPLICA_SETS, on.namespace, f"demo-{old}")
            return bool(found["spec"]["replicas"] == 0)

        await until(retired)
        assert (await after).output == b"0x10"
    assert sorted(ledger.read_text().split()) == [submission(n).task_id for n in (1, 2, 3)]


async def test_an_executor_that_is_killed_in_a_drain_makes_the_receipt_say_unknown(
    on: Stage, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    await on.create("demo", **BLUE_GREEN, config=with_ledger(ledger, 60.0))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    short = {"performer": {"taskTimeout": "3s"}}
    killed = on.executor(tmp_path / "b", "performers", **short)
    async with (
        running_executor(on.settings(tmp_path / "a", "performers")) as a,
        open_channel(a.grpc) as to_a,
        executor_process(killed, tmp_path / "b") as (process, address),
        open_channel(address) as to_b,
        asyncio.TaskGroup() as group,
    ):
        await until(lambda: ready(to_a))
        group.create_task(never_answered(to_b))
        await begun(ledger, 1)
        await on.change("demo", image="demo-performer:v2")
        reported = await on.until("demo", lambda found: (promotion(found) or {}).get("inFlight"))
        assert (promotion(reported) or {})["inFlight"] == "1"
        assert not drained(reported)
        process.kill()
        receipt = promotion(await on.until("demo", drained))
        assert receipt is not None
        assert (receipt["inFlight"], receipt["lost"]) == ("unknown", "unknown")


async def never_answered(channel: Any) -> None:
    with pytest.raises(HourglassError):
        await ExecutorClient(channel).submit(submission(1), timeout_seconds=60)


async def ready(channel: Any) -> bool:
    """Whether the executor's performer is healthy."""
    (info,) = await ExecutorClient(channel).list()
    return info.application_healthy
