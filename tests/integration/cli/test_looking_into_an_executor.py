"""``hourglass task get | list | resolve`` and ``hourglass executor ...``, on a running executor."""

import asyncio
import json
import re
import sys
from pathlib import Path

from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

from tests.support.command_line import Ran, run_line
from tests.support.executor_process import running_executor
from tests.support.executor_values import AVS, KEY, OPERATOR, settings, submission

TASK = submission().task_id


async def line(*arguments: str) -> Ran:
    return await asyncio.to_thread(run_line, None, *arguments)


async def test_tasks_and_endpoints_are_shown_to_the_operator_s_key_alone(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    given = settings(tmp_path / "data", authentication={"enabled": True})
    async with running_executor(given) as at, open_channel(at.grpc) as channel:
        await ExecutorClient(channel).submit(submission(), timeout_seconds=20)
        where = ("--executor", at.management)
        as_operator = (*where, "--operator-key", f"@{key}", "--operator-address", OPERATOR)

        refused = await line("task", "get", TASK, *where)
        assert refused.status == 1
        assert "--operator-key" in refused.err

        got = await line("task", "get", TASK, "-o", "json", *as_operator)
        assert json.loads(got.out)["state"] == "completed", got.err
        assert "output" not in json.loads(got.out)
        whole = await line("task", "get", TASK, "--content", "-o", "json", *as_operator)
        assert json.loads(whole.out)["output"] == "0x10"
        listed = await line("task", "list", "--state", "completed", *as_operator)
        assert TASK in listed.out
        none = await line("task", "list", "--state", "unknown", *as_operator)
        assert "No tasks found." in none.out

        known = await line(
            *("task", "resolve", TASK, "--failed", "--by", "ada", "--note", "n"), *as_operator
        )
        assert known.status == 1
        assert "is not unknown: it is completed" in known.err
        both = await line("task", "resolve", TASK, "--by", "ada", "--note", "n", *as_operator)
        assert both.status == 2

        endpoints = await line("executor", "endpoints", *as_operator)
        assert "Serving" in endpoints.out
        assert "1/0/0" in endpoints.out
        why = await line("executor", "explain", TASK, *as_operator)
        assert why.out.startswith(f"task {TASK} completed on ")
        assert "could have it, 0 in flight" in why.out
        avs = await line("executor", "explain", AVS, *as_operator)
        assert f"a task of {AVS} would go to " in avs.out


async def test_a_tap_follows_the_tasks_of_an_executor(tmp_path: Path) -> None:
    async with running_executor(settings(tmp_path)) as at, open_channel(at.grpc) as channel:
        words = ("executor", "tap", "--count", "3", "--executor", at.management)
        following = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hourglass_cli.main", *words),
            stdout=asyncio.subprocess.PIPE,
        )
        reading = asyncio.ensure_future(following.communicate())
        try:
            for number in range(1, 50_000):
                await ExecutorClient(channel).submit(submission(number), timeout_seconds=20)
                if reading.done():
                    break
            out, _ = await asyncio.wait_for(reading, 10)
        finally:
            if following.returncode is None:
                following.kill()
                await following.wait()
    steps = out.decode().splitlines()
    assert (following.returncode, len(steps)) == (0, 3)
    assert all(re.search(r"Sent|CallEnded|Finished", each) for each in steps)


async def test_an_executor_that_is_not_there_is_named_with_what_to_try() -> None:
    gone = await line("task", "list", "--executor", "127.0.0.1:1", "--timeout", "3s")
    assert gone.status != 0
    assert "127.0.0.1:1" in gone.err
    assert "--executor" in gone.err
