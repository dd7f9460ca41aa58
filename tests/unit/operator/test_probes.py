"""The probes tell the truth: of the process, and of what it knows."""

import asyncio

import pytest
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import Connection
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import PODS
from hourglass_common.runtime.admin import Check, Fine
from hourglass_operator.runtime.probes import LATE_SECONDS, STALE_SECONDS, STUCK_SECONDS, Probes
from prometheus_client import REGISTRY

from tests.support.manual_clock import ManualClock


def is_fine(check: Check) -> bool:
    found = check()
    return found is None or isinstance(found, Fine)


async def no_authorization() -> str | None:
    return None


def cache(clock: ManualClock) -> Reflector:
    client = KubeClient(Connection("http://127.0.0.1:1", None, no_authorization))
    return Reflector(client, PODS, clock=clock)


async def forever() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise ValueError("the reason")


async def test_a_loop_that_is_held_up_is_not_alive() -> None:
    clock = ManualClock()
    probes = Probes(clock)
    check = probes.live["event loop"]
    clock.advance(LATE_SECONDS + 1)
    assert check() == "held up for 11 s"
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(probes.run())
        await asyncio.sleep(0)
        assert is_fine(check)
        beating.cancel()


async def test_a_watch_that_ended_is_not_alive_and_says_why() -> None:
    clock = ManualClock()
    probes = Probes(clock)
    loop = asyncio.get_running_loop()
    task = loop.create_task(fails())
    probes.follow(cache(clock), task)
    check = probes.live["watch of pods"]
    assert is_fine(check)
    await asyncio.wait({task})
    assert check() == "ended: the reason"


async def test_ready_is_who_has_listed_and_hears_news() -> None:
    clock = ManualClock()
    probes = Probes(clock)
    pods = cache(clock)
    task = asyncio.get_running_loop().create_task(forever())
    probes.follow(pods, task)
    check = probes.ready["pods"]
    assert check() == "not listed yet"
    pods.synced.set()
    clock.advance(3)
    assert check() == "news 3 s ago"
    assert is_fine(check)
    assert REGISTRY.get_sample_value(
        "hourglass_operator_watch_age_seconds", {"resource": "pods"}
    ) == pytest.approx(3)
    clock.advance(STALE_SECONDS)
    assert check() == "no news for 183 s"
    assert not is_fine(check)
    task.cancel()


async def test_workers_have_to_live_and_to_come_to_ends() -> None:
    probes = Probes(ManualClock())
    tasks: list[asyncio.Task[None]] = []
    longest = 0.0
    probes.work(lambda: tasks, lambda: longest)
    check = probes.live["workers"]
    assert is_fine(check), "no workers: another replica leads"
    loop = asyncio.get_running_loop()
    tasks += [loop.create_task(forever()), loop.create_task(fails())]
    assert is_fine(check)
    await asyncio.wait({tasks[1]})
    assert check() == "1 of 2: ended: the reason"
    tasks.pop()
    longest = STUCK_SECONDS + 1
    assert check() == "one works on the same key for 121 s"
    tasks[0].cancel()
