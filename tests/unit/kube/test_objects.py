"""Readers of Kubernetes objects."""

from typing import Any

import pytest
from hourglass_common.kube.objects import (
    condition,
    controller_of,
    endpoints_of,
    is_pod_ready,
    key_of,
    labels,
    owner_reference,
)


def pod(ready: str | None, **meta: Any) -> dict[str, Any]:
    conditions = [] if ready is None else [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": "p", **meta}, "status": {"conditions": conditions}}


def piece(port: int | None, *endpoints: dict[str, Any], name: str = "grpc") -> dict[str, Any]:
    ports = [] if port is None else [{"name": name, "port": port}]
    return {"metadata": {"name": "s"}, "ports": ports, "endpoints": list(endpoints)}


def endpoint(address: str, target: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"addresses": [address], "conditions": {}}
    return body | ({"targetRef": {"kind": "Pod", "name": target}} if target else {})


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (pod("True"), True),
        (pod("False"), False),
        (pod("Unknown"), False),
        (pod(None), False),
        (pod("True", deletionTimestamp="2026-01-01T00:00:00Z"), False),
        ({"metadata": {"name": "p"}}, False),
    ],
)
def test_a_pod_is_ready_when_it_says_so_and_stays(manifest: dict[str, Any], expected: bool) -> None:
    assert is_pod_ready(manifest) is expected


def test_readers_do_with_objects_that_lack_everything() -> None:
    bare = {"metadata": {"name": "x", "labels": None, "ownerReferences": None}}
    assert key_of(bare) == ("", "x")
    assert labels(bare) == {}
    assert controller_of(bare) == ""
    assert condition(bare, "Ready") is None


def test_the_controller_is_the_owner_that_says_so() -> None:
    owner = {"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "uid": "u1"}}
    other = {"uid": "u2"}
    child = {"metadata": {"name": "c", "ownerReferences": [other, owner_reference(owner)]}}
    assert controller_of(child) == "u1"


def test_every_slice_has_its_own_port() -> None:
    found = endpoints_of(
        [piece(9001, endpoint("10.0.0.1", "a")), piece(9002, endpoint("10.0.0.2", "b"))]
    )
    assert [(e.pod, e.target) for e in found] == [("a", "10.0.0.1:9001"), ("b", "10.0.0.2:9002")]


def test_the_port_named_grpc_comes_before_the_first() -> None:
    both = {
        "metadata": {"name": "s"},
        "ports": [{"name": "metrics", "port": 1}, {"name": "grpc", "port": 2}],
        "endpoints": [endpoint("10.0.0.1")],
    }
    assert endpoints_of([both])[0].port == 2
    assert endpoints_of([piece(3, endpoint("10.0.0.1"), name="other")])[0].port == 3
    assert endpoints_of([piece(None, endpoint("10.0.0.1"))]) == ()


@pytest.mark.parametrize(
    ("conditions", "ready", "serving", "terminating"),
    [
        ({}, True, True, False),
        ({"ready": None}, True, True, False),
        ({"ready": True, "serving": True}, True, True, False),
        ({"ready": False}, False, False, False),
        ({"ready": False, "serving": True, "terminating": True}, False, True, True),
    ],
)
def test_unset_conditions_mean_what_the_api_says(
    conditions: dict[str, bool | None], ready: bool, serving: bool, terminating: bool
) -> None:
    (found,) = endpoints_of([piece(1, {"addresses": ["10.0.0.1"], "conditions": conditions})])
    assert (found.ready, found.serving, found.terminating) == (ready, serving, terminating)


def test_equal_endpoints_are_equal_tuples_whatever_their_order() -> None:
    one, two = endpoint("10.0.0.1", "a"), endpoint("fd00::1", "b")
    assert endpoints_of([piece(1, one, two)]) == endpoints_of([piece(1, two), piece(1, one, two)])
    assert endpoints_of([piece(1, two)])[0].target == "[fd00::1]:1"


def test_slices_without_endpoints_give_none() -> None:
    assert endpoints_of([{"metadata": {"name": "s"}, "endpoints": None, "ports": None}]) == ()
