"""The rules (CEL) of a custom resource, above all those that compare quantities."""

from typing import Any

import pytest
from hourglass_common.kube.resources import CUSTOM_RESOURCE_DEFINITIONS

from tests.contract.conftest import Target
from tests.support.kube_requests import KubeRequests, eventually
from tests.support.ruled_crd import RULED, ruled_crd
from tests.support.targets import REAL


@pytest.fixture
async def ruled(api: KubeRequests, target: Target, space: str) -> str:
    """A namespace where the kind is served; the dev cluster has it from its start."""
    if target.name == REAL:
        made = await api.create(CUSTOM_RESOURCE_DEFINITIONS, None, ruled_crd())
        assert made.status in (201, 409), made.body
        await eventually(lambda: api.list(RULED, space), lambda answer: answer.status == 200)
    return space


def body(spec: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "one"}, "spec": spec}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"requests": {"cpu": "100m"}, "limits": {"cpu": "0.1", "memory": "1Gi"}},
        {"requests": {"memory": 1073741824}, "limits": {"memory": "1Gi"}},
        {"requests": {"cpu": 1}, "limits": {"cpu": 1}},
        {"requests": {"cpu": "999999999n", "gpu": 4}, "limits": {"cpu": "1"}},
        {"limits": {"memory": 1024, "cpu": "0.002"}},
        {"limits": {"memory": "1023Gi", "disk": "9223372036854775807"}},
        {"limits": {"disk": 0, "other": "1e3"}},
        {"free": "1.5Gi"},
        {"free": "-0.5"},
        {"raw": "1"},
        {"names": ["main", "side"]},
        {"names": []},
        {"port": 8},
        {"port": "8"},
    ],
)
async def test_what_the_rules_allow_is_taken(
    api: KubeRequests, ruled: str, spec: dict[str, Any]
) -> None:
    made = (await api.create(RULED, ruled, body(spec))).ok()
    assert made["spec"] == spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"requests": {"cpu": "101m"}, "limits": {"cpu": "0.1"}}, "a request is at most its limit"),
        (
            {"requests": {"memory": 1073741825}, "limits": {"memory": "1Gi"}},
            "a request is at most its limit",
        ),
        (
            {"requests": {"cpu": "1000000001n"}, "limits": {"cpu": 1}},
            "a request is at most its limit",
        ),
        ({"limits": {"disk": "-1m"}}, "no limit is below zero"),
        ({"limits": {"disk": -1}}, "no limit is below zero"),
        ({"limits": {"memory": "1Ti"}}, "memory is less than 1Ti"),
        ({"limits": {"memory": 1099511627776}}, "memory is less than 1Ti"),
        ({"limits": {"cpu": "0.001"}}, "cpu is more than 1m"),
        ({"free": "1 Gi"}, "free is a quantity"),
        ({"free": "1ki"}, "free is a quantity"),
        ({"free": ""}, "free is a quantity"),
        ({"raw": "0"}, "raw is above zero"),
        ({"names": ["main", "Side"]}, "names have letters"),
        ({"names": ["main", "main"]}, "one name is main"),
        ({"names": ["side"]}, "one name is main"),
        ({"names": ["main", "root"]}, "no name is root"),
        ({"port": 7}, "the port is even"),
    ],
)
async def test_what_a_rule_forbids_is_invalid_with_its_message(
    api: KubeRequests, ruled: str, spec: dict[str, Any], message: str
) -> None:
    refused = (await api.create(RULED, ruled, body(spec))).refused(422, "Invalid")
    assert refused.causes == {"spec": f"Invalid value: {message}"}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"raw": 5}, "no such overload: quantity(int)"),
        ({"raw": "five"}, "quantities must match the regular expression"),
        ({"limits": {"disk": "1gi"}}, "quantities must match the regular expression"),
        ({"limits": {"disk": "1ki"}}, "unable to parse quantity's suffix"),
    ],
)
async def test_a_rule_that_can_not_be_asked_refuses_and_says_why(
    api: KubeRequests, ruled: str, spec: dict[str, Any], why: str
) -> None:
    refused = (await api.create(RULED, ruled, body(spec))).refused(422, "Invalid")
    assert why in refused.causes["spec"]
    assert 'Invalid value: "object": ' in refused.causes["spec"]


@pytest.mark.only(REAL, "the dev cluster takes its definitions when it starts")
async def test_sign_is_a_function_and_no_method(api: KubeRequests) -> None:
    """Kubernetes refuses such a rule with its CRD, as the dev cluster does when it is asked."""
    definition = ruled_crd()
    (version,) = definition["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rule = "!has(self.free) || quantity(self.free).sign() > 0"
    spec["x-kubernetes-validations"] = [{"rule": rule}]
    refused = await api.create(CUSTOM_RESOURCE_DEFINITIONS, None, definition, dryRun="All")
    assert "no matching overload for 'sign'" in refused.refused(422, "Invalid").message
