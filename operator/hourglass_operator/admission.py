"""The rules of ``hourglass_common.domain.tenancy`` as admission policies, for writers by kubectl.

Pure. The settings are in the policy itself, not in a ConfigMap: API servers lose the ConfigMaps of
a policy that was unbound for a moment, until they are restarted (kubernetes/kubernetes#133827).

Each validation has at most one authorizer check: one costs 350,000 units, one expression may
cost 1,000,000 and the whole of a policy 10,000,000. So lists of references are unrolled by index.
"""

from dataclasses import replace
from typing import Any, NamedTuple

from hourglass_common.domain import tenancy
from hourglass_common.domain.access import Attributes
from hourglass_common.domain.images import DOCKER_HUB, OFFICIAL, OLD_DOCKER_HUB, PROCESS
from hourglass_common.domain.names import literal
from hourglass_common.domain.performer import GROUP, VERSION
from hourglass_common.domain.performer_pod import MAX_REFERENCES
from hourglass_common.domain.performer_rollout import BLUE_GREEN
from hourglass_common.domain.tenancy import Policy

from .cel import has, hole, list_of, map_of, or_empty, or_none, said, text_of

API = "admissionregistration.k8s.io/v1"
RIGHTS, STATUS, POLICY = (
    "hourglass-performer-rights",
    "hourglass-performer-status",
    "hourglass-performer-policy",
)
STATUS_WORDS = "status: it is written by the operator alone"


class Variable(NamedTuple):
    """A part of expressions, worked out once and only if it is asked for."""

    name: str
    expression: str


class Validation(NamedTuple):
    """A condition, and the CEL text that tells of its failure."""

    holds: str
    words: str


def admission_manifests(
    policy: Policy, *, name: str, namespace: str
) -> dict[str, list[dict[str, Any]]]:
    """Return the manifests by what they are about; account ``name`` in ``namespace`` is exempt."""
    exempt = f"system:serviceaccount:{namespace}:{name}"
    rights = _policy(RIGHTS, exempt, _rights_variables(), _rights())
    status = _policy(
        STATUS, exempt, [], [Validation("false", literal(STATUS_WORDS))], subresource="/status"
    )
    asked = _policy(POLICY, exempt, _policy_variables(policy), _outside())
    return {
        "rights": [rights, _binding(RIGHTS)],
        "status": [status, _binding(STATUS)],
        "policy": [asked, _binding(POLICY)],
    }


def _rights_variables() -> list[Variable]:
    referring = or_none("spec.config.environmentFrom")
    return [
        _RUNS,
        Variable(
            "kinds",
            f"{referring}.map(v, has(v.valueFrom.secretKeyRef) ? 'secrets' : 'configmaps')",
        ),
        Variable(
            "names",
            f"{referring}.map(v, has(v.valueFrom.secretKeyRef) ? v.valueFrom.secretKeyRef.name : "
            "v.valueFrom.configMapKeyRef.name)",
        ),
        Variable(
            "pulled",
            f"{or_none('spec.imagePullSecrets')}.map(s, has(s.name) ? s.name : '')",
        ),
        Variable("account", or_empty("spec.config.serviceAccountName")),
        Variable("priority", or_empty("spec.scheduling.priorityClassName")),
        Variable(
            "act",
            f"{has('object.spec.rollout.decision')} ? "
            f"{map_of(tenancy.DECISIONS)}[object.spec.rollout.decision.action] : ''",
        ),
    ]


def _rights() -> list[Validation]:
    """Return what depends on who asks, and what nobody may ask for anywhere."""
    return [
        _short("variables.kinds", "spec.config.environmentFrom"),
        _short("variables.pulled", "spec.imagePullSecrets"),
        _not_forged(),
        _not_a_system_class(),
        _no_reserved_variable(),
        _decision(),
        *(_switch(switch) for switch in tenancy.SWITCHES),
        _strategy(),
        _owners(),
        *(_referred(index) for index in range(MAX_REFERENCES)),
        *(_pulled(index) for index in range(MAX_REFERENCES)),
        _reference(
            "variables.account",
            Attributes(verb="use", resource="serviceaccounts", group=""),
            "spec.config.serviceAccountName",
        ),
        _reference(
            "variables.priority",
            Attributes(verb="use", resource="priorityclasses", group="scheduling.k8s.io"),
            "spec.scheduling.priorityClassName",
        ),
    ]


def _short(found: str, field: str) -> Validation:
    """Where the CRD is older, so that nothing is past the last index that is looked at."""
    number = hole(f"string({found}.size())")
    return Validation(
        f"!variables.runs || {found}.size() <= {MAX_REFERENCES}",
        said(field, tenancy.TOO_MANY_WORDS.format(number)),
    )


