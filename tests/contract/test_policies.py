"""NetworkPolicy and PodDisruptionBudget: defaults, checks, patches and tables."""

from typing import Any

import pytest
from hourglass_common.kube.resources import (
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    Resource,
)

from tests.support.covers import covers
from tests.support.kube_requests import Answer, KubeRequests, eventually
from tests.support.kube_samples import network_policy, performer, pod_disruption_budget

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@covers("create networkpolicies.networking.k8s.io")
@pytest.mark.parametrize(
    ("rules", "types"),
    [
        ({}, ["Ingress"]),
        ({"egress": []}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"egress": [{}], "policyTypes": ["Egress"]}, ["Egress"]),
    ],
)
async def test_the_types_of_a_network_policy_follow_from_its_rules(
    api: KubeRequests, space: str, rules: dict[str, Any], types: list[str]
) -> None:
    spec = (await api.create(NETWORK_POLICIES, space, network_policy(**rules))).ok()["spec"]
    assert spec["policyTypes"] == types
    assert ("egress" in spec) == bool(rules.get("egress"))
    assert spec["ingress"][0]["ports"] == [{"port": 9090, "protocol": "TCP"}]


async def test_types_that_are_set_stay_when_rules_come_later(api: KubeRequests, space: str) -> None:
    await api.create(NETWORK_POLICIES, space, network_policy())
    patch = {"spec": {"egress": [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}]}}
    patched = (await api.patch("merge", NETWORK_POLICIES, space, "policy", patch)).ok()
    assert patched["spec"]["policyTypes"] == ["Ingress"]
    assert [p["protocol"] for p in patched["spec"]["egress"][0]["ports"]] == ["UDP", "TCP"]
    assert patched["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"policyTypes": ["Nonsense"]}, "spec.policyTypes[0]"),
        ({"policyTypes": ["Ingress", "Egress", "Ingress"]}, "spec.policyTypes"),
        ({"podSelector": {"matchLabels": {"a b": "c"}}}, "spec.podSelector.matchLabels"),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            "spec.podSelector.matchExpressions[0].operator",
        ),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "spec.podSelector.matchExpressions[0].values",
        ),
        ({"ingress": [{"from": [{}]}]}, "spec.ingress[0].from[0]"),
        (
            {"egress": [{"to": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
            "spec.egress[0].to[0]",
        ),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "x"}}]}]}, "spec.egress[0].to[0].ipBlock.cidr"),
        (
            {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}]},
            "spec.egress[0].to[0].ipBlock.cidr",
        ),
        ({"egress": [{"to": [{"ipBlock": {}}]}]}, "spec.egress[0].to[0].ipBlock.cidr"),
        (
            {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}]},
            "spec.egress[0].to[0].ipBlock.except[0]",
        ),
        ({"ingress": [{"ports": [{"port": 70000}]}]}, "spec.ingress[0].ports[0].port"),
        ({"ingress": [{"ports": [{"port": "No Name"}]}]}, "spec.ingress[0].ports[0].port"),
        (
            {"ingress": [{"ports": [{"port": 1, "protocol": "X"}]}]},
            "spec.ingress[0].ports[0].protocol",
        ),
        (
            {"ingress": [{"ports": [{"port": 10, "endPort": 5}]}]},
            "spec.ingress[0].ports[0].endPort",
        ),
        ({"ingress": [{"ports": [{"endPort": 5}]}]}, "spec.ingress[0].ports[0].endPort"),
    ],
)
async def test_a_network_policy_that_makes_no_sense_is_invalid(
    api: KubeRequests, space: str, spec: dict[str, Any], field: str
) -> None:
    body = network_policy(**spec)
    refused = (await api.create(NETWORK_POLICIES, space, body)).refused(422, "Invalid")
    assert list(refused.causes) == [field]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"minAvailable": 1, "maxUnavailable": 1}, "spec"),
        ({"minAvailable": -1}, "spec.minAvailable"),
        ({"minAvailable": "two"}, "spec.minAvailable"),
        ({"maxUnavailable": "150%"}, "spec.maxUnavailable"),
        ({"unhealthyPodEvictionPolicy": "Never"}, "spec.unhealthyPodEvictionPolicy"),
        ({"selector": {"matchLabels": {"a": "b c"}}}, "spec.selector.matchLabels"),
    ],
)
async def test_a_disruption_budget_that_makes_no_sense_is_invalid(
    api: KubeRequests, space: str, spec: dict[str, Any], field: str
) -> None:
    body = pod_disruption_budget(**spec)
    refused = (await api.create(POD_DISRUPTION_BUDGETS, space, body)).refused(422, "Invalid")
    assert list(refused.causes) == [field]


