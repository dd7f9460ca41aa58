"""The whole operator behind TLS: accounts with tokens, their rights, and an executor's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.objects import annotations
from hourglass_common.kube.resources import PERFORMERS
from hourglass_executor.settings import PerformerControlAddress
from hourglass_operator.settings import ControlSettings, TlsSettings
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Act, Aim, Creation, EventKind, Filter, Masked
from hourglass_services.rpc.channel import ChannelSecurity, open_channel

from tests.support.accounts import Accounts
from tests.support.certificates import Authority
from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster, until
from tests.support.targets import RBAC, REAL

SPEC: dict[str, Any] = {"avsAddress": "0xAb", "image": "demo:1"}
WITH_SECRET = {**SPEC, "imagePullSecrets": [{"name": "registry"}]}
pytestmark = pytest.mark.only(REAL, RBAC)


class Wire:
    """An operator that asks who calls, and clients of it."""

    def __init__(self, cluster: Cluster, accounts: Accounts, folder: Path) -> None:
        self.cluster = cluster
        self.accounts = accounts
        self.folder = folder
        self.authority = Authority()
        (folder / "ca.crt").write_bytes(self.authority.pem)
        self.certificate, self.key = self.authority.server("localhost").write(folder, "server")
        self.address = ""

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[None]:
        tls = TlsSettings(certificate_file=self.certificate, key_file=self.key)
        control = ControlSettings(address="127.0.0.1:0", tls=tls)
        async with self.cluster.operator(control=control) as addresses:
            self.address = addresses.control
            yield

    @asynccontextmanager
    async def caller(self, name: str, *rights: str) -> AsyncIterator[PerformerControlClient]:
        """Call as a new account with these rights in the namespace."""
        token = await self.accounts.account(self.cluster.namespace, name, rights)
        security = ChannelSecurity(ca_file=self.folder / "ca.crt", token=token)
        async with open_channel(self.address, security) as channel:
            yield PerformerControlClient(channel)

    def aim(self) -> Aim:
        return Aim(namespace=self.cluster.namespace, name="demo")

    def creation(self, spec: dict[str, Any]) -> Creation:
        return Creation(namespace=self.cluster.namespace, name="demo", spec=spec)


@pytest.fixture
async def wire(cluster: Cluster, plane: ControlPlane, tmp_path: Path) -> Wire:
    return Wire(cluster, Accounts(cluster.client, plane.kubeconfig.parent / "sa.key"), tmp_path)


async def test_a_caller_may_do_what_its_roles_say_and_no_more(wire: Wire) -> None:
    async with (
        wire.operator(),
        wire.caller("author", "create performers", "update performers", "get performers") as author,
        wire.caller("releaser", "update performers/promote", "update performers/fence") as releaser,
    ):
        with pytest.raises(HourglassError) as refused:
            await author.create(wire.creation(WITH_SECRET))
        assert (refused.value.code, refused.value.reason) == (
            Code.PERMISSION_DENIED,
            "REFERENCE_DENIED",
        )
        await author.create(wire.creation({**SPEC, "strategy": {"type": "BlueGreen"}}))
        await wire.cluster.until_condition("Ready", "True")
        await author.update(wire.aim(), Masked({"spec": {"image": "demo:2"}}, ()))
        await wire.cluster.until_condition("Ready", "False", "AwaitingPromotion")
        with pytest.raises(HourglassError) as refused:
            await author.act(Act.PROMOTE, wire.aim())
        assert refused.value.reason == "FORBIDDEN"
        decision = {"action": "Promote", "decidedForHash": "x"}
        with pytest.raises(HourglassError) as refused:
            await author.update(
                wire.aim(), Masked({"spec": {"rollout": {"decision": decision}}}, ())
            )
        assert refused.value.reason == "ACT_DENIED"  # by the mask it is the same act
        with pytest.raises(HourglassError) as refused:
            await releaser.get(wire.cluster.namespace, "demo")
        assert refused.value.reason == "FORBIDDEN"
        await releaser.act(Act.PROMOTE, wire.aim())
        found = await wire.cluster.until_condition("Ready", "True")
    who = f"system:serviceaccount:{wire.cluster.namespace}:releaser"
    assert found["status"]["receipts"][0]["who"] == f"{who} by hourglass-control"
    assert annotations(found)["hourglass.eigenlayer.io/requested-by"] == who


async def test_a_deletion_needs_no_right_beyond_its_own(wire: Wire) -> None:
    async with wire.operator(), wire.caller("cleaner", "delete performers") as cleaner:
        await wire.cluster.create()
        await wire.cluster.until_condition("Ready", "True")
        await cleaner.delete(wire.aim(), timeout_seconds=20)

        async def gone() -> bool | None:
            return None if await wire.cluster.names(PERFORMERS) else True

        await until(gone, "the performer is gone")


async def test_an_executor_needs_a_token_and_nothing_else_of_the_cluster(wire: Wire) -> None:
    rights = (
        "create performers",
        "delete performers",
        "list performers",
        "watch performers",
        "update performers/drainreport",
    )
    token = await wire.accounts.account(wire.cluster.namespace, "executor", rights)
    token_file = wire.folder / "token"
    token_file.write_text(token)
    async with wire.operator():
        settings = PerformerControlAddress(
            address=wire.address, ca_file=wire.folder / "ca.crt", token_file=token_file
        )
        async with open_channel(settings.address, settings.security) as channel:
            client = PerformerControlClient(channel)
            await client.create(wire.creation(SPEC))
            found = await wire.cluster.until_condition("Ready", "True")
            async for event in client.watch(Filter(namespace=wire.cluster.namespace)):
                if event.kind is EventKind.SNAPSHOT_DONE:
                    break
            now = datetime.now(UTC)
            report = DrainReport(
                executor="one",
                revision=found["status"]["revision"],
                in_flight=0,
                lost=0,
                renewed_at=now,
                valid_until=now + timedelta(seconds=30),
            )
            await client.report_drain(wire.cluster.namespace, "demo", "", "one", [report])
            with pytest.raises(HourglassError) as refused:
                await client.act(Act.FENCE, wire.aim())
            assert refused.value.reason == "FORBIDDEN"
            await client.delete(wire.aim(), force=True)
