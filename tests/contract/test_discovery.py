"""How clients find out what there is: discovery, OpenAPI, tables, health."""

from typing import Any

from hourglass_common.kube.resources import PERFORMERS, PODS, REPLICA_SETS, SERVICES

from tests.support.covers import covers
from tests.support.kube_requests import KubeRequests
from tests.support.kube_samples import performer, pod, replica_set, service

GROUP = "hourglass.eigenlayer.io"
GROUPS = {
    "apps/v1": "apps.v1.ReplicaSet",
    "authentication.k8s.io/v1": "authentication.v1.TokenReview",
    "authorization.k8s.io/v1": "authorization.v1.SubjectAccessReview",
    "coordination.k8s.io/v1": "coordination.v1.Lease",
    "discovery.k8s.io/v1": "discovery.v1.EndpointSlice",
    "events.k8s.io/v1": "events.v1.Event",
    "networking.k8s.io/v1": "networking.v1.NetworkPolicy",
    "policy/v1": "policy.v1.PodDisruptionBudget",
}
CRUD = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@covers("get /version", "get /readyz", "get /livez")
async def test_the_server_says_that_it_is_up_and_its_version(api: KubeRequests) -> None:
    version = (await api.call("GET", "/version")).ok()
    assert {"major", "minor", "gitVersion", "platform"} <= set(version)
    for path in ("/readyz", "/livez", "/healthz"):
        assert (await api.call("GET", path)).body == "ok"


@covers("get /api", "get /apis", "get /api/v1", f"get /apis/{GROUP}/v1alpha1")
async def test_discovery_lists_our_kinds_with_verbs_and_short_names(api: KubeRequests) -> None:
    core = (await api.call("GET", "/api")).ok()
    assert (core["kind"], core["versions"]) == ("APIVersions", ["v1"])
    groups = {g["name"]: g for g in (await api.call("GET", "/apis")).ok()["groups"]}
    assert groups[GROUP]["preferredVersion"] == {
        "groupVersion": f"{GROUP}/v1alpha1",
        "version": "v1alpha1",
    }
    for group in ("apps", "discovery.k8s.io", "events.k8s.io", "coordination.k8s.io"):
        assert group in groups
    ours = await resources(api, f"/apis/{GROUP}/v1alpha1")
    assert set(ours) == {"performers", "performers/status", "performers/scale"}
    assert ours["performers"]["kind"] == "Performer"
    assert ours["performers"]["namespaced"] is True
    assert ours["performers"]["shortNames"] == ["perf"]
    assert set(ours["performers"]["verbs"]) == CRUD
    assert set(ours["performers/status"]["verbs"]) == {"get", "patch", "update"}
    assert ours["performers/scale"]["kind"] == "Scale"
    core_kinds = await resources(api, "/api/v1")
    assert core_kinds["pods"]["shortNames"] == ["po"]
    assert core_kinds["services"]["shortNames"] == ["svc"]
    assert core_kinds["namespaces"]["namespaced"] is False
    assert "pods/log" in core_kinds
    for plural in ("pods", "configmaps", "secrets", "serviceaccounts", "events"):
        assert set(core_kinds[plural]["verbs"]) == CRUD
    assert (await api.call("GET", f"/apis/{GROUP}")).ok()["kind"] == "APIGroup"


async def resources(api: KubeRequests, path: str) -> dict[str, Any]:
    body = (await api.call("GET", path)).ok()
    assert body["kind"] == "APIResourceList"
    return {r["name"]: r for r in body["resources"]}


async def test_aggregated_discovery_tells_all_at_once(api: KubeRequests) -> None:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in ("/api", "/apis"):
        answer = await api.call("GET", path, accept=f"{AGGREGATED},application/json")
        body = answer.ok()
        assert body["kind"] == "APIGroupDiscoveryList"
        assert "as=APIGroupDiscoveryList" in answer.content_type
        for group in body["items"]:
            name = (group.get("metadata") or {}).get("name", "")
            for version in group["versions"]:
                for each in version["resources"]:
                    found[name, each["resource"]] = each
    ours = found[GROUP, "performers"]
    assert ours["responseKind"]["kind"] == "Performer"
    assert ours["scope"] == "Namespaced"
    assert ours["shortNames"] == ["perf"]
    assert set(ours["verbs"]) == CRUD
    assert {s["subresource"] for s in ours["subresources"]} == {"status", "scale"}
    for key in (("", "pods"), ("apps", "replicasets"), ("discovery.k8s.io", "endpointslices")):
        assert key in found


