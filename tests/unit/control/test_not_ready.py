"""PerformerControl before its caches hold a whole picture."""

import random

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import Connection
from hourglass_common.kube.namespaces import Reflectors
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import ENDPOINT_SLICES, PERFORMERS
from hourglass_operator.control.caches import Caches
from hourglass_operator.control.feed import Feed
from hourglass_operator.control.service import PerformerControl
from hourglass_services.control.port import Act, Aim, Creation, Filter, LogQuery, Masked

from tests.support.manual_clock import ManualClock


async def no_authorization() -> None:
    return None


@pytest.fixture
def control() -> PerformerControl:
    client = KubeClient(Connection("http://127.0.0.1:1", None, no_authorization))
    performers, slices = (
        Reflector(client, kind, clock=ManualClock(), rng=random.Random(1))
        for kind in (PERFORMERS, ENDPOINT_SLICES)
    )
    return PerformerControl(client, Caches(performers, slices), lambda key, now: None)


def assert_not_ready(error: HourglassError) -> None:
    assert error.code is Code.UNAVAILABLE
    assert error.reason == "CACHE_NOT_SYNCED"
    assert "performers, endpointslices" in error.message
    assert error.retry_after is not None


async def test_no_call_mistakes_an_empty_cache_for_an_empty_cluster(
    control: PerformerControl,
) -> None:
    creation = Creation(namespace="ns", name="a", spec={})
    aim = Aim(namespace="ns", name="a")
    for call in (
        control.create(creation),
        control.get("ns", "a"),
        control.list(Filter(), 10, ""),
        control.update(aim, Masked({"spec": {"image": "b"}}, (("spec", "image"),))),
        control.scale(aim, 2),
        control.act(Act.PROMOTE, aim),
        control.drain(aim),
        control.delete(aim),
        control.explain("ns", "a"),
        control.list_revisions("ns", "a"),
        control.report_drain("ns", "a", "", "executor", ()),
    ):
        with pytest.raises(HourglassError) as caught:
            await call
        assert_not_ready(caught.value)
    for stream in (
        control.watch(Filter(), ""),
        control.logs(LogQuery(namespace="ns", name="a")),
    ):
        with pytest.raises(HourglassError) as caught:
            await anext(stream)
        assert_not_ready(caught.value)


def test_a_token_of_other_namespaces_is_not_one_of_ours() -> None:
    client = KubeClient(Connection("http://127.0.0.1:1", None, no_authorization))

    def caches(*namespaces: str) -> Caches:
        performers, slices = (
            Reflectors([Reflector(client, kind, n, clock=ManualClock()) for n in namespaces])
            for kind in (PERFORMERS, ENDPOINT_SLICES)
        )
        return Caches(performers, slices)

    one, same, other = caches("a", "b"), caches("b", "a"), caches("a", "c")
    assert one.versions() == same.versions() == (one.scope, 0, 0, 0, 0)
    token = Feed(one.versions()).token
    assert Feed(other.versions()).since(token, Filter(), lambda *_: None) is None
    assert Feed(same.versions()).since(token, Filter(), lambda *_: None) == ()
