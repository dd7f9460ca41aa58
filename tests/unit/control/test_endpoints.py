"""Which instances are shown, and the part that each plays."""

from typing import Any

import pytest
from hourglass_common.kube.objects import PORT_ANNOTATION
from hourglass_common.kube.resources import Manifest
from hourglass_operator.control.endpoints import (
    NOBODY,
    Members,
    endpoints,
    matters,
    piece_of,
    with_piece,
)
from hourglass_operator.runtime import slim

LABELS = "hourglass.eigenlayer.io/"


def pod(revision: str = "r1", **more: Any) -> Manifest:
    """Return a pod as the operator keeps it."""
    meta: dict[str, Any] = {
        "name": "a",
        "labels": {
            f"{LABELS}revision": revision,
            f"{LABELS}serving": more.pop("serving", "true"),
        },
        "annotations": more.pop("annotations", {}),
    }
    if more.pop("terminating", False):
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True" if more.pop("ready", True) else "False"}
    port = {"name": "grpc", "containerPort": more.pop("port", 9090)}
    status = {"podIP": "10.0.0.9", "phase": "Running", "conditions": [ready], **more}
    return slim.pod(
        {"metadata": meta, "spec": {"containers": [{"ports": [port]}]}, "status": status}
    )


def performer(fence: bool | None = None, **roles: str) -> Manifest:
    spec = {} if fence is None else {"fence": fence}
    told = [{"hash": revision, "role": role} for revision, role in roles.items()]
    return {"metadata": {"name": "demo"}, "spec": spec, "status": {"revisions": told}}


def members(in_service: bool, staged: bool, left: bool) -> Members:
    found = NOBODY
    for wanted, is_staged in ((in_service or left, False), (staged, True)):
        if wanted:
            name = "staged" if is_staged else "main"
            piece = piece_of(name, piece_with("a"), staged=is_staged)
            found = with_piece(found, name, piece, lambda _: True)
    if left:
        found = with_piece(found, "main", None, lambda _: True)
    return found


def piece_with(*pods: str, **conditions: bool) -> Manifest:
    return {
        "ports": [{"name": "grpc", "port": 8080}],
        "endpoints": [
            {
                "addresses": ["10.0.0.9"],
                "conditions": {"ready": True, **conditions},
                "targetRef": {"name": name},
            }
            for name in pods
        ],
    }


def shown(manifest: Manifest, found: Members, one: Manifest | None) -> str:
    """Return role, address and readiness of the only endpoint, "" where there is none."""
    pods = {} if one is None else {"a": one}
    told = endpoints(("ns", "demo"), manifest, found, pods)
    return " ".join(f"{e.role.value} {e.address} {e.ready}" for e in told)


BY_SLICE, BY_POD = "10.0.0.9:8080", "10.0.0.9:9090"
ROLES: list[tuple[str, Manifest, str, Manifest | None, str]] = [
    # what it is; the performer; in which slices (m, s; l: once in m); the pod; what is shown
    ("serves", performer(r1="InService"), "m", pod(), f"InService {BY_SLICE} True"),
    ("serves, its pod not seen yet", performer(), "m", None, f"InService {BY_SLICE} True"),
    ("is marked", performer(r1="InService"), "m", pod(serving="false"), f"Draining {BY_SLICE}"),
    ("terminates", performer(r1="InService"), "m", pod(terminating=True), f"Draining {BY_SLICE}"),
    ("is staged", performer(r1="Staged"), "s", pod(), f"Staged {BY_SLICE} True"),
    ("is staged and goes", performer(r1="Staged"), "s", pod(terminating=True), "Draining"),
    ("is promoted now", performer(r1="Staged"), "ms", pod(), f"InService {BY_SLICE} True"),
    ("was replaced a moment ago", performer(r1="InService"), "l", pod(), f"Draining {BY_POD} True"),
    ("drains since before a restart", performer(r1="Draining"), "", pod(), f"Draining {BY_POD}"),
    ("is left over", performer(r1="Retired"), "", pod(ready=False), f"Draining {BY_POD} False"),
    ("was taken out", performer(r1="InService"), "", pod(serving="false"), f"Draining {BY_POD}"),
    ("comes up", performer(r1="InService"), "", pod(ready=False), ""),
    ("comes up beside", performer(r1="Staged"), "", pod(), ""),
    ("is of no known revision", performer(), "", pod(), ""),
    ("is fenced just now", performer(True, r1="InService"), "m", pod(), f"Draining {BY_SLICE}"),
    ("is fenced", performer(True, r1="InService"), "", pod(), f"Draining {BY_POD} True"),
    ("is staged while fenced", performer(True, r1="Staged"), "s", pod(), "Staged"),
    ("comes up beside while fenced", performer(True, r1="Staged"), "", pod(), ""),
    ("was evicted", performer(r1="Draining"), "l", pod(phase="Failed"), ""),
    ("has no address yet", performer(r1="Draining"), "l", pod(podIP=""), ""),
    ("is gone", performer(r1="Draining"), "l", None, ""),
]


@pytest.mark.parametrize("case", ROLES, ids=lambda case: case[0].replace(" ", "-"))
def test_an_instance_is_shown_with_the_part_it_plays(
    case: tuple[str, Manifest, str, Manifest | None, str],
) -> None:
    _, manifest, slices, one, wanted = case
    found = members("m" in slices, "s" in slices, "l" in slices)
    told = shown(manifest, found, one)
    assert told.startswith(wanted)
    assert bool(told) is bool(wanted)


def test_a_fence_that_was_asked_for_before_holds_as_the_operator_sees_it() -> None:
    asked = {**performer(), "status": {"intent": {"fence": True}}}
    assert shown(asked, members(True, False, False), pod()).startswith("Draining")
    lifted = {**asked, "spec": {"fence": False}}
    assert shown(lifted, members(True, False, False), pod()).startswith("InService")


def test_an_old_instance_is_found_at_the_port_that_its_own_revision_has() -> None:
    assert shown(performer(r1="Draining"), NOBODY, pod(port=7000)).startswith(
        "Draining 10.0.0.9:7000"
    )


def test_on_the_dev_cluster_it_is_found_where_its_process_listens() -> None:
    one = pod(annotations={PORT_ANNOTATION: "41234"})
    assert shown(performer(r1="Draining"), NOBODY, one).startswith("Draining 10.0.0.9:41234")


def test_an_instance_that_moves_from_one_slice_to_another_serves_on() -> None:
    moved = members(True, False, False)
    moved = with_piece(moved, "main", None, lambda _: True)
    assert shown(performer(), moved, pod()).startswith("Draining")
    moved = with_piece(moved, "other", piece_of("other", piece_with("a"), staged=False), bool)
    assert shown(performer(), moved, pod()).startswith("InService")
    assert moved.left == frozenset()


def test_of_a_pod_that_is_gone_nothing_is_kept() -> None:
    found = with_piece(members(True, False, False), "main", None, lambda _: False)
    assert found == NOBODY


def test_only_what_may_be_shown_of_a_pod_matters() -> None:
    assert not matters(pod(), pod(restartCount=3))
    for other in (pod("r2"), pod(serving="false"), pod(ready=False), pod(podIP="10.0.0.8"), None):
        assert matters(pod(), other)
