"""Collections: selectors, pages, and watches that neither lose nor repeat a change."""

from typing import Any

import pytest
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    CORE_EVENTS,
    EVENTS,
    LEASES,
    NAMESPACES,
    PERFORMERS,
    PODS,
)

from tests.support.covers import covers
from tests.support.kube_requests import KubeRequests
from tests.support.kube_samples import core_event, event, lease, performer, pod
from tests.support.targets import DEV


def names(body: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


async def make(api: KubeRequests, space: str, name: str, **labels: str) -> dict[str, Any]:
    body = {"metadata": {"name": name, "labels": labels}}
    made: dict[str, Any] = (await api.create(CONFIG_MAPS, space, body)).ok()
    return made


@covers("list configmaps")
@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=a", ["one"]),
        ("tier==a,role=x", ["one"]),
        ("tier!=a", ["three", "two"]),
        ("tier in (a,b)", ["one", "two"]),
        ("tier notin (a)", ["three", "two"]),
        ("tier", ["one", "two"]),
        ("!tier,test=yes", ["three"]),
        ("role=x,tier in (b)", []),
    ],
)
async def test_label_selectors_choose(
    api: KubeRequests, space: str, selector: str, expected: list[str]
) -> None:
    await make(api, space, "one", tier="a", role="x", test="yes")
    await make(api, space, "two", tier="b", test="yes")
    await make(api, space, "three", test="yes")
    found = names((await api.list(CONFIG_MAPS, space, labelSelector=selector)).ok())
    assert [name for name in found if name != "kube-root-ca.crt"] == expected


async def test_a_selector_that_can_not_be_read_is_a_bad_request(
    api: KubeRequests, space: str
) -> None:
    for query in ({"labelSelector": "a in b"}, {"fieldSelector": "spec.nonsense=1"}):
        (await api.list(CONFIG_MAPS, space, **query)).refused(400, "BadRequest")


async def test_field_selectors_choose_by_name_and_namespace(api: KubeRequests, space: str) -> None:
    for name in ("one", "two"):
        await api.create(PERFORMERS, space, performer(name))
    one = await api.list(PERFORMERS, space, fieldSelector="metadata.name=one")
    assert names(one.ok()) == ["one"]
    others = await api.list(PERFORMERS, space, fieldSelector="metadata.name!=one")
    assert names(others.ok()) == ["two"]
    everywhere = await api.list(PERFORMERS, None, fieldSelector=f"metadata.namespace={space}")
    assert names(everywhere.ok()) == ["one", "two"]


async def test_pods_are_chosen_by_phase_and_node(api: KubeRequests, space: str) -> None:
    (await api.create(PODS, space, pod())).ok()
    assert names((await api.list(PODS, space, fieldSelector="status.phase=Pending")).ok()) == [
        "pod"
    ]
    assert names((await api.list(PODS, space, fieldSelector="spec.nodeName=other")).ok()) == []


@covers("list events", "list events.events.k8s.io")
async def test_events_are_one_store_seen_through_two_groups(api: KubeRequests, space: str) -> None:
    (await api.create(CORE_EVENTS, space, core_event(space, "old", about="a"))).ok()
    (await api.create(EVENTS, space, event(space, "new", about="b"))).ok()
    assert names((await api.list(CORE_EVENTS, space)).ok()) == ["new", "old"]
    assert names((await api.list(EVENTS, space)).ok()) == ["new", "old"]
    old = (await api.get(EVENTS, space, "old")).ok()
    assert (old["regarding"]["name"], old["note"]) == ("a", "made it")
    assert old["deprecatedCount"] == 1
    new = (await api.get(CORE_EVENTS, space, "new")).ok()
    assert (new["involvedObject"]["name"], new["message"]) == ("b", "made it")
    assert new["reportingComponent"] == "hourglass.eigenlayer.io/contract"
    chosen = "involvedObject.name=b,involvedObject.kind=Performer,involvedObject.namespace=" + space
    assert names((await api.list(CORE_EVENTS, space, fieldSelector=chosen)).ok()) == ["new"]
    assert names((await api.list(EVENTS, space, fieldSelector="regarding.name=a")).ok()) == ["old"]


