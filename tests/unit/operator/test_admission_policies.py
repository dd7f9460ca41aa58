"""The admission policies are within the API's limits, and leave one account out."""

import json
from typing import Any

import pytest
from hourglass_common.domain.tenancy import Policy
from hourglass_operator.admission import admission_manifests
from hourglass_operator.cel import has, hole, said, text_of
from hourglass_operator.settings import PolicySettings
from pydantic import ValidationError

CHECK_COST, POLICY_LIMIT = 350_000, 10_000_000
"""In units of the API server's: apiserver/pkg/cel/library and apis/cel."""


def policies(policy: Policy | None = None) -> list[dict[str, Any]]:
    found = admission_manifests(policy or Policy(), name="op", namespace="system")
    documents = [document for file in found.values() for document in file]
    return [d for d in documents if d["kind"] == "ValidatingAdmissionPolicy"]


def test_an_expression_has_at_most_one_authorizer_check() -> None:
    for policy in policies():
        checks = [v["expression"].count(".check(") for v in policy["spec"]["validations"]]
        assert max(checks) <= 1
        assert CHECK_COST * sum(checks) < POLICY_LIMIT * 0.85
        for variable in policy["spec"].get("variables", ()):
            assert "authorizer" not in variable["expression"]


def test_the_operators_account_alone_is_left_out() -> None:
    for policy in policies():
        assert policy["spec"]["failurePolicy"] == "Fail"
        (condition,) = policy["spec"]["matchConditions"]
        assert condition["expression"] == (
            'request.userInfo.username != "system:serviceaccount:system:op"'
        )


def test_no_binding_lets_anything_through() -> None:
    found = admission_manifests(Policy(), name="op", namespace="system")
    documents = [document for file in found.values() for document in file]
    bindings = [d["spec"] for d in documents if d["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert len(bindings) == 3
    assert all(b["validationActions"] == ["Deny"] for b in bindings)


def test_names_in_a_refusal_are_those_of_the_request() -> None:
    assert said("spec.a", f'get "{hole("object.b")}" now') == (
        '"spec.a: get \\"" + object.b + "\\" now"'
    )
    assert text_of("") == '""'
    assert json.loads(text_of("plain")) == "plain"
    assert has("object.spec.a.b") == "has(object.spec.a) && has(object.spec.a.b)"


@pytest.mark.parametrize("registry", ["team", "ghcr.io/", "", "library/demo"])
def test_a_registry_that_would_match_nothing_is_refused_in_the_settings(registry: str) -> None:
    with pytest.raises(ValidationError, match="must begin with a registry"):
        PolicySettings(allowed_registries=(registry,))


def test_registries_are_separated_by_commas() -> None:
    given: Any = "ghcr.io/team,localhost:5000"
    assert PolicySettings(allowed_registries=given).policy().allowed_registries == (
        "ghcr.io/team",
        "localhost:5000",
    )
