"""What somebody did by hand survives the manifest being applied again, by whatever tool.

Six performers, one for each act; the same manifests are put over them twenty times, three
times without ``--full``.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_common.domain.performer_status import UNKNOWN
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import EVENTS, PERFORMERS, SERVICES, Manifest
from hourglass_operator.planning.receipts import BY_SCALE

from tests.support.commands import Commands, find
from tests.support.operator_cluster import Cluster, until
from tests.support.targets import REAL, UNSERVED

TIMES, TIMES_IN_SHORT = 20, 3
ACTS = ("promote", "abort", "rollback", "fence", "suspend", "scale")
REVISION = "hourglass.eigenlayer.io/revision"

Apply = Callable[[Commands, Path], Awaitable[None]]


def manifest(name: str, image: str) -> dict[str, Any]:
    """Return what stands in Git: it names no decision, no fence, no suspend and no replicas."""
    spec: dict[str, Any] = {"avsAddress": "0xAb", "image": image}
    if name in ("promote", "abort"):
        spec["strategy"] = {"type": "BlueGreen"}
    if name == "rollback":
        spec["strategy"] = {"type": "BlueGreen", "blueGreen": {"autoPromoteAfterSeconds": 0}}
    return {
        "apiVersion": PERFORMERS.api_version,
        "kind": "Performer",
        "metadata": {"name": name},
        "spec": spec,
    }


def write_manifests(folder: Path, image: str) -> Path:
    """Write the manifests as one file, which is also a chart's template."""
    path = folder / "templates" / "performers.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: performers\nversion: 0.1.0\n")
    path.write_text(yaml.safe_dump_all(manifest(name, image) for name in ACTS))
    return path


async def by_kubectl_apply(commands: Commands, path: Path) -> None:
    await commands.kubectl("apply", "-f", str(path))


async def by_argo_cd(commands: Commands, path: Path) -> None:
    await commands.kubectl(
        "apply",
        "-f",
        str(path),
        "--server-side",
        "--force-conflicts",
        "--field-manager=argocd-controller",
    )


async def by_flux(commands: Commands, path: Path) -> None:
    """Apply as Flux does: what kubectl owned is made its own before, so that it can be removed."""
    manager = "kustomize-controller"
    for name in ACTS:
        await take_over(commands, name, manager)
    await commands.kubectl(
        "apply",
        "-f",
        str(path),
        "--server-side",
        "--force-conflicts",
        f"--field-manager={manager}",
    )


async def take_over(commands: Commands, name: str, manager: str) -> None:
    try:
        text = await commands.kubectl(
            "get", "performer", name, "-o", "json", "--show-managed-fields"
        )
    except AssertionError:
        return  # not there yet
    entries = json.loads(text)["metadata"]["managedFields"]
    moved = [e for e in entries if e["manager"].startswith("kubectl")]
    mine = [e for e in entries if e["manager"] == manager and e["operation"] == "Apply"]
    if not moved:
        return
    fields: dict[str, Any] = {}
    for entry in (*mine, *moved):
        merge(fields, entry["fieldsV1"])
    kept = [e for e in entries if e not in moved and e not in mine]
    taken = {**moved[0], "manager": manager, "operation": "Apply", "fieldsV1": fields}
    taken.pop("subresource", None)
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [*kept, taken]}]
    await commands.kubectl("patch", "performer", name, "--type=json", "-p", json.dumps(patch))


def merge(into: dict[str, Any], fields: dict[str, Any]) -> None:
    for key, value in fields.items():
        merge(into.setdefault(key, {}), value)


async def by_replace(commands: Commands, path: Path) -> None:
    """Replace; the operator may write in between kubectl's reading and its writing."""
    if not await commands.kubectl("get", "performers", "-o", "name"):
        await commands.kubectl("create", "-f", str(path))
        return
    for _ in range(5):
        try:
            await commands.kubectl("replace", "-f", str(path))
        except AssertionError as error:
            if "(Conflict)" not in str(error):
                raise
        else:
            return


async def by_helm(commands: Commands, path: Path) -> None:
    await commands.helm("upgrade", "--install", "performers", str(path.parents[1]))


METHODS: dict[str, Apply] = {
    "kubectl apply": by_kubectl_apply,
    "server-side apply as Argo CD": by_argo_cd,
    "server-side apply as Flux": by_flux,
    "kubectl replace": by_replace,
    "helm upgrade": by_helm,
}


async def until_settled(cluster: Cluster, name: str, holds: Callable[[Manifest], bool]) -> Manifest:
    """Return the performer once the operator has looked at it as it is, and ``holds`` does."""

    async def ask() -> Manifest | None:
        found = await cluster.client.get(PERFORMERS, cluster.namespace, name)
        status = found.get("status") or {}
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        return found if seen and holds(found) else None

    return await until(ask, f"{name} settles")


def reason_is(*reasons: str) -> Callable[[Manifest], bool]:
    return lambda found: (condition(found, "Ready") or {}).get("reason") in reasons