@covers(
    "get /openapi/v3",
    f"get /openapi/v3/apis/{GROUP}/v1alpha1",
    "get /openapi/v3/api/v1",
    *(f"get /openapi/v3/apis/{version}" for version in GROUPS),
)
async def test_openapi_describes_our_kind(api: KubeRequests) -> None:
    paths = (await api.call("GET", "/openapi/v3")).ok()["paths"]
    assert f"apis/{GROUP}/v1alpha1" in paths
    url = paths[f"apis/{GROUP}/v1alpha1"]["serverRelativeURL"]
    assert url.startswith(f"/openapi/v3/apis/{GROUP}/v1alpha1")
    document = (await api.call("GET", f"/openapi/v3/apis/{GROUP}/v1alpha1")).ok()
    kinds = [
        schema
        for schema in document["components"]["schemas"].values()
        if any(
            gvk["kind"] == "Performer" and gvk["group"] == GROUP
            for gvk in schema.get("x-kubernetes-group-version-kind") or ()
        )
    ]
    (schema,) = kinds
    assert schema["properties"]["spec"]["properties"]["image"]["type"] == "string"
    assert schema["properties"]["spec"]["description"] == "What should run."
    path = f"/apis/{GROUP}/v1alpha1/namespaces/{{namespace}}/performers/{{name}}"
    assert document["paths"][path]["patch"]["x-kubernetes-action"] == "patch"
    core = (await api.call("GET", "/openapi/v3/api/v1")).ok()
    for version, schema_name in GROUPS.items():
        group = (await api.call("GET", f"/openapi/v3/apis/{version}")).ok()
        assert f"io.k8s.api.{schema_name}" in group["components"]["schemas"]
    assert "io.k8s.api.core.v1.Pod" in core["components"]["schemas"]


async def test_tables_have_the_columns_of_the_resource(api: KubeRequests, space: str) -> None:
    (await api.create(PERFORMERS, space, performer(version="v7"))).ok()
    table = (await api.call("GET", PERFORMERS.path(space), accept=TABLE)).ok()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [c["name"] for c in table["columnDefinitions"]]
    assert columns[:7] == ["Name", "AVS", "Image", "Version", "Phase", "Endpoint", "Age"]
    (row,) = table["rows"]
    cells = dict(zip(columns, row["cells"], strict=True))
    assert (cells["Name"], cells["Image"], cells["Version"]) == ("perf", "demo:1", "v7")
    assert cells["Phase"] is None
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["name"] == "perf"
    one = (await api.call("GET", PERFORMERS.path(space, "perf"), accept=TABLE)).ok()
    assert len(one["rows"]) == 1
    whole = await api.call("GET", PERFORMERS.path(space), accept=TABLE, includeObject="Object")
    assert whole.ok()["rows"][0]["object"]["spec"]["image"] == "demo:1"


async def test_tables_of_built_in_kinds(api: KubeRequests, space: str) -> None:
    await api.create(PODS, space, pod())
    await api.create(SERVICES, space, service())
    await api.create(REPLICA_SETS, space, replica_set())
    expected = {
        PODS: ["Name", "Ready", "Status", "Restarts", "Age"],
        SERVICES: ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"],
        REPLICA_SETS: ["Name", "Desired", "Current", "Ready", "Age"],
    }
    for what, names in expected.items():
        table = (await api.call("GET", what.path(space), accept=TABLE)).ok()
        shown = [c["name"] for c in table["columnDefinitions"] if not c["priority"]]
        assert shown == names
    (row,) = (await api.call("GET", PODS.path(space), accept=TABLE)).ok()["rows"]
    assert row["cells"][:4] == ["pod", "0/1", "Pending", "0"]


async def test_a_table_is_watched(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())
    answer = await api.call(
        "GET", PERFORMERS.path(space), accept=TABLE, watch="true", timeoutSeconds="1"
    )
    assert answer.ok()["object"]["kind"] == "Table"
    assert answer.body["object"]["rows"][0]["cells"][0] == "perf"


async def test_metadata_alone_can_be_asked_for(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
    body = (await api.call("GET", PERFORMERS.path(space, "perf"), accept=accept)).ok()
    assert body["kind"] == "PartialObjectMetadata"
    assert "spec" not in body


async def test_protobuf_alone_is_not_acceptable_for_custom_resources(
    api: KubeRequests, space: str
) -> None:
    answer = await api.call(
        "GET", PERFORMERS.path(space), accept="application/vnd.kubernetes.protobuf"
    )
    assert answer.status == 406


@covers("get /openapi/v2")
async def test_what_kubectl_asks_first_is_served_or_plainly_not_there(api: KubeRequests) -> None:
    """The dev cluster has version 3 alone; without version 2 kubectl sends merge patches."""
    found = await api.call("GET", "/openapi/v2")
    assert found.status in (200, 404)
