"""What the EndpointSlices of a Performer's two Services say of its instances."""

from typing import Any

import pytest
from hourglass_common.domain.endpoint import Role
from hourglass_common.kube.watch_state import Change
from hourglass_executor.deployers.cluster_view import (
    SliceBook,
    endpoints,
    performer_of,
    revision_of_pod,
    service_of,
    staged_service_of,
)

PERFORMER = {
    "metadata": {"name": "demo"},
    "status": {
        "stagedServiceName": "performer-demo-staged",
        "revisions": [{"hash": "bbb", "role": "Staged"}, {"hash": "aaa", "role": "InService"}],
    },
}


def piece(service: str, *pods: str, name: str = "s", **conditions: bool) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "grpc", "port": 9090}],
        "endpoints": [
            {
                "addresses": [f"10.0.0.{number}"],
                "conditions": {"ready": True, **conditions},
                "targetRef": {"kind": "Pod", "name": pod},
            }
            for number, pod in enumerate(pods, 1)
        ],
    }


def test_pods_behind_the_service_serve_and_those_behind_the_staged_one_wait() -> None:
    shown = endpoints(
        PERFORMER,
        [piece("performer-demo", "demo-aaa-1")],
        [piece("performer-demo-staged", "demo-bbb-1")],
    )
    assert [(e.instance, e.revision, e.role, e.address) for e in shown] == [
        ("demo-aaa-1", "aaa", Role.IN_SERVICE, "10.0.0.1:9090"),
        ("demo-bbb-1", "bbb", Role.STAGED, "10.0.0.1:9090"),
    ]


def test_a_pod_behind_both_services_serves() -> None:
    both = [piece("performer-demo", "demo-bbb-1")], [piece("performer-demo-staged", "demo-bbb-1")]
    (shown,) = endpoints(PERFORMER, *both)
    assert shown.role is Role.IN_SERVICE


@pytest.mark.parametrize("place", [0, 1])
def test_a_pod_on_its_way_out_drains_behind_either_service(place: int) -> None:
    pieces: list[list[Any]] = [[], []]
    pieces[place] = [piece("performer-demo", "demo-aaa-1", ready=False, terminating=True)]
    (shown,) = endpoints(PERFORMER, *pieces)
    assert (shown.role, shown.ready) == (Role.DRAINING, False)


def test_the_revision_of_a_pod_is_in_its_name() -> None:
    assert revision_of_pod("demo", "demo-aaa-x1y2z", ["aaa", "bbb"]) == "aaa"
    assert revision_of_pod("demo", "demo-ccc-x1y2z", ["aaa"]) == "ccc"
    assert revision_of_pod("demo", "10.0.0.1", ["aaa"]) == ""
    assert revision_of_pod("demo", "demolition-aaa-x1y2z", ["aaa"]) == ""


def test_the_revision_of_a_cut_name_is_the_one_known_that_begins_so() -> None:
    long = "p" * 53
    known = ["aaaa11111", "bbbb22222"]
    assert revision_of_pod(long, f"{long}-bbbbx1y2z", known) == "bbbb22222"
    assert revision_of_pod(long, f"{long}-ccccx1y2z", known) == ""
    assert revision_of_pod(long, f"{long}-bbbbx1y2z", [*known, "bbbb33333"]) == ""


def test_slices_are_found_by_their_service_as_they_come_move_and_go() -> None:
    book = SliceBook()
    one, other = piece("performer-a", "a-1-x"), piece("performer-b", "b-1-x")
    assert book.take(Change("added", ("ns", "s"), None, one)) == {"performer-a"}
    assert book.of("performer-a") == (one,)
    moved = Change("modified", ("ns", "s"), one, other)
    assert book.take(moved) == {"performer-a", "performer-b"}
    assert (book.of("performer-a"), book.of("performer-b")) == ((), (other,))
    assert book.take(Change("deleted", ("ns", "s"), other, None)) == {"performer-b"}
    assert book.of("performer-b") == ()


def test_all_slices_of_a_service_count() -> None:
    book = SliceBook()
    for name in ("s1", "s2"):
        found = piece("performer-a", f"a-1-{name}", name=name)
        book.take(Change("added", ("ns", name), None, found))
    assert len(book.of("performer-a")) == 2


def test_services_and_performers_name_one_another() -> None:
    assert performer_of(service_of("demo")) == "demo"
    assert performer_of("something") == ""
    assert staged_service_of(PERFORMER) == "performer-demo-staged"
    assert staged_service_of({"metadata": {"name": "demo"}}) == ""