async def act(cluster: Cluster, commands: Commands, name: str) -> None:
    """Do by hand what the performer is named for."""
    found = await cluster.client.get(PERFORMERS, cluster.namespace, name)
    if name == "scale":
        await commands.kubectl("scale", "performer", name, "--replicas=3")
        return
    spec: dict[str, Any] = {name: True}
    if name in ("promote", "abort", "rollback"):
        revision = "" if name == "rollback" else found["status"]["revision"]
        decision = {
            "action": name.capitalize(),
            "revision": revision,
            "decidedForHash": found["status"]["revision"],
        }
        spec = {"rollout": {"decision": decision}}
    await commands.kubectl(
        "patch",
        "performer",
        name,
        "--type=merge",
        "--field-manager=hourglass-control",
        "-p",
        json.dumps({"spec": spec}),
    )


AFTER: dict[str, Callable[[Manifest], bool]] = {
    "promote": reason_is("InstancesReady"),
    "abort": reason_is("Aborted"),
    "rollback": reason_is("RolledBack"),
    "fence": reason_is("Fenced"),
    "suspend": reason_is("Suspended"),
    "scale": lambda f: reason_is("InstancesReady")(f) and f["status"]["readyReplicas"] == 3,
}


async def state(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return what must not change: who serves, how many, and the record of it."""
    found = await cluster.client.get(PERFORMERS, cluster.namespace, name)
    service = await cluster.client.get(SERVICES, cluster.namespace, f"performer-{name}")
    status = found["status"]
    return {
        "in service": status["inServiceRevision"],
        "instances": status["readyReplicas"],
        "reason": (condition(found, "Ready") or {})["reason"],
        "receipts": [(r["action"], r["when"], r.get("who")) for r in status.get("receipts", ())],
        "selector": service["spec"]["selector"],
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", [name for name in METHODS if not name.startswith("helm")])
async def test_what_was_done_by_hand_survives_twenty_applies(
    cluster: Cluster, method: str, tmp_path: Path, full: bool
) -> None:
    await survives(cluster, method, tmp_path, full=full)


@pytest.mark.timeout(300)
@pytest.mark.only(REAL, UNSERVED)  # helm keeps its releases in protobuf
@pytest.mark.parametrize("method", [name for name in METHODS if name.startswith("helm")])
async def test_what_was_done_by_hand_survives_twenty_upgrades_by_helm(
    cluster: Cluster, method: str, tmp_path: Path, full: bool
) -> None:
    await survives(cluster, method, tmp_path, full=full)


async def survives(cluster: Cluster, method: str, tmp_path: Path, *, full: bool) -> None:
    """Act by hand on each performer, apply twenty times what was applied before, and compare."""
    program = "helm" if method.startswith("helm") else "kubectl"
    if find(program) is None or find("kubectl") is None:
        pytest.skip(f"{program} is not installed")
    apply = METHODS[method]
    commands = Commands(cluster.kubeconfig, cluster.namespace, tmp_path)
    async with cluster.operator():
        await apply(commands, write_manifests(tmp_path, "demo:1"))
        for name in ACTS:
            await until_settled(cluster, name, reason_is("InstancesReady"))
        path = write_manifests(tmp_path, "demo:2")
        await apply(commands, path)
        for name in ACTS:
            await until_settled(cluster, name, reason_is("InstancesReady", "AwaitingPromotion"))
        for name in ACTS:
            await act(cluster, commands, name)
        for name in ACTS:
            await until_settled(cluster, name, AFTER[name])
        await asyncio.gather(*(drained(cluster, name) for name in ACTS))
        before = {name: await state(cluster, name) for name in ACTS}
        for _ in range(TIMES if full else TIMES_IN_SHORT):
            await apply(commands, path)
        for name in ACTS:
            await until_settled(cluster, name, AFTER[name])
            assert await state(cluster, name) == before[name], f"{name} after {method}"
        await check_the_record(cluster)


async def drained(cluster: Cluster, name: str) -> None:
    """Wait until the receipts have their last word: they are compared afterwards."""

    def complete(found: Manifest) -> bool:
        receipts = found["status"].get("receipts", ())
        return all(r.get("drained") for r in receipts if r.get("inFlight"))

    await until_settled(cluster, name, complete)


async def check_the_record(cluster: Cluster) -> None:
    """Each act has one receipt with who and when, and one event."""
    page = await cluster.client.list(EVENTS, cluster.namespace)
    reasons = {
        "promote": "Promoted",
        "abort": "RevisionAborted",
        "rollback": "RevisionRolledBack",
        "fence": "FenceRequested",
        "suspend": "SuspendRequested",
        "scale": "Scaled",
    }
    for name in ACTS:
        found = await cluster.client.get(PERFORMERS, cluster.namespace, name)
        mine = [r for r in found["status"]["receipts"] if r["action"] == name.capitalize()]
        (receipt,) = [r for r in mine if r.get("who") != "hourglass-operator"]
        who = BY_SCALE if name == "scale" else "hourglass-control"
        assert receipt.get("who") == who, receipt
        assert receipt["when"]
        assert receipt["from"] or receipt["to"]
        if name in ("promote", "rollback", "suspend"):
            assert receipt["inFlight"] == UNKNOWN  # no executor reported
        events = [e for e in page.items if e["regarding"]["name"] == name]
        assert [e["reason"] for e in events].count(reasons[name]) == 1, name