def _not_forged() -> Validation:
    mark = literal(tenancy.REQUESTED_BY)
    old = "oldObject.metadata.annotations"
    return Validation(
        f"!has(object.metadata.annotations) || !({mark} in object.metadata.annotations) || "
        f"(request.operation == 'UPDATE' && has({old}) && {mark} in {old} && "
        f"object.metadata.annotations[{mark}] == {old}[{mark}])",
        said("metadata.annotations", tenancy.REQUESTED_BY_WORDS),
    )


def _not_a_system_class() -> Validation:
    return Validation(
        f"!variables.runs || !variables.priority.startsWith({literal(tenancy.SYSTEM_CLASSES)})",
        said("spec.scheduling.priorityClassName", tenancy.SYSTEM_CLASS_WORDS),
    )


def _no_reserved_variable() -> Validation:
    def reserved(name: str) -> str:
        return " || ".join(
            f"{name}.startsWith({literal(prefix)})" for prefix in tenancy.RESERVED_ENVIRONMENT
        )

    plain = f"({has('object.spec.config.environment')})"
    return Validation(
        f"!variables.runs || !({plain} && object.spec.config.environment.exists(k, "
        f"{reserved('k')})) && !{or_none('spec.config.environmentFrom')}.exists(v, "
        f"{reserved('v.name')})",
        said("spec.config", tenancy.ENVIRONMENT_WORDS),
    )


def _decision() -> Validation:
    path = "spec.rollout.decision"
    same = (
        f"request.operation == 'UPDATE' && {has(f'oldObject.{path}')} && "
        f"object.{path} == oldObject.{path}"
    )
    wish = Attributes(verb="update", subresource=hole("variables.act"))
    return _act(f"variables.act == '' || ({same})", wish, path, tenancy.ACT_WORDS)


def _switch(switch: str) -> Validation:
    path = f"spec.{switch}"
    same = f"has(oldObject.{path}) && object.{path} == oldObject.{path}"
    return _act(
        f"request.operation == 'CREATE' || !has(object.{path}) || ({same})",
        Attributes(verb="update", subresource=switch),
        path,
        tenancy.ACT_WORDS,
    )


def _strategy() -> Validation:
    path = "spec.strategy"
    blue_green = (
        f"{has(f'oldObject.{path}.type')} && oldObject.{path}.type == {literal(BLUE_GREEN)}"
    )
    same = f"has(object.{path}) && object.{path} == oldObject.{path}"
    return _act(
        f"request.operation == 'CREATE' || !({blue_green}) || ({same})",
        Attributes(verb="update", subresource="promote"),
        path,
        tenancy.STRATEGY_WORDS,
    )


def _owners() -> Validation:
    path = "metadata.ownerReferences"
    same = f"has(oldObject.{path}) && object.{path} == oldObject.{path}"
    return _act(
        f"request.operation == 'CREATE' || !has(object.{path}) || object.{path}.size() == 0 || "
        f"({same})",
        Attributes(verb="delete"),
        path,
        tenancy.OWNER_WORDS,
    )


def _act(unless: str, wish: Attributes, field: str, words: str) -> Validation:
    about = replace(wish, namespace=hole("request.namespace"), name=hole("object.metadata.name"))
    return Validation(f"{unless} || {_allowed(about)}", said(field, words.format(about)))


def _referred(index: int) -> Validation:
    about = Attributes(
        verb="get",
        resource=hole(f"variables.kinds[{index}]"),
        group="",
        namespace=hole("request.namespace"),
        name=hole(f"variables.names[{index}]"),
    )
    return Validation(
        f"!variables.runs || variables.kinds.size() <= {index} || {_allowed(about)}",
        said(f"spec.config.environmentFrom[{index}]", tenancy.REFERENCE_WORDS.format(about)),
    )


def _pulled(index: int) -> Validation:
    one = f"variables.pulled[{index}]"
    return _reference(
        one,
        Attributes(verb="get", resource="secrets", group=""),
        f"spec.imagePullSecrets[{index}]",
        unless=f"variables.pulled.size() <= {index} || ",
    )


def _reference(name: str, wish: Attributes, field: str, *, unless: str = "") -> Validation:
    about = replace(wish, namespace=hole("request.namespace"), name=hole(name))
    return Validation(
        f"!variables.runs || {unless}{name} == '' || {_allowed(about)}",
        said(field, tenancy.REFERENCE_WORDS.format(about)),
    )


