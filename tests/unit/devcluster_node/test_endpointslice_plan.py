"""Slices: one for each port, and only the writes that are needed."""

from typing import Any

from hourglass_devcluster.model.endpointslice_plan import plan

SERVICE: dict[str, Any] = {
    "metadata": {"name": "svc", "namespace": "ns", "uid": "s1", "labels": {"team": "x"}},
    "spec": {
        "selector": {"app": "a"},
        "ports": [{"name": "grpc", "port": 80, "targetPort": "grpc", "protocol": "TCP"}],
    },
}


def pod(name: str, port: str, ready: bool = True, **meta: Any) -> dict[str, Any]:
    annotations = {"devcluster.hourglass.eigenlayer.io/port": port} if port else {}
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": name,
            "labels": {"app": "a"},
            "annotations": annotations,
            **meta,
        },
        "spec": {
            "nodeName": "devcluster",
            "containers": [{"name": "c", "ports": [{"name": "grpc", "containerPort": 9090}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def test_each_port_has_a_slice_that_names_it() -> None:
    decided = plan(SERVICE, [pod("a", "20001"), pod("b", "20002")], ())
    assert [each["metadata"]["name"] for each in decided.creates] == ["svc-20001", "svc-20002"]
    assert [each["ports"][0]["port"] for each in decided.creates] == [20001, 20002]
    assert decided.creates[0]["metadata"]["labels"]["team"] == "x"


def test_a_pod_without_a_port_is_not_there_yet() -> None:
    assert plan(SERVICE, [pod("a", "")], ()).creates == ()


def test_a_pod_on_its_way_out_still_serves_and_takes_nothing_new() -> None:
    leaving = pod("a", "20001", deletionTimestamp="2026-01-01T00:00:00Z")
    (made,) = plan(SERVICE, [leaving], ()).creates
    wanted = {"ready": False, "serving": True, "terminating": True}
    assert made["endpoints"][0]["conditions"] == wanted


def test_what_is_right_is_not_written_and_what_is_stale_goes() -> None:
    pods = [pod("a", "20001"), pod("b", "20002")]
    made = plan(SERVICE, pods, ()).creates
    assert plan(SERVICE, pods, made) == plan(SERVICE, (), ())
    decided = plan(SERVICE, [pod("a", "20001", ready=False)], made)
    assert [each["metadata"]["name"] for each in decided.replaces] == ["svc-20001"]
    assert [each["metadata"]["name"] for each in decided.deletes] == ["svc-20002"]


def test_slices_of_others_are_left_alone() -> None:
    foreign = {"metadata": {"name": "x", "labels": {"kubernetes.io/service-name": "svc"}}}
    assert plan(SERVICE, (), [foreign]).deletes == ()


def test_a_service_without_a_selector_has_no_pods() -> None:
    bare = {**SERVICE, "spec": {**SERVICE["spec"], "selector": None}}
    assert plan(bare, [pod("a", "20001")], ()).creates == ()
