"""The command line on a whole dev cluster, through PerformerControl and through a kubeconfig."""

import asyncio
import json
import os
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.support.dev_run import REPOSITORY, DevRun, Done, command, hourglass_dev, run

SECRET = "canary-51c7e0"
BLUE_GREEN = str(REPOSITORY / "deploy" / "examples" / "blue-green.yaml")


class Line:
    """Runs commands on performers, one way or both."""

    def __init__(self, dev: DevRun) -> None:
        self.control = f"--control={dev.addresses['performerControl']}"
        self.kubeconfig = f"--kubeconfig={dev.addresses['kubeconfig']}"
        self.executor = f"--executor={dev.addresses['executorManagement']}"

    async def both(self, *arguments: str) -> tuple[Done, Done]:
        """Run it each way at the same time."""
        ways = (self.control, self.kubeconfig)
        first, second = await asyncio.gather(
            *(run(*command("performer", *arguments, way)) for way in ways)
        )
        return first, second

    async def same(self, *arguments: str) -> Done:
        """Run it each way: what is printed must be the same, once nothing changes meanwhile."""
        for _ in range(4):
            first, second = await self.both(*arguments)
            if first == second:
                break
        assert first.out == second.out, arguments
        assert (first.status, first.err) == (second.status, second.err), arguments
        return first

    async def by(self, way: str, *arguments: str, status: int = 0) -> Done:
        done = await run(*command("performer", *arguments, way))
        assert done.status == status, done.err
        return done


@pytest.mark.timeout(300)
async def test_every_command_does_the_same_both_ways(tmp_path: Path) -> None:
    async with hourglass_dev(tmp_path / "dev") as dev:
        line = Line(dev)
        control, kube = line.control, line.kubeconfig
        await line.by(kube, "create", f"--file={BLUE_GREEN}", "--env=A=1", "--wait")
        for words in ("get squares", "list", "describe squares", "revisions squares"):
            await line.same(*words.split(), "-ojson")
        await line.same("get", "squares", "-oname")
        await line.same("explain", "squares", "-oyaml")
        for word in ("status", "explain", "logs"):
            assert (await line.same(word, "squares")).status == 0
        for refused in (
            ("get", "nobody"),
            ("explain", "squares", "--revision=none"),
            ("update", "squares", "--set=spec.image=Not An Image"),
            ("create", "Bad_Name", "--avs=0x1", "--image=x:1"),
            ("rollback", "squares"),
            ("abort", "squares"),
        ):
            assert (await line.same(*refused)).status == 1

        await line.by(control, "update", "squares", "--image=demo-performer:v2")
        late = await line.by(kube, "status", "squares", "--wait", "--timeout=6s", status=124)
        assert "AwaitingPromotion" in late.err
        await line.by(kube, "promote", "squares", "--wait")
        back = await line.by(control, "rollback", "squares", "--wait")
        assert "(demo-performer:v2) to" in back.err
        assert (await line.same("status", "squares")).status == 1  # Stalled is meant
        await line.by(kube, "promote", "squares", "--wait")
        await line.by(control, "scale", "squares", "--replicas=2", "--wait")
        for way, act in ((kube, "fence"), (control, "unfence"), (kube, "suspend")):
            await line.by(way, act, "squares")
        await line.by(control, "resume", "squares", "--wait")

        shown = yaml.safe_load((await line.same("get", "squares", "-oyaml")).out)
        acts = [(each["action"], each["who"]) for each in shown["status"]["receipts"]]
        assert acts[0][0] == "Resume"
        assert {who for action, who in acts if action in ("Fence", "Suspend")} == {"hourglass-cli"}
        assert shown["spec"]["replicas"] == 2
        await line.by(kube, "delete", "squares")
        assert (await line.same("get", "squares")).status == 1


@pytest.mark.timeout(180)
async def test_a_tree_a_check_and_a_report_of_a_running_cluster(tmp_path: Path) -> None:
    async with hourglass_dev(tmp_path / "dev") as dev:
        line = Line(dev)
        (name,) = (await line.by(line.kubeconfig, "get", "-oname")).out.split()
        tree = await line.by(line.control, "describe", name.partition("/")[2], line.executor)
        assert "Serving" in tree.out
        assert "Closed" in tree.out
        assert "not known here" not in tree.out

        where = (line.control, line.kubeconfig, line.executor)
        checked = await run(*command("check", *where, "-ojson"))
        found = json.loads(checked.out)
        assert (checked.status, found["ok"]) == (0, True), checked.out
        titles = [group["name"] for group in found["categories"]]
        assert titles[0] == "Kubernetes API"
        assert titles[-3:] == ["PerformerControl", "Executors", "Performers"]

        flags = (f"--env=KEY={SECRET}", "--avs=0x1", "--image=demo-performer:v1")
        await line.by(line.kubeconfig, "create", "other", *flags, "--wait")
        bundle = tmp_path / "bundle.tar.gz"
        made = await run(*command("report", *where[1:], f"--file={bundle}"))
        assert made.status == 0, made.err
        assert os.stat(bundle).st_mode & 0o777 == 0o600
        files = _files(bundle)
        assert "bundle/performers/default/other.yaml" in files
        assert "bundle/children/default/pods.yaml" in files
        assert any(each.startswith("bundle/executors/") for each in files)
        text = "\n".join([*files, *files.values()])
        assert SECRET not in text
        config = yaml.safe_load(Path(dev.addresses["kubeconfig"]).read_text())
        server = config["clusters"][0]["cluster"]["server"]
        password = server.partition("@")[0].rpartition(":")[2]
        assert password
        assert password not in text


def _files(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as archive:
        return {
            each.name: file.read().decode()
            for each in archive.getmembers()
            if (file := archive.extractfile(each)) is not None
        }


async def test_a_kubeconfig_that_is_none_is_told_in_plain_words(tmp_path: Path) -> None:
    missing = await run(*command("performer", "get", f"--kubeconfig={tmp_path / 'none'}"))
    assert missing.status == 1
    assert "no usable Kubernetes configuration" in missing.err
    assert "--kubeconfig" in missing.err
    assert "Traceback" not in missing.err


async def test_a_cluster_that_is_not_there_is_told_in_plain_words(tmp_path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "a", "user": {}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    gone = await run(*command("performer", "get", f"--kubeconfig={path}"))
    assert gone.status == 1
    assert "can not be reached" in gone.err
    assert "Traceback" not in gone.err
