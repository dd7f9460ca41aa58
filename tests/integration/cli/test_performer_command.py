"""``hourglass performer`` against the operator, over a Kubernetes API without a node."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_devcluster.apiserver.kubeconfig import write_kubeconfig
from hourglass_devcluster.apiserver.server import serve
from hourglass_operator.main import Addresses
from hourglass_operator.main import run as run_operator
from hourglass_operator.settings import ControlSettings, OperatorSettings

from tests.support.dev_run import REPOSITORY, command, run

AVS = "0x" + "11" * 20


@asynccontextmanager
async def performer_control(tmp_path: Path) -> AsyncIterator[str]:
    """Serve PerformerControl and yield its address."""
    ready: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
    async with serve(custom_resources=[performer_crd()]) as api, asyncio.TaskGroup() as group:
        settings = OperatorSettings(
            kubeconfig=str(write_kubeconfig(tmp_path / "kubeconfig", api.url, api.token)),
            metrics_bind_address="0",
            control=ControlSettings(address="127.0.0.1:0"),
        )
        operator = group.create_task(run_operator(settings, on_ready=ready.set_result))
        async with asyncio.timeout(30):
            addresses = await ready
        yield addresses.control
        operator.cancel()


async def test_a_performer_is_created_shown_listed_watched_and_deleted(tmp_path: Path) -> None:
    async with performer_control(tmp_path) as address:
        control = f"--control={address}"
        example = str(REPOSITORY / "deploy" / "examples" / "minimal.yaml")
        made = await run(*command("performer", "create", f"--file={example}", control, "-oname"))
        assert (made.status, made.out) == (0, "performer/demo\n"), made.err
        flags = (f"--avs={AVS}", "--image=demo-performer", "--env=A=b=c", "-ojson")
        made = await run(*command("performer", "create", "second", *flags, control))
        spec = json.loads(made.out)["spec"]
        assert spec["config"]["environment"] == {"A": "b=c"}

        shown = await run(*command("performer", "get", "second", control, "-oyaml"))
        assert yaml.safe_load(shown.out)["spec"]["avsAddress"] == AVS
        listed = await run(*command("performer", "list", control, "-oname"))
        assert listed.out.split() == ["performer/demo", "performer/second"]
        watching = await asyncio.create_subprocess_exec(
            *command("performer", "watch", control, "-oname"), stdout=asyncio.subprocess.PIPE
        )
        assert watching.stdout is not None
        async with asyncio.timeout(30):
            first = {await watching.stdout.readline(), await watching.stdout.readline()}
        assert first == {b"added performer/demo\n", b"added performer/second\n"}

        gone = await run(*command("performer", "delete", "second", control))
        assert gone.out == "performer/second deleted\n"
        async with asyncio.timeout(30):
            while (await watching.stdout.readline()) != b"deleted performer/second\n":
                pass
        watching.terminate()
        await watching.wait()


async def test_refusals_are_exit_code_1_with_the_server_s_words(tmp_path: Path) -> None:
    async with performer_control(tmp_path) as address:
        control = f"--control={address}"
        unknown = await run(*command("performer", "get", "nobody", control))
        assert unknown.status == 1
        assert "nobody" in unknown.err
        bad = ("Bad_Name", f"--avs={AVS}", "--image=demo-performer")
        refused = await run(*command("performer", "create", *bad, control))
        assert refused.status == 1
        assert "name" in refused.err
        assert "Traceback" not in unknown.err + refused.err


async def test_a_dry_run_creates_nothing(tmp_path: Path) -> None:
    async with performer_control(tmp_path) as address:
        control = f"--control={address}"
        flags = (f"--avs={AVS}", "--image=demo-performer", "--dry-run", "-oname")
        done = await run(*command("performer", "create", "maybe", *flags, control))
        assert (done.status, done.out) == (0, "performer/maybe\n"), done.err
        listed = await run(*command("performer", "list", control))
        assert listed.out == "No performers found.\n"


async def test_no_answer_in_time_is_exit_code_124() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        flags = (f"--control=127.0.0.1:{port}", "--timeout=0.5")
        done = await run(*command("performer", "list", *flags))
    assert done.status == 124
    assert "--timeout" in done.err or "Deadline" in done.err
