"""A secret in a request is in the object, and nowhere else: not in logs, events, status, errors."""

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf.json_format import ParseDict
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import EVENTS, PERFORMERS
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.rpc.channel import open_channel

from tests.support.accounts import Accounts
from tests.support.control_plane import ControlPlane
from tests.support.control_rights import ALL_RIGHTS
from tests.support.operator_cluster import until
from tests.support.operator_process import operator_process

pytestmark = pytest.mark.real_api

CANARY = 'canary-"7f3a'
"""With a quote in it: texts of the API write that in another way."""
_SMOKE = {"payload": CANARY, "expectedOutput": CANARY}


def spec(**more: Any) -> dict[str, Any]:
    config = {"environment": {"PASSWORD": CANARY, "IMAGE": "demo:1"}, "args": [CANARY]}
    return {"avsAddress": "0xAb", "image": "demo:1", "config": config, **more}


def gated(**task: Any) -> dict[str, Any]:
    smoke = {**_SMOKE, **task}
    return spec(strategy={"type": "BlueGreen", "blueGreen": {"gate": {"smokeTask": smoke}}})


BAD_SPECS: dict[str, dict[str, Any]] = {
    "another field is bad": spec(replicas=-1),
    "a variable without a name": spec(config={"environment": {"": CANARY}}),
    "a bad name of a variable": spec(config={"environment": {"a b": CANARY, "c=d": CANARY}}),
    "a very long value": spec(config={"environment": {"A": CANARY * 50_000}}),
    "a very long argument": spec(config={"args": [CANARY * 50_000]}),
    "many arguments": spec(config={"args": [CANARY] * 5_000}),
    "a very long command": spec(config={"command": [CANARY * 50_000]}),
    "a payload that is not hex": gated(encoding="Hex"),
    "a payload that is not base64": gated(encoding="Base64"),
    "a very long payload": gated(payload=CANARY * 50_000),
    "an encoding that is none": gated(encoding="Rot13"),
    "both forms of a variable": spec(
        config={
            "environment": {"A": CANARY},
            "environmentFrom": [{"name": "A", "valueFrom": {}}],
        }
    ),
}


class Calls:
    """Makes calls, and keeps all that was said to their caller in refusals."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self.channel = channel
        self.told: list[str] = []
        self.codes: list[str] = []
        self.metadata: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {token}"),)

    async def make(self, method: str, request: Any, metadata: Any = None) -> None:
        call: Any = self.channel.unary_unary(f"/{PERFORMER_CONTROL.full_name}/{method}")
        data = request if isinstance(request, bytes) else request.SerializeToString()
        try:
            await call(data, metadata=metadata or self.metadata, timeout=20)
            self.codes.append("OK")
        except grpc.aio.AioRpcError as error:
            self.codes.append(error.code().name)
            self.told.append(str(error.details()))
            self.told += [str(value) for _, value in error.trailing_metadata() or ()]


@pytest.fixture
async def accounts(real_api: ControlPlane) -> AsyncIterator[Accounts]:
    connection = await connect(real_api.kubeconfig)
    async with KubeClient(connection, user_agent="test") as kube:
        made = Accounts(kube, real_api.kubeconfig.parent / "sa.key")
        yield made
        await made.close()


def create(namespace: str, name: str, given: dict[str, Any]) -> control_pb2.CreatePerformerRequest:
    made = ParseDict(given, control_pb2.PerformerSpec())
    return control_pb2.CreatePerformerRequest(namespace=namespace, name=name, spec=made)


async def test_a_secret_is_in_the_object_and_nowhere_else(
    real_api: ControlPlane, accounts: Accounts, namespace: str
) -> None:
    await accounts.namespace(namespace)
    token = await accounts.account(namespace, "right", ALL_RIGHTS)
    settings = {"log_level": "debug", "control__authentication": "Required"}
    async with operator_process(real_api.kubeconfig, namespace, **settings) as operator:
        (ready,) = operator.said("operator ready")
        async with open_channel(ready["control"]) as channel:
            calls = Calls(channel, token)
            await calls.make("CreatePerformer", create(namespace, "demo", gated()))
            assert calls.codes == ["OK"]
            for number, bad in enumerate(BAD_SPECS.values()):
                await calls.make("CreatePerformer", create(namespace, f"bad-{number}", bad))
                await calls.make("UpdatePerformer", update(namespace, bad))
            await refused_calls(calls, namespace)

        async def planned() -> Any:
            found = await accounts.kube.get(PERFORMERS, namespace, "demo")
            return found if (found.get("status") or {}).get("revision") else None

        made = await until(planned, "the operator has seen it")
        events = await accounts.kube.list(EVENTS, namespace)
        logs = [json.dumps(line, ensure_ascii=False) for line in operator.log]
    assert calls.codes.count("INVALID_ARGUMENT") >= len(BAD_SPECS)
    assert not set(calls.codes) & {"INTERNAL", "UNKNOWN"}
    assert "canary" in json.dumps(made["spec"])
    assert not [line for line in logs if "canary" in line or token in line]
    assert not [text for text in calls.told if "canary" in text]
    assert "canary" not in json.dumps(made["status"])
    assert "canary" not in json.dumps(list(events.items))
    assert [line for line in logs if '"logger": "audit"' in line]


def update(namespace: str, given: dict[str, Any]) -> control_pb2.UpdatePerformerRequest:
    made = ParseDict(given, control_pb2.PerformerSpec())
    return control_pb2.UpdatePerformerRequest(
        namespace=namespace, name="demo", performer=control_pb2.Performer(spec=made)
    )


async def refused_calls(calls: Calls, namespace: str) -> None:
    """Make calls that are refused for their token, their bytes, or what they may not do."""
    get = control_pb2.GetPerformerRequest(namespace=namespace, name="demo")
    for authorization in ("Bearer canary-token", "canary-token", "Basic canary-token"):
        await calls.make("GetPerformer", get, (("authorization", authorization),))
    await calls.make("CreatePerformer", b"\xffcanary-bytes")
    await calls.make("CreatePerformer", create("default", "demo", spec()))
    assert calls.codes[-5:] == ["UNAUTHENTICATED"] * 3 + ["INVALID_ARGUMENT", "PERMISSION_DENIED"]
