"""The operator in this process, on a real control plane, in a namespace of one test."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import (
    NAMESPACES,
    PERFORMERS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Manifest,
    Resource,
)
from hourglass_operator.main import Addresses, run
from hourglass_operator.settings import ControlSettings, OperatorSettings

from tests.support.control_plane import ControlPlane
from tests.support.readiness import PodReadiness

T = TypeVar("T")


@dataclass
class Cluster:
    """A namespace of the test's own, with a stand-in for kubelet."""

    client: KubeClient
    namespace: str
    kubeconfig: Path
    audit_log: Path
    readiness: PodReadiness

    async def create(
        self, name: str = "demo", *, namespace: str | None = None, **spec: Any
    ) -> Manifest:
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": "Performer",
            "metadata": {"name": name},
            "spec": {"avsAddress": "0xAb", "image": "demo:1", **spec},
        }
        return await self.client.create(PERFORMERS, namespace or self.namespace, body)

    async def change(self, **spec: Any) -> None:
        await self.patch("demo", {"spec": spec})

    async def patch(self, name: str, patch: Manifest) -> Manifest:
        return await self.client.merge_patch(PERFORMERS, self.namespace, name, patch)

    async def decide(self, action: str, revision: str = "") -> None:
        """Patch a decision into the spec, as PerformerControl does."""
        found = await self.performer()
        decision = {
            "action": action,
            "revision": revision,
            "decidedForHash": found["status"]["revision"],
        }
        await self.client.merge_patch(
            PERFORMERS,
            self.namespace,
            "demo",
            {"spec": {"rollout": {"decision": decision}}},
            field_manager="hourglass-control",
        )

    async def until_performer(self, holds: Callable[[Manifest], bool], what: str) -> Manifest:
        """Return the performer once its status speaks of its present generation and ``holds``."""

        async def ask() -> Manifest | None:
            found = await self.performer()
            status = found.get("status") or {}
            current = status.get("observedGeneration") == found["metadata"]["generation"]
            return found if current and holds(found) else None

        return await until(ask, what)

    async def selected_revision(self) -> str:
        """Return the revision that the Service is narrowed to, "" for all."""
        service = await self.client.get(SERVICES, self.namespace, "performer-demo")
        chosen = service["spec"]["selector"]
        return str(chosen.get("hourglass.eigenlayer.io/revision", ""))

    async def names(self, resource: Resource) -> list[str]:
        page = await self.client.list(resource, self.namespace)
        return sorted(item["metadata"]["name"] for item in page.items)

    async def performer(self) -> Manifest:
        return await self.client.get(PERFORMERS, self.namespace, "demo")

    async def until_condition(self, kind: str, status: str, reason: str = "") -> Manifest:
        """Return the performer once it has the condition for its present generation."""

        async def holds() -> Manifest | None:
            found = await self.performer()
            seen = condition(found, kind) or {}
            current = seen.get("observedGeneration") == found["metadata"]["generation"]
            right = seen.get("status") == status and reason in ("", seen.get("reason"))
            return found if current and right else None

        return await until(holds, f"{kind}={status} {reason}")

    def operator_writes(self) -> int:
        """Return how many writes with our field manager the audit log has for the namespace."""
        return sum(
            1
            for line in self.audit_log.read_text().splitlines()
            if f"/namespaces/{self.namespace}/" in line
            and "fieldManager=hourglass-operator" in json.loads(line)["requestURI"]
        )

    def requests_of_the_operator(self) -> list[str]:
        """Return the audit log's URLs that our client asked for, whoever ran it."""
        events = map(json.loads, self.audit_log.read_text().splitlines())
        agent = "hourglass/"
        return [e["requestURI"] for e in events if e.get("userAgent", "").startswith(agent)]

    def settings(self, **more: Any) -> OperatorSettings:
        return OperatorSettings(
            **{
                "kubeconfig": str(self.kubeconfig),
                "watch_namespaces": (self.namespace,),
                "metrics_bind_address": "0",
                "health_probe_bind_address": "0",
                "control": ControlSettings(address="127.0.0.1:0"),
                **more,
            }
        )

    @asynccontextmanager
    async def operator(self, **settings: Any) -> AsyncIterator[Addresses]:
        """Run the operator, ready, while the block runs."""
        async with asyncio.TaskGroup() as group:
            ready: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
            task = group.create_task(run(self.settings(**settings), on_ready=ready.set_result))
            async with asyncio.timeout(20):
                addresses = await ready
            try:
                yield addresses
            finally:
                task.cancel()


@asynccontextmanager
async def namespace_of_a_test(plane: ControlPlane, namespace: str) -> AsyncIterator[Cluster]:
    """Make a namespace in which pods become Ready at once; it is deleted on the way out."""
    connection = await connect(str(plane.kubeconfig))
    async with KubeClient(connection, user_agent="test") as client:  # not a request of our programs
        await client.create(NAMESPACES, None, {"metadata": {"name": namespace}})

        async def account() -> Manifest | None:
            try:
                return await client.get(SERVICE_ACCOUNTS, namespace, "default")
            except KubeError:
                return None  # pods are refused until the controller has made it

        await until(account, "the namespace has its service account")
        readiness = PodReadiness(client, namespace, accepts=lambda _: True)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(readiness.run())
            yield Cluster(client, namespace, plane.kubeconfig, plane.audit_log, readiness)
            following.cancel()
        await client.delete(NAMESPACES, None, namespace)


async def until(ask: Callable[[], Awaitable[T | None]], what: str, seconds: float = 20) -> T:
    """Return the first answer that is not None; asks again until the time is over."""
    try:
        async with asyncio.timeout(seconds):
            while (found := await ask()) is None:
                await asyncio.sleep(0.05)
            return found
    except TimeoutError as exc:
        raise AssertionError(f"never came true: {what}") from exc