@pytest.mark.parametrize("value", [1.5, True, {}])
async def test_a_count_that_is_no_count_can_not_be_decoded(
    api: KubeRequests, space: str, value: Any
) -> None:
    body = pod_disruption_budget(minAvailable=value)
    (await api.create(POD_DISRUPTION_BUDGETS, space, body)).refused(400, "BadRequest")


@covers(
    "create poddisruptionbudgets.policy",
    "get poddisruptionbudgets.policy/status",
    "patch poddisruptionbudgets.policy/status merge",
)
async def test_the_status_of_a_disruption_budget_is_written_apart(
    api: KubeRequests, space: str
) -> None:
    body = {**pod_disruption_budget(), "status": {"disruptionsAllowed": 5}}
    made = (await api.create(POD_DISRUPTION_BUDGETS, space, body)).ok()
    assert made["status"] == {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    }
    patch = {"spec": {"maxUnavailable": 3}, "status": {"disruptionsAllowed": 2}}
    answer = await api.patch("merge", POD_DISRUPTION_BUDGETS, space, "budget", patch, "status")
    assert answer.ok()["status"]["disruptionsAllowed"] == 2
    assert answer.body["spec"]["maxUnavailable"] == 1
    assert answer.body["metadata"]["generation"] == 1
    read = (await api.get(POD_DISRUPTION_BUDGETS, space, "budget", "status")).ok()
    assert read["kind"] == "PodDisruptionBudget"
    (await api.get(NETWORK_POLICIES, space, "policy", "status")).refused(404, "NotFound")


@covers("update poddisruptionbudgets.policy", "update networkpolicies.networking.k8s.io")
async def test_only_the_network_policy_is_replaced_without_a_version(
    api: KubeRequests, space: str
) -> None:
    await api.create(NETWORK_POLICIES, space, network_policy())
    other = network_policy(app="y")
    replaced = (await api.replace(NETWORK_POLICIES, space, other)).ok()
    assert replaced["spec"]["podSelector"] == {"matchLabels": {"app": "y"}}
    await api.create(POD_DISRUPTION_BUDGETS, space, pod_disruption_budget())
    refused = await api.replace(POD_DISRUPTION_BUDGETS, space, pod_disruption_budget())
    assert "metadata.resourceVersion" in refused.refused(422, "Invalid").causes
    for what, body in ((NETWORK_POLICIES, network_policy), (POD_DISRUPTION_BUDGETS, budget)):
        (await api.replace(what, space, body("none"))).refused(404, "NotFound")


def budget(name: str) -> dict[str, Any]:
    return {**pod_disruption_budget(), "metadata": {"name": name, "resourceVersion": "1"}}


KINDS = [
    pytest.param(
        what,
        name,
        id=what.plural,
        marks=covers(
            *(
                f"{each} {what.plural}.{what.group}{' merge' if each == 'patch' else ''}"
                for each in ("create", "patch", "delete", "list", "watch")
            ),
            f"patch {what.plural}.{what.group} apply",
        ),
    )
    for what, name in ((NETWORK_POLICIES, "policy"), (POD_DISRUPTION_BUDGETS, "budget"))
]


