"""The dev cluster's API server over HTTP, through our own client."""

import asyncio
import socket
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    Resource,
)
from hourglass_devcluster.apiserver.server import serve
from hourglass_devcluster.apiserver.users import StaticUser

from tests.support.dev_api import WIDGETS, dev_api
from tests.support.dev_registry import pod, widget

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")


def labelled(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": {}}


async def until_gone(client: KubeClient, resource: Resource, name: str) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                await client.get(resource, "default" if resource.namespaced else None, name)
            except KubeError as exc:
                if exc.is_not_found:
                    return
                raise
            await asyncio.sleep(0.01)


async def test_state_and_versions_survive_a_restart(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        made = await client.create(CONFIG_MAPS, "default", labelled("kept"))
        await client.create(CONFIG_MAPS, "default", labelled("gone"))
        await client.delete(CONFIG_MAPS, "default", "gone")
        last = (await client.list(CONFIG_MAPS)).resource_version
    async with dev_api(tmp_path) as client:
        page = await client.list(CONFIG_MAPS, "default")
        assert made in page.items
        assert "gone" not in [each["metadata"]["name"] for each in page.items]
        assert int(page.resource_version) >= int(last)
        # A watch from before the restart goes on: nothing happened since.
        events = client.watch(CONFIG_MAPS, "default", resource_version=last)
        fresh = await client.create(CONFIG_MAPS, "default", labelled("fresh"))
        assert int(fresh["metadata"]["resourceVersion"]) > int(last)
        event = await anext(events)
        assert event == {"type": "ADDED", "object": fresh}
        older = client.watch(
            CONFIG_MAPS, "default", resource_version=made["metadata"]["resourceVersion"]
        )
        assert (await anext(older))["object"]["code"] == 410


async def test_a_data_directory_belongs_to_one_process(tmp_path: Path) -> None:
    async with dev_api(tmp_path):
        with pytest.raises(HourglassError, match="in use by another process") as refused:
            async with serve(data_dir=tmp_path):
                pass
    assert refused.value.code is Code.FAILED_PRECONDITION


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "cluster.sqlite").write_bytes(b"nothing of ours" * 100)
    with pytest.raises(HourglassError, match="can not be used"):
        async with serve(data_dir=tmp_path):
            pass


async def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HourglassError, match=f"can not listen on 127.0.0.1:{port}"):
            async with serve(port=port):
                pass