def _policy_variables(policy: Policy) -> list[Variable]:
    """Return the settings, first, and what is worked out of them and of the image."""
    return [
        Variable("allowedRegistries", literal(",".join(policy.allowed_registries))),
        Variable("requireDigest", str(policy.require_digest).lower()),
        Variable("allowControlPlane", str(policy.allow_control_plane).lower()),
        Variable("protectedNamespaces", literal(",".join(policy.protected_namespaces))),
        _RUNS,
        Variable(
            "registries",
            "variables.allowedRegistries.split(',').map(r, r.trim()).filter(r, r != '')",
        ),
        Variable(
            "named",
            "object.spec.image.split('@')[0]",
        ),
        Variable(
            "path",
            "variables.named.lastIndexOf(':') > variables.named.lastIndexOf('/') ? "
            "variables.named.substring(0, variables.named.lastIndexOf(':')) : variables.named",
        ),
        Variable("first", "variables.path.contains('/') ? variables.path.split('/')[0] : ''"),
        Variable(
            "rest",
            "variables.path.contains('/') ? "
            "variables.path.substring(variables.path.indexOf('/') + 1) : variables.path",
        ),
        Variable("repository", _repository()),
    ]


def _repository() -> str:
    """Return what ``images.parse_image`` calls the repository."""
    hub, official = literal(f"{DOCKER_HUB}/"), literal(f"{DOCKER_HUB}/{OFFICIAL}/")
    elsewhere = (
        "variables.first == 'localhost' || variables.first.contains('.') || "
        "variables.first.contains(':') || variables.first != variables.first.lowerAscii()"
    )
    on_hub = f"variables.first in {list_of((DOCKER_HUB, OLD_DOCKER_HUB))}"
    return (
        f"object.spec.image.startsWith({literal(PROCESS)}) ? object.spec.image : "
        f"variables.first == '' ? {official} + variables.path : "
        f"{on_hub} ? (variables.rest.contains('/') ? {hub} : {official}) + variables.rest : "
        f"({elsewhere}) ? variables.path : {hub} + variables.path"
    )


def _outside() -> list[Validation]:
    """Return what the settings say that nobody may ask for."""
    allowed = (
        "variables.registries.exists(r, variables.repository == r || "
        "variables.repository.startsWith(r + '/'))"
    )
    protected = "variables.protectedNamespaces.split(',').exists(n, n.trim() == request.namespace)"
    taints = list_of(("", *tenancy.CONTROL_PLANE_TAINTS))
    return [
        Validation(
            f"!variables.runs || !{protected}",
            said("metadata.namespace", tenancy.NAMESPACE_WORDS),
        ),
        Validation(
            f"!variables.runs || variables.registries.size() == 0 || {allowed}",
            said(
                "spec.image",
                tenancy.REGISTRY_WORDS.format(hole("variables.registries.join(', ')")),
            ),
        ),
        Validation(
            "!variables.runs || !variables.requireDigest || (object.spec.image.contains('@') && "
            f"!object.spec.image.startsWith({literal(PROCESS)}))",
            said("spec.image", tenancy.DIGEST_WORDS),
        ),
        Validation(
            "!variables.runs || variables.allowControlPlane || "
            f"!{or_none('spec.scheduling.tolerations')}.exists(t, "
            f"(has(t.key) ? t.key : '') in {taints})",
            said("spec.scheduling.tolerations", tenancy.CONTROL_PLANE_WORDS),
        ),
    ]


def _runs() -> str:
    """Return the condition that ``tenancy.runs_anew`` holds."""
    changed = (
        f"has(object.spec.{key}) != has(oldObject.spec.{key}) || "
        f"(has(object.spec.{key}) && object.spec.{key} != oldObject.spec.{key})"
        for key in tenancy.RUNS
    )
    return " || ".join(("request.operation == 'CREATE'", *changed))


_RUNS = Variable("runs", _runs())


def _allowed(wish: Attributes) -> str:
    """Return the one authorizer check of a validation."""
    part = f".subresource({text_of(wish.subresource)})" if wish.subresource else ""
    return (
        f"authorizer.group({text_of(wish.group)}).resource({text_of(wish.resource)}){part}"
        f".namespace({text_of(wish.namespace)}).name({text_of(wish.name)})"
        f".check({text_of(wish.verb)}).allowed()"
    )


def _policy(
    name: str,
    exempt: str,
    variables: list[Variable],
    validations: list[Validation],
    *,
    subresource: str = "",
) -> dict[str, Any]:
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["UPDATE"] if subresource else ["CREATE", "UPDATE"],
        "resources": [f"performers{subresource}"],
    }
    condition = f"request.userInfo.username != {literal(exempt)}"
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "not-the-operator", "expression": condition}],
        "variables": [one._asdict() for one in variables],
        "validations": [
            {"expression": one.holds, "messageExpression": one.words, "reason": "Forbidden"}
            for one in validations
        ],
    }
    kind = {"apiVersion": API, "kind": "ValidatingAdmissionPolicy"}
    return {**kind, "metadata": _meta(name), "spec": {k: v for k, v in spec.items() if v}}


def _binding(policy: str) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _meta(policy),
        "spec": {"policyName": policy, "validationActions": ["Deny"]},
    }


def _meta(name: str) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": "hourglass-operator",
        "app.kubernetes.io/part-of": "hourglass",
    }
    return {"name": name, "labels": labels}
