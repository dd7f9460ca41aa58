"""The pure parts of the operator's benchmark: gaps, requests, plans of the bare client."""

import json
from typing import Any

import pytest
from hourglass_common.kube.resources import REPLICA_SETS, SERVICES

from tests.bench.operator_rig.audit import requests, writes
from tests.bench.operator_rig.bare_client import Step, rendered
from tests.bench.operator_rig.gap import Gap, gap
from tests.bench.operator_rig.observer import Countdown, LateError, Observer, Seen
from tests.bench.operator_rig.performers import Sample, bare_steps, is_ready, performer
from tests.bench.operator_rig.processors import Snapshot, program_of, used
from tests.bench.operator_rig.programs import sums_of_metrics
from tests.bench.operator_rig.steady import touched

UID = "11111111-2222-3333-4444-555555555555"


def pod(*, ready: bool, leaving: bool = False) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    meta = {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {"name": "p"}
    return {"metadata": meta, "status": status}


def cr(*, ready: bool, generation: int = 1, observed: int = 1) -> dict[str, Any]:
    said = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "observedGeneration": observed,
    }
    meta = {"name": "demo", "generation": generation}
    return {"metadata": meta, "status": {"conditions": [said]}}


def event(at: float, kind: str, plural: str, name: str, found: dict[str, Any]) -> Seen:
    return Seen(at, kind, plural, name, found)


def test_there_is_no_gap_while_an_old_pod_serves_until_the_new_one_is_ready() -> None:
    events = [
        event(2, "ADDED", "pods", "new", pod(ready=True)),
        event(3, "MODIFIED", "pods", "old", pod(ready=True, leaving=True)),
        event(9, "DELETED", "pods", "old", pod(ready=True, leaving=True)),
    ]
    assert gap({("pods", "old"): pod(ready=True)}, events, 0, 10) == Gap(0, 0)


def test_a_gap_lasts_from_the_first_deletion_to_the_next_ready_pod() -> None:
    before = {
        ("pods", "old"): pod(ready=True),
        ("performers", "demo"): cr(ready=True, generation=2, observed=2),
    }
    events = [
        event(1, "MODIFIED", "pods", "old", pod(ready=True, leaving=True)),
        event(4, "MODIFIED", "performers", "demo", cr(ready=False, generation=2, observed=2)),
        event(12, "ADDED", "pods", "new", pod(ready=True)),
    ]
    assert gap(before, events, 0, 20) == Gap(without=11, untrue=3)


def test_a_gap_that_never_closes_lasts_until_the_end() -> None:
    events = [event(5, "DELETED", "pods", "old", pod(ready=True))]
    assert gap({("pods", "old"): pod(ready=True)}, events, 0, 20) == Gap(15, 0)


def test_a_condition_of_an_older_spec_is_not_ready() -> None:
    assert is_ready(cr(ready=True, generation=2, observed=2))
    assert not is_ready(cr(ready=True, generation=2, observed=1))
    assert is_ready({"metadata": {"name": "demo"}, "status": {"ready": True}})


def audited(verb: str, resource: str, user: str = "op", namespace: str = "n") -> dict[str, Any]:
    about = {"resource": resource, "namespace": namespace}
    return {"verb": verb, "user": {"username": user}, "objectRef": about, "requestURI": "/"}


def test_requests_of_others_and_those_set_aside_do_not_count() -> None:
    events = [
        audited("create", "services"),
        audited("get", "services"),
        audited("watch", "services"),
        audited("list", "services"),
        audited("create", "events"),
        audited("update", "leases"),
        audited("create", "services", user="somebody"),
        audited("create", "services", namespace="elsewhere"),
    ]
    assert requests(events, "op", "n") == {"create services": 1, "get services": 1}


def test_events_are_writes_and_leases_are_not() -> None:
    events = [audited("create", "events"), audited("update", "leases"), audited("get", "pods")]
    assert writes(events, "op") == {"create events": 1}


def sample() -> Sample:
    owner = {**performer("it"), "metadata": {"name": "it", "namespace": "there", "uid": UID}}
    reference = {"kind": "Performer", "name": "it", "uid": UID, "controller": True}
    meta = {
        "name": "performer-it",
        "namespace": "there",
        "uid": "other",
        "resourceVersion": "7",
        "managedFields": [],
        "ownerReferences": [reference],
    }
    service = {"metadata": meta, "spec": {"clusterIP": "10.96.0.7", "ports": []}, "status": {}}
    replica_set = {"metadata": {**meta, "name": "it-abc"}, "spec": {"replicas": 1}}
    status = {"grpcEndpoint": "performer-it.there.svc"}
    return Sample(owner, ((REPLICA_SETS, replica_set), (SERVICES, service)), status)