async def test_pages_add_up_to_the_list_of_one_moment(api: KubeRequests, space: str) -> None:
    for index in range(5):
        await api.create(PERFORMERS, space, performer(f"p{index}"))
    first = (await api.list(PERFORMERS, space, limit="2")).ok()
    assert names(first) == ["p0", "p1"]
    assert first["metadata"]["remainingItemCount"] == 3
    await api.create(PERFORMERS, space, performer("p9"))
    more = {"limit": "2", "continue": first["metadata"]["continue"]}
    second = (await api.list(PERFORMERS, space, **more)).ok()
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    last = (
        await api.list(
            PERFORMERS, space, **{"limit": "2", "continue": second["metadata"]["continue"]}
        )
    ).ok()
    assert names(second) + names(last) == ["p2", "p3", "p4"]
    assert not last["metadata"].get("continue")
    bad = await api.list(PERFORMERS, space, **{"limit": "2", "continue": "nonsense"})
    bad.refused(400, "BadRequest")


@covers("watch configmaps")
async def test_a_watch_goes_on_from_a_version_without_gap_or_repeat(
    api: KubeRequests, space: str
) -> None:
    await make(api, space, "before")
    version = (await api.list(CONFIG_MAPS, space)).version
    await make(api, space, "one", w="1")
    body = {"metadata": {"labels": {"w": "2"}}}
    await api.patch("merge", CONFIG_MAPS, space, "one", body)
    await api.delete(CONFIG_MAPS, space, "one")
    query = {"resourceVersion": version, "timeoutSeconds": "10", "labelSelector": "w"}
    async with api.watch(CONFIG_MAPS, space, **query) as stream:
        seen = [await stream.next() for _ in range(3)]
        assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
        assert [event["object"]["metadata"]["labels"]["w"] for event in seen] == ["1", "2", "2"]
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
        assert versions == sorted(set(versions))
        await make(api, space, "live", w="3")
        assert (await stream.next())["object"]["metadata"]["name"] == "live"
    resume = {**query, "resourceVersion": str(versions[1])}
    async with api.watch(CONFIG_MAPS, space, **resume) as stream:
        again = [await stream.next() for _ in range(2)]
    assert [event["type"] for event in again] == ["DELETED", "ADDED"]


async def test_an_object_that_leaves_the_selector_is_deleted_for_the_watcher(
    api: KubeRequests, space: str
) -> None:
    await make(api, space, "one", w="in")
    version = (await api.list(CONFIG_MAPS, space)).version
    query = {"resourceVersion": version, "timeoutSeconds": "10", "labelSelector": "w=in"}
    async with api.watch(CONFIG_MAPS, space, **query) as stream:
        out = {"metadata": {"labels": {"w": "out"}}}
        await api.patch("merge", CONFIG_MAPS, space, "one", out)
        assert (await stream.next())["type"] == "DELETED"
        back = {"metadata": {"labels": {"w": "in"}}}
        await api.patch("merge", CONFIG_MAPS, space, "one", back)
        assert (await stream.next())["type"] == "ADDED"


@covers("list leases.coordination.k8s.io", "watch leases.coordination.k8s.io")
async def test_leases_are_followed_by_label(api: KubeRequests, space: str) -> None:
    def labelled(name: str, performer: str) -> dict[str, Any]:
        body = lease(name)
        body["metadata"]["labels"] = {"performer": performer, "drain": "yes"}
        return body

    selector = {"labelSelector": "performer=p,drain"}
    await api.create(LEASES, space, labelled("one", "p"))
    await api.create(LEASES, space, labelled("other", "q"))
    listed = (await api.list(LEASES, space, **selector)).ok()
    assert names(listed) == ["one"]
    query = {"resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": "10"}
    async with api.watch(LEASES, space, **selector, **query) as stream:
        await api.create(LEASES, space, labelled("third", "q"))
        renewed = {"spec": {"renewTime": "2026-01-01T00:00:05.000000Z"}}
        for name in ("other", "one"):
            (await api.patch("merge", LEASES, space, name, renewed)).ok()
        await api.create(LEASES, space, labelled("two", "p"))
        await api.patch("merge", LEASES, space, "two", {"metadata": {"labels": {"drain": None}}})
        await api.delete(LEASES, space, "one")
        seen = [await stream.next() for _ in range(4)]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in seen] == [
        ("MODIFIED", "one"),
        ("ADDED", "two"),
        ("DELETED", "two"),
        ("DELETED", "one"),
    ]


