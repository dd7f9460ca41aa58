"""What the caches keep of an object, and when a change of it is worth a look."""

import json
from typing import Any

import orjson
from hourglass_common.domain.drain_report import reports_of
from hourglass_common.domain.performer import parse_performer
from hourglass_common.kube.objects import endpoints_of, grpc_target
from hourglass_operator.planning.intent import who_set
from hourglass_operator.runtime import slim

META = {"name": "a", "namespace": "prod", "uid": "u", "resourceVersion": "1"}
OWNERS = [{"apiVersion": "v1", "kind": "Performer", "name": "demo", "uid": "p", "controller": True}]


def pod(*conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {**META, "ownerReferences": OWNERS, "labels": {"app": "x"}},
        "spec": {"containers": [{"env": [{"name": "KEY", "value": "secret"}]}]},
        "status": {"conditions": list(conditions), **status},
    }


def test_a_pod_is_kept_without_its_spec() -> None:
    kept = slim.pod(pod())
    assert b"secret" not in orjson.dumps(kept)
    assert kept["metadata"]["ownerReferences"][0]["uid"] == "p"


def test_the_steps_of_a_pod_on_its_way_up_are_no_news() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "t"}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": "t"}
    before = slim.pod(pod(ready, phase="Pending"))
    running = [{"name": "performer", "state": {"running": {}}, "restartCount": 0}]
    after = pod(ready, scheduled, phase="Running", podIP="10.0.0.1", containerStatuses=running)
    after["metadata"]["resourceVersion"] = "2"
    assert slim.is_same(before, slim.pod(after))


def test_a_pod_that_turns_ready_is_news() -> None:
    before = slim.pod(pod({"type": "Ready", "status": "False"}))
    after = slim.pod(pod({"type": "Ready", "status": "True"}))
    assert not slim.is_same(before, after)


def test_what_stands_only_in_one_of_two_objects_is_a_difference() -> None:
    before, after = slim.pod(pod()), slim.pod(pod())
    assert slim.is_same(before, after)
    assert not slim.is_same(before, {**after, "more": None})
    assert not slim.is_same({**before, "more": None}, after)


def performer(*managed: dict[str, Any]) -> dict[str, Any]:
    last_applied = "kubectl.kubernetes.io/last-applied-configuration"
    return {
        "metadata": {
            **META,
            "generation": 3,
            "annotations": {last_applied: "{}", "other": "kept"},
            "managedFields": list(managed),
        },
        "spec": {"avsAddress": "0xAb", "image": "demo:1"},
    }


def owning(manager: str, time: str, **fields: Any) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Update",
        "time": time,
        "fieldsV1": {"f:spec": fields, "f:metadata": {"f:labels": {}}},
    }


def test_a_performer_is_kept_without_what_kubectl_noted_for_itself() -> None:
    kept = slim.performer(performer())
    assert kept["metadata"]["annotations"] == {"other": "kept"}
    assert kept["metadata"]["generation"] == 3
    assert kept["spec"] == {"avsAddress": "0xAb", "image": "demo:1"}


def test_who_did_what_is_answered_as_before() -> None:
    rollout: dict[str, Any] = {"f:decision": {".": {}, "f:action": {}}, "f:drainTimeoutSeconds": {}}
    decision: dict[str, Any] = {"f:rollout": rollout}
    whole = performer(
        owning("kubectl", "2026-01-01T00:00:00Z", **{"f:image": {}, "f:replicas": {}}),
        owning("scaler", "2026-01-02T00:00:00Z", **{"f:replicas": {}}),
        owning("control", "2026-01-01T00:00:00Z", **{"f:suspend": {}, "f:fence": {}}, **decision),
        owning("unrelated", "2026-01-03T00:00:00Z", **{"f:image": {}}),
    )
    kept = slim.performer(whole)
    for path in (("replicas",), ("suspend",), ("fence",), ("rollout", "decision")):
        wanted = who_set(parse_performer(whole), *path)
        assert who_set(parse_performer(kept), *path) == wanted != ""
    assert "f:image" not in json.dumps(kept)
    assert "unrelated" not in json.dumps(kept)


def test_a_service_that_no_performer_can_have_is_a_name() -> None:
    spec = {"ports": [{"port": 1}], "selector": {"a": "b"}, "clusterIP": "10.0.0.1"}
    foreign = slim.service({"metadata": {**META, "labels": {"a": "b"}}, "spec": spec})
    assert foreign == {"metadata": META, "spec": {}}
    ours = slim.service({"metadata": {**META, "name": "performer-a"}, "spec": spec})
    assert ours["spec"] == {"ports": [{"port": 1}], "selector": {"a": "b"}}


def test_a_slice_gives_the_same_endpoints() -> None:
    whole: dict[str, Any] = {
        "metadata": {**META, "labels": {"kubernetes.io/service-name": "performer-a", "x": "y"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1", "10.0.0.2"], "targetRef": {"kind": "Pod", "name": "p"}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False, "serving": True}},
            {"addresses": None, "conditions": None},
        ],
        "ports": [{"name": "other", "port": 1}, {"name": "grpc", "port": 2, "protocol": "TCP"}],
    }
    kept = slim.endpoint_slice(whole)
    assert endpoints_of([kept]) == endpoints_of([whole]) != ()
    assert kept["metadata"]["labels"] == {"kubernetes.io/service-name": "performer-a"}
    foreign = {**whole, "metadata": {**META, "labels": {"kubernetes.io/service-name": "db"}}}
    assert slim.endpoint_slice(foreign) == {"metadata": META}


def test_a_lease_gives_the_same_reports() -> None:
    note = json.dumps([{"revision": "r1", "inFlight": 2, "instances": {"p": 2}}])
    whole = {
        "metadata": {**META, "annotations": {"hourglass.eigenlayer.io/drain-report": note}},
        "spec": {
            "holderIdentity": "executor-0",
            "leaseDurationSeconds": 5,
            "renewTime": "2026-01-01T00:00:00.000000Z",
            "acquireTime": None,
        },
    }
    assert reports_of(slim.drain_lease(whole)) == reports_of(whole) != ()


def test_rules_that_are_alike_are_in_memory_once() -> None:
    rules = [{"ports": [{"port": 8080}], "from": [{"podSelector": {}}]}]
    one, other = (
        slim.neighbour({"metadata": META, "spec": {"ingress": orjson.loads(orjson.dumps(rules))}})
        for _ in range(2)
    )
    assert one["spec"]["ingress"] == rules
    assert one["spec"]["ingress"] is other["spec"]["ingress"]


def test_objects_that_lack_any_field_can_be_kept() -> None:
    bare = {"metadata": {"name": "a"}}
    for keep in (
        slim.performer,
        slim.replica_set,
        slim.pod,
        slim.service,
        slim.neighbour,
        slim.drain_lease,
        slim.endpoint_slice,
    ):
        assert keep(bare)["metadata"]["name"] == "a"


def test_of_a_pods_spec_the_port_that_takes_calls_is_kept_once_for_all() -> None:
    port = {"name": "grpc", "containerPort": 9090, "protocol": "TCP"}
    one, two = ({**pod(podIP="10.0.0.1"), "spec": {"containers": [{"ports": [port]}]}},) * 2
    kept = slim.pod(one)
    assert grpc_target(kept) == "10.0.0.1:9090"
    assert kept["spec"] is slim.pod(two)["spec"]