@pytest.mark.parametrize(("what", "name"), KINDS)
async def test_a_policy_is_followed_through_its_life(
    api: KubeRequests, space: str, what: Resource, name: str
) -> None:
    """Each change is one event; a stale version and another uid are refused."""
    maker = network_policy if what is NETWORK_POLICIES else pod_disruption_budget
    field = "podSelector" if what is NETWORK_POLICIES else "selector"
    listed = (await api.list(what, space)).ok()
    version = listed["metadata"]["resourceVersion"]
    async with api.watch(what, space, resourceVersion=version, timeoutSeconds="20") as stream:
        made = (await api.create(what, space, maker(app="x"), fieldManager="contract")).ok()
        added = await stream.next()
        assert (added["type"], added["object"]["metadata"]["uid"]) == (
            "ADDED",
            made["metadata"]["uid"],
        )

        async def patch() -> Answer:
            # A controller writes the status of a budget in between.
            now = (await api.get(what, space, name)).version
            body = {
                "metadata": {"resourceVersion": now},
                "spec": {field: {"matchLabels": {"app": "y"}}},
            }
            return await api.patch("merge", what, space, name, body)

        patched = (await eventually(patch, lambda answer: answer.status != 409)).ok()
        assert patched["spec"][field] == {"matchLabels": {"app": "y"}}
        assert patched["metadata"]["generation"] == 2
        stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
        (await api.patch("merge", what, space, name, {**stale, "spec": {}})).refused(
            409, "Conflict"
        )
        other = {"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}
        (await api.delete(what, space, name, other)).refused(409, "Conflict")
        mine = {"preconditions": {"uid": made["metadata"]["uid"]}}
        answer = (await api.delete(what, space, name, mine)).ok()
        assert (answer["kind"], answer["details"]["uid"]) == ("Status", made["metadata"]["uid"])
        kinds = [added["type"]]
        while kinds[-1] != "DELETED":
            kinds.append((await stream.next())["type"])
        assert set(kinds[1:-1]) == {"MODIFIED"}
    applied = await api.apply(what, space, maker(app="z"), "contract")
    assert applied.status == 201
    taken = await api.apply(what, space, maker(app="x"), "other")
    assert f".spec.{field}" in taken.refused(409, "Conflict").causes


async def test_policies_go_with_their_owner(api: KubeRequests, space: str) -> None:
    owner = (await api.create(PERFORMERS, space, performer())).ok()
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": "perf",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    bodies = (
        (NETWORK_POLICIES, network_policy()),
        (POD_DISRUPTION_BUDGETS, pod_disruption_budget()),
    )
    for what, body in bodies:
        body["metadata"] = {"name": "child", "ownerReferences": [reference]}
        (await api.create(what, space, body)).ok()
    await api.delete(PERFORMERS, space, "perf")
    for what, _ in bodies:

        async def ask(what: Resource = what) -> Answer:
            return await api.get(what, space, "child")

        await eventually(ask, lambda answer: answer.status == 404)


async def test_policies_are_found_and_shown_as_kubectl_asks(api: KubeRequests, space: str) -> None:
    for path, plural, short in (
        ("/apis/networking.k8s.io/v1", "networkpolicies", "netpol"),
        ("/apis/policy/v1", "poddisruptionbudgets", "pdb"),
    ):
        served = {r["name"]: r for r in (await api.call("GET", path)).ok()["resources"]}
        assert served[plural]["shortNames"] == [short]
        assert (f"{plural}/status" in served) == (short == "pdb")
    await api.create(NETWORK_POLICIES, space, network_policy())
    everything = {**network_policy("all"), "spec": {}}
    (await api.create(NETWORK_POLICIES, space, everything)).ok()
    await api.create(POD_DISRUPTION_BUDGETS, space, pod_disruption_budget())
    await api.create(
        POD_DISRUPTION_BUDGETS, space, pod_disruption_budget("half", minAvailable="50%")
    )
    table = (await api.call("GET", NETWORK_POLICIES.path(space), accept=TABLE)).ok()
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Pod-Selector", "Age"]
    assert [row["cells"][:2] for row in table["rows"]] == [["all", "<none>"], ["policy", "app=x"]]
    table = (await api.call("GET", POD_DISRUPTION_BUDGETS.path(space), accept=TABLE)).ok()
    assert [c["name"] for c in table["columnDefinitions"]] == [
        "Name",
        "Min Available",
        "Max Unavailable",
        "Allowed Disruptions",
        "Age",
    ]
    assert [row["cells"][:4] for row in table["rows"]] == [
        ["budget", "N/A", "1", 0],
        ["half", "50%", "N/A", 0],
    ]