async def test_a_watch_without_a_version_starts_with_what_is_there(
    api: KubeRequests, space: str
) -> None:
    for name in ("one", "two"):
        await make(api, space, name, w="x")
    async with api.watch(CONFIG_MAPS, space, labelSelector="w=x", timeoutSeconds="10") as stream:
        first = [await stream.next() for _ in range(2)]
    assert {event["type"] for event in first} == {"ADDED"}
    assert [event["object"]["metadata"]["name"] for event in first] == ["one", "two"]


@covers("watch performers.hourglass.eigenlayer.io")
async def test_initial_events_end_with_a_bookmark_that_says_so(
    api: KubeRequests, space: str
) -> None:
    (await api.create(PERFORMERS, space, performer())).ok()
    async with api.watch(
        PERFORMERS,
        space,
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
        timeoutSeconds="10",
    ) as stream:
        first, bookmark = await stream.next(), await stream.next()
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "perf")
    assert bookmark["type"] == "BOOKMARK"
    meta = bookmark["object"]["metadata"]
    assert meta["annotations"]["k8s.io/initial-events-end"] == "true"
    assert int(meta["resourceVersion"]) >= int(first["object"]["metadata"]["resourceVersion"])


async def test_a_watch_ends_at_its_time_after_a_bookmark(api: KubeRequests, space: str) -> None:
    version = (await make(api, space, "one"))["metadata"]["resourceVersion"]
    query = {
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "4",
        "resourceVersion": version,
        "fieldSelector": "metadata.name=one",
    }
    async with api.watch(CONFIG_MAPS, space, **query) as stream:
        later = (await make(api, space, "not-selected"))["metadata"]["resourceVersion"]
        events = await stream.rest()
    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert int(events[-1]["object"]["metadata"]["resourceVersion"]) >= int(later)
    assert events[-1]["object"]["kind"] == "ConfigMap"


async def test_a_watch_of_all_namespaces_sees_every_namespace(
    api: KubeRequests, space: str
) -> None:
    version = (await api.list(PERFORMERS, None)).version
    (await api.create(PERFORMERS, space, performer())).ok()
    query = {
        "resourceVersion": version,
        "timeoutSeconds": "10",
        "fieldSelector": f"metadata.namespace={space}",
    }
    async with api.watch(PERFORMERS, None, **query) as stream:
        event = await stream.next()
    assert event["object"]["metadata"]["namespace"] == space


@covers("watch namespaces")
async def test_a_single_object_is_watched_by_its_name(api: KubeRequests, space: str) -> None:
    version = (await api.get(NAMESPACES, None, space)).version
    query = {
        "fieldSelector": f"metadata.name={space}",
        "resourceVersion": version,
        "timeoutSeconds": "10",
    }
    async with api.watch(NAMESPACES, None, **query) as stream:
        body = {"metadata": {"labels": {"x": "y"}}}
        (await api.patch("merge", NAMESPACES, None, space, body)).ok()
        event = await stream.next()
    assert (event["type"], event["object"]["metadata"]["name"]) == ("MODIFIED", space)


@pytest.mark.only(DEV, "a real API server forgets only after etcd compacts, minutes later")
async def test_a_version_that_is_no_longer_kept_is_gone(api: KubeRequests, space: str) -> None:
    await make(api, space, "one")
    async with api.watch(CONFIG_MAPS, space, resourceVersion="1", timeoutSeconds="5") as stream:
        if stream.response.status == 410:
            return
        event = await stream.next()
    assert event["type"] == "ERROR"
    assert event["object"]["code"] == 410
    assert event["object"]["reason"] == "Expired"


async def test_a_version_that_is_not_one_is_an_error(api: KubeRequests, space: str) -> None:
    for version in ("abc", "None"):
        answer = await api.call(
            "GET",
            CONFIG_MAPS.path(space),
            watch="true",
            resourceVersion=version,
            timeoutSeconds="2",
        )
        assert answer.status >= 400
