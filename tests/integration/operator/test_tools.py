"""Tools that know nothing of Hourglass judge a performer rightly."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import PERFORMERS, PODS, Manifest, Resource

from tests.support.commands import Commands, find
from tests.support.operator_cluster import Cluster, until
from tests.support.targets import REAL, UNSERVED

AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")


@pytest.fixture
def commands(cluster: Cluster, tmp_path: Path) -> Commands:
    return Commands(cluster.kubeconfig, cluster.namespace, tmp_path)


def chart(folder: Path, **spec: Any) -> Path:
    """Write a chart with one performer."""
    body = {
        "apiVersion": PERFORMERS.api_version,
        "kind": "Performer",
        "metadata": {"name": "demo"},
        "spec": {"avsAddress": "0xAb", "image": "demo:1", **spec},
    }
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 0.1.0\n")
    (folder / "templates" / "performer.yaml").write_text(yaml.safe_dump(body))
    return folder


def needs(program: str) -> None:
    if find(program) is None:
        pytest.skip(f"{program} is not installed")


async def test_kubectl_waits_for_the_conditions(cluster: Cluster, commands: Commands) -> None:
    needs("kubectl")
    async with cluster.operator():
        await cluster.create()
        for kind in ("Ready", "Available"):
            said = await commands.kubectl(
                "wait", "performer/demo", f"--for=condition={kind}", "--timeout=20s"
            )
            assert "condition met" in said


async def test_kubectl_scales_it(cluster: Cluster, commands: Commands) -> None:
    needs("kubectl")
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        await commands.kubectl("scale", "performer/demo", "--replicas=2")
        found = await cluster.until_performer(
            lambda f: f["status"]["readyReplicas"] == 2, "two instances are ready"
        )
    assert found["spec"]["replicas"] == 2


@pytest.mark.only(REAL, UNSERVED)  # helm keeps its releases in protobuf
async def test_helm_4_waits_until_the_new_revision_is_ready(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    needs("helm4")
    async with cluster.operator():
        for image in ("demo:1", "demo:2"):
            path = chart(tmp_path, image=image)
            await commands.helm(
                "upgrade",
                "--install",
                "demo",
                str(path),
                "--wait",
                "--timeout=30s",
                program="helm4",
            )
            found = await cluster.performer()
            assert (condition(found, "Ready") or {})["status"] == "True"
            assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
            assert cluster.readiness.ready_images().count(image) == 1


@pytest.mark.only(REAL, UNSERVED)  # helm keeps its releases in protobuf
async def test_helm_4_gives_up_at_once_on_what_waiting_will_not_mend(
    cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    needs("helm4")
    path = chart(tmp_path, scheduling={"priorityClassName": "no-such"})
    async with cluster.operator():
        with pytest.raises(AssertionError, match=r"(?i)failed") as caught:
            await commands.helm(
                "install", "demo", str(path), "--wait", "--timeout=50s", program="helm4"
            )
    assert "no PriorityClass with name no-such" in str(caught.value) or "Failed" in str(
        caught.value
    )


@pytest.mark.timeout(180)
@pytest.mark.only(REAL, UNSERVED)
async def test_an_autoscaler_finds_its_numbers_and_is_obeyed(cluster: Cluster) -> None:
    """The real controller; without metrics it still keeps to its minimum."""
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")

        async def told() -> Manifest | None:
            found = await cluster.performer()
            return found if found["spec"].get("replicas") == 1 else None

        await until(told, "the spec is told its number of instances")
        body = {
            "metadata": {"name": "demo"},
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": PERFORMERS.api_version,
                    "kind": "Performer",
                    "name": "demo",
                },
                "minReplicas": 2,
                "maxReplicas": 4,
            },
        }
        await cluster.client.create(AUTOSCALERS, cluster.namespace, body)

        async def scaled() -> Manifest | None:
            found = await cluster.performer()
            return found if found["status"]["readyReplicas"] == 2 else None

        found = await until(scaled, "the autoscaler has its minimum", seconds=60)
    assert found["spec"]["replicas"] == 2


@pytest.mark.only(REAL, UNSERVED)
async def test_one_eviction_at_a_time_is_let_through(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create(replicas=2)
        await cluster.until_condition("Ready", "True")
        names = await cluster.names(PODS)
        cluster.readiness.accepts = lambda _: False  # what replaces it is not ready yet

        async def evict(name: str) -> None:
            body = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": name, "namespace": cluster.namespace},
            }
            await cluster.client.create(
                PODS, cluster.namespace, body, name=name, subresource="eviction"
            )

        async def first() -> bool | None:
            try:
                await evict(names[0])
            except KubeError:
                return None  # the budget's controller has not counted yet
            return True

        await until(first, "the first eviction is let through")
        with pytest.raises(KubeError, match="disruption budget"):
            await evict(names[1])