async def test_a_label_that_stops_matching_is_a_deletion_for_the_watcher(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        start = (await client.list(CONFIG_MAPS)).resource_version
        events = client.watch(CONFIG_MAPS, resource_version=start, label_selector="a=b")
        await client.create(CONFIG_MAPS, "default", labelled("one", a="b"))
        patch = {"metadata": {"labels": {"a": "c"}}}
        await client.merge_patch(CONFIG_MAPS, "default", "one", patch)
        patch = {"metadata": {"labels": {"a": "b"}}}
        await client.merge_patch(CONFIG_MAPS, "default", "one", patch)
        await client.delete(CONFIG_MAPS, "default", "one")
        seen = [(await anext(events))["type"] for _ in range(4)]
        assert seen == ["ADDED", "DELETED", "ADDED", "DELETED"]


async def test_a_watch_ends_at_its_timeout_with_a_bookmark(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        start = (await client.list(CONFIG_MAPS)).resource_version
        other = await client.create(NAMESPACES, None, {"metadata": {"name": "n"}})
        events = client.watch(PODS, resource_version=start, timeout_seconds=1)
        seen = [event async for event in events]
        assert [event["type"] for event in seen] == ["BOOKMARK"]
        version = seen[0]["object"]["metadata"]["resourceVersion"]
        assert int(version) >= int(other["metadata"]["resourceVersion"])


async def test_the_end_of_the_server_ends_its_watches(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer t"}
    async with asyncio.timeout(5), aiohttp.ClientSession(headers=headers) as session:
        async with serve(token="t", data_dir=tmp_path) as served:
            watch = await session.get(f"{served.url}/api/v1/namespaces?watch=true")
            assert b"ADDED" in await watch.content.readline()
        assert b"BOOKMARK" not in await watch.read()


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
async def test_the_dependents_of_an_owner_go_or_stay(tmp_path: Path, propagation: Any) -> None:
    async with dev_api(tmp_path) as client:
        owner = await client.create(WIDGETS, "default", widget("owner"))
        reference = {
            "apiVersion": "example.org/v1",
            "kind": "Widget",
            "name": "owner",
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        dependent = pod("dependent")
        dependent["metadata"]["ownerReferences"] = [reference]
        await client.create(PODS, "default", dependent)
        await client.delete(WIDGETS, "default", "owner", propagation=propagation)
        await until_gone(client, WIDGETS, "owner")
        if propagation == "Orphan":
            kept = await client.get(PODS, "default", "dependent")
            assert "ownerReferences" not in kept["metadata"]
        else:
            await until_gone(client, PODS, "dependent")


async def test_an_object_made_for_an_owner_that_is_gone_goes_too(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        late = pod("late")
        late["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "never-there"}
        ]
        await client.create(PODS, "default", late)
        await until_gone(client, PODS, "late")


async def test_a_namespace_takes_its_contents_with_it(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        await client.create(NAMESPACES, None, {"metadata": {"name": "n"}})
        await client.create(PODS, "n", pod())
        held = pod("running", nodeName="somewhere")
        running = await client.create(PODS, "n", held)
        await client.delete(NAMESPACES, None, "n")
        assert (await client.get(NAMESPACES, None, "n"))["status"]["phase"] == "Terminating"
        with pytest.raises(KubeError, match="because it is being terminated"):
            await client.create(PODS, "n", pod("late"))
        assert running["metadata"]["uid"]
        await client.delete(PODS, "n", "running", grace_period_seconds=0)
        await until_gone(client, NAMESPACES, "n")
        assert (await client.list(CONFIG_MAPS, "n")).items == ()


async def test_a_pod_log_is_read_from_its_file_and_followed(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        made = await client.create(PODS, "default", pod(nodeName="here"))
        path = PODS.path("default", "p", "log")
        with pytest.raises(KubeError, match="waiting to start: ContainerCreating"):
            _ = [chunk async for chunk in client.stream(path, {})]
        folder = tmp_path / "logs" / f"default_p_{made['metadata']['uid']}"
        folder.mkdir(parents=True)
        log = folder / "main.log"
        log.write_bytes(b"one\ntwo\nthree\n")
        assert b"".join([c async for c in client.stream(path, {})]) == b"one\ntwo\nthree\n"
        tail = {"tailLines": "2", "limitBytes": "9"}
        assert b"".join([c async for c in client.stream(path, tail)]) == b"two\nthree"
        following = client.stream(path, {"tailLines": "1", "follow": "true"})
        assert await anext(following) == b"three\n"
        with log.open("ab") as file:
            file.write(b"four\n")
        assert await anext(following) == b"four\n"
        await client.delete(PODS, "default", "p", grace_period_seconds=0)
        assert [chunk async for chunk in following] == []
        with pytest.raises(KubeError, match="not found"):
            _ = [chunk async for chunk in client.stream(path, {})]


async def test_what_is_not_served_says_so(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        await client.create(PODS, "default", pod())
        with pytest.raises(KubeError, match="does not serve apps/v1 deployments") as refused:
            await client.list(DEPLOYMENTS, "default")
        assert refused.value.is_not_found
        with pytest.raises(KubeError, match="does not serve pods/exec"):
            await client.create(PODS, "default", {}, name="p", subresource="exec")
        with pytest.raises(KubeError, match="does not list tokenreviews") as refused:
            await client.list(TOKEN_REVIEWS)
        assert refused.value.http_status == 405


READER = StaticUser(name="reader", token="read", namespaces=("default",), audiences=("ours",))


async def test_static_users_may_do_what_they_may(tmp_path: Path) -> None:
    async with (
        serve(users=[READER], token="admin") as served,
        aiohttp.ClientSession(served.url) as session,
    ):

        async def status(method: str, path: str, token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with session.request(method, path, headers=headers) as response:
                return response.status

        assert await status("GET", "/livez", "") == 200
        assert await status("GET", "/api/v1/pods", "") == 401
        assert await status("GET", "/api/v1/pods", "wrong") == 401
        assert await status("GET", "/api/v1/namespaces/default/pods", "read") == 200
        assert await status("GET", "/api/v1/pods", "read") == 403
        assert await status("DELETE", "/api/v1/namespaces/default/pods/x", "read") == 403
        assert await status("DELETE", "/api/v1/namespaces/default/pods/x", "admin") == 404


async def test_reviews_answer_for_static_users(tmp_path: Path) -> None:
    async with dev_api(tmp_path, users=[READER]) as client:

        async def token(token: str, *audiences: str) -> Any:
            spec = {"token": token, "audiences": list(audiences)}
            return (await client.create(TOKEN_REVIEWS, None, {"spec": spec}))["status"]

        async def access(verb: str, namespace: str, user: str = "reader") -> bool:
            attributes = {"verb": verb, "namespace": namespace, "resource": "performers"}
            spec = {"user": user, "resourceAttributes": attributes}
            answer = await client.create(SUBJECT_ACCESS_REVIEWS, None, {"spec": spec})
            return bool(answer["status"]["allowed"])

        known = await token("read", "ours", "theirs")
        assert known["authenticated"]
        assert known["user"]["username"] == "reader"
        assert known["audiences"] == ["ours"]
        assert not (await token("read", "theirs"))["authenticated"]
        assert not (await token("wrong"))["authenticated"]
        assert await access("get", "default")
        assert not await access("get", "other")
        assert not await access("delete", "default")
        assert not await access("get", "default", user="nobody")
        assert await access("delete", "anywhere", user="admin")


async def test_a_broken_body_is_a_bad_request(tmp_path: Path) -> None:
    async with serve(token="t") as served, aiohttp.ClientSession(served.url) as session:
        url = "/api/v1/namespaces/default/configmaps"
        headers = {"Authorization": "Bearer t"}
        for media, body, expected in (
            ("application/json", b"{oops", 400),
            ("application/json", b"[]", 400),
            ("application/yaml", b"a: [", 400),
            ("application/yaml", b"metadata: {name: fine}", 201),
            ("application/vnd.kubernetes.protobuf", b"k8s\x00", 415),
            ("application/json", b'"' + b"x" * (4 << 20) + b'"', 413),
        ):
            async with session.post(
                url, data=BytesIO(body), headers={**headers, "Content-Type": media}
            ) as response:
                assert response.status == expected, await response.text()
                if expected >= 400:
                    assert (await response.json())["kind"] == "Status"


async def test_a_replica_set_scales_by_its_subresource(tmp_path: Path) -> None:
    async with dev_api(tmp_path) as client:
        spec = {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]},
        }
        await client.create(REPLICA_SETS, "default", {"metadata": {"name": "r"}, "spec": spec})
        patch = {"spec": {"replicas": 3}}
        scale = await client.merge_patch(REPLICA_SETS, "default", "r", patch, subresource="scale")
        assert scale["status"]["selector"] == "a=b"
        found = await client.get(REPLICA_SETS, "default", "r")
        assert found["spec"]["replicas"] == 3
        assert found["metadata"]["generation"] == 2