def test_the_bare_client_posts_what_the_sample_has_and_nothing_of_the_server() -> None:
    steps = bare_steps(sample(), "here")
    assert [(step.method, step.path.rpartition("/here/")[2]) for step in steps] == [
        ("POST", "performers"),
        ("POST", "replicasets"),
        ("POST", "services"),
        ("PUT", "performers/__NAME__/status"),
    ]
    made = json.loads(steps[2].body)
    assert made["metadata"]["name"] == "performer-__NAME__"
    assert made["metadata"]["ownerReferences"][0]["uid"] == "__UID__"
    assert not {"uid", "resourceVersion", "managedFields"} & set(made["metadata"])
    assert made["spec"] == {"ports": []}
    assert json.loads(steps[3].body)["status"]["grpcEndpoint"] == "performer-__NAME__.here.svc"


def test_a_floor_takes_the_named_kinds_alone() -> None:
    steps = bare_steps(sample(), "here", only=("services",))
    assert [step.path.rpartition("/here/")[2] for step in steps[1:-1]] == ["services"]


def test_a_chain_is_filled_with_what_the_first_answer_told() -> None:
    steps = [Step("POST", "/a", "k", "{}"), Step("PUT", "/a/__NAME__", "k", "__NAME__ __UID__")]
    plan = {"names": ["x"], "steps": [vars_of(step) for step in steps]}
    ((first, second),) = rendered(plan)
    assert (first.complete(b"u", b"1"), second.path) == (b"{}", "/a/x")
    assert second.complete(b"u", b"1") == b"x u"


def vars_of(step: Step) -> dict[str, str]:
    return {name: getattr(step, name) for name in ("method", "path", "kind", "body")}


async def test_a_child_that_changes_is_not_a_second_child() -> None:
    observer = Observer()
    children = observer.children_of(["it"], {"services": 2})
    service = dict(sample().children[1][1])
    observer.tell(event(1, "ADDED", "services", "performer-it", service))
    observer.tell(event(2, "MODIFIED", "services", "performer-it", service))
    with pytest.raises(LateError, match="1 not seen"):
        await children.wait(0)


async def test_a_countdown_ends_with_the_last_thing_that_was_seen() -> None:
    observer = Observer()
    children = observer.children_of(["it"], {"services": 1, "replicasets": 1})
    (_, replica_set), (_, service) = sample().children
    observer.tell(event(1, "ADDED", "services", "performer-it", dict(service)))
    observer.tell(event(2, "MODIFIED", "services", "performer-it", dict(service)))
    observer.tell(event(3, "ADDED", "replicasets", "it-abc", dict(replica_set)))
    assert await children.wait(0) == 3
    assert await Countdown("nothing", {}).wait(0) == 0


def test_pods_that_are_new_gone_or_changed_are_touched() -> None:
    before = {"same": "1", "changed": "1", "gone": "1"}
    assert touched(before, {"same": "1", "changed": "2", "new": "1"}) == 3


def test_metrics_are_summed_over_their_labels() -> None:
    text = '# HELP x y\nx_total{a="1"} 2.0\nx_total{a="2"} 3\nworkqueue_depth{name="p"} 0.0\n'
    assert sums_of_metrics(text) == {"x_total": 5.0, "workqueue_depth": 0.0}


def test_what_others_use_is_what_the_machine_used_and_we_did_not() -> None:
    before = Snapshot(at=0, programs={"etcd": 1.0}, machine=100.0)
    after = Snapshot(at=10, programs={"etcd": 3.0, "bench": 2.0}, machine=110.0)
    found = used(before, after, cores=2)
    assert found.programs == {"etcd": 2.0, "bench": 2.0}
    assert found.strangers == 0.3
    assert str(found).endswith("bench 2.0, etcd 2.0; others used 30% of the machine")


def test_a_python_program_goes_by_the_name_of_its_script() -> None:
    assert program_of(["/bin/python3", "-u", "/venv/bin/hourglass", "operator"]) == "hourglass"
    assert program_of(["/bin/python3", "-m", "tests.bench.rig.bare_client"]) == "bare_client"
    assert program_of(["/usr/bin/etcd", "--data-dir=/x"]) == "etcd"
