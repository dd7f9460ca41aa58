"""What is checked through the Kubernetes API: its version, the definition, rights, the operator."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import condition, is_pod_ready
from hourglass_common.kube.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    GROUP,
    LEASES,
    PERFORMERS,
    PODS,
    SERVICE_ACCOUNTS,
    SUBJECT_ACCESS_REVIEWS,
    Manifest,
    Resource,
)
from hourglass_operator.rbac import election_rules, performer_rules
from hourglass_operator.runtime.leader import LEASE_NAME

from .model import Category, Check, failed, passed, skipped, warning

OLDEST = (1, 30)
"""The first version with everything that is used: admission policies, preStop.sleep."""
APPLY_CRD = "kubectl apply --server-side -f deploy/crd"
APPLY_RBAC = "kubectl apply -f deploy/rbac/all-namespaces.yaml"
SELF_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
)
_INSTALLS = (
    ("create", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("create", "rbac.authorization.k8s.io", "clusterroles"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("create", "", "serviceaccounts"),
    ("create", "apps", "deployments"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the operator runs, and as whom."""

    namespace: str
    name: str


async def check_api(kube: KubeClient) -> Category:
    """Check that the API answers, and that it is new enough."""
    server = kube.connection.shown
    reached = f"the Kubernetes API at {server} answers"
    try:
        found = orjson.loads(await kube.raw("/version"))
    except HourglassError as error:
        hint = "check the kubeconfig: its server, and whether the cluster runs"
        return Category(
            "Kubernetes API", (failed(reached, error.message, hint, "kubectl cluster-info"),)
        )
    version = str(found.get("gitVersion", "unknown"))
    return Category("Kubernetes API", (passed(reached), _new_enough(version)))


def _new_enough(version: str) -> Check:
    wanted = ".".join(map(str, OLDEST))
    what = f"its version is {wanted} or newer"
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers is None:
        return warning(what, f"it calls itself {version!r}")
    if (int(numbers[1]), int(numbers[2])) < OLDEST:
        return failed(what, f"it is {version}", "upgrade the cluster")
    return passed(what, version)


async def check_definition(kube: KubeClient, *, before: bool) -> Category:
    """Check that the CRD is there, is served, and says what this version of Hourglass says."""
    name, title = f"performers.{GROUP}", "Definition of performers"
    there = "the custom resource definition is installed"
    try:
        found = await kube.get(CUSTOM_RESOURCE_DEFINITIONS, None, name)
    except KubeError as error:
        if error.is_not_found and before:
            return Category(title, (skipped(there, "not yet"),))
        if error.is_not_found and await _serves_performers(kube):
            unread = skipped("it is that of this version of Hourglass", "it can not be read here")
            return Category(title, (passed("the API serves performers"), unread))
        if error.is_not_found:
            return Category(title, (failed(there, f"there is no {name}", "", APPLY_CRD),))
        return Category(title, (_unreadable(there, error),))
    established = (condition(found, "Established") or {}).get("status") == "True"
    served = (
        passed("the API serves it")
        if established
        else failed("the API serves it", str(condition(found, "NamesAccepted") or {}))
    )
    return Category(title, (passed(there), served, _same_definition(found)))


async def _serves_performers(kube: KubeClient) -> bool:
    """Whether there are performers without a definition: a dev cluster has them built in."""
    try:
        await kube.raw(f"/apis/{PERFORMERS.group}/{PERFORMERS.version}")
    except KubeError:
        return False
    return True


def _same_definition(found: Manifest) -> Check:
    what = "it is that of this version of Hourglass"
    ours = {each["name"]: each for each in performer_crd()["spec"]["versions"]}
    theirs = {each["name"]: each for each in (found.get("spec") or {}).get("versions") or ()}
    for name, version in ours.items():
        if name not in theirs:
            return failed(what, f"version {name} is missing", "", APPLY_CRD)
        place = difference(version["schema"], theirs[name].get("schema") or {})
        if place:
            return failed(what, f"they differ at {place}", "one of the two is older", APPLY_CRD)
    return passed(what, ", ".join(ours))


def difference(ours: Any, theirs: Any, path: str = "") -> str:
    """Return the first place where two JSON values differ, "" where they are equal."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs}):
            if key not in ours or key not in theirs:
                return f"{path}.{key}".removeprefix(".")
            if place := difference(ours[key], theirs[key], f"{path}.{key}"):
                return place
        return ""
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        if len(ours) != len(theirs):
            return path.removeprefix(".")
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next((p for i, (a, b) in pairs if (p := difference(a, b, f"{path}[{i}]"))), "")
    return "" if ours == theirs else path.removeprefix(".")


async def check_may_install(kube: KubeClient, account: Account) -> Category:
    """Check whether the user may create what an installation is made of."""
    checks: list[Check] = []
    for verb, group, resource in _INSTALLS:
        what = f"you may {verb} {resource}"
        spec = {
            "resourceAttributes": {
                "verb": verb,
                "group": group,
                "resource": resource,
                "namespace": account.namespace,
            }
        }
        try:
            answer = await kube.create(SELF_REVIEWS, None, {"spec": spec})
        except KubeError as error:
            checks.append(_unreadable(what, error))
            continue
        allowed = bool((answer.get("status") or {}).get("allowed"))
        hint = "ask an administrator of the cluster, or for this right"
        command = f"kubectl auth can-i {verb} {resource} -n {account.namespace}"
        checks.append(passed(what) if allowed else failed(what, "no", hint, command))
    return Category("Rights to install", tuple(checks))


async def check_rights(kube: KubeClient, account: Account, namespaces: Sequence[str]) -> Category:
    """Check that the operator's account has every right of ``hourglass_operator.rbac``."""
    title = "Rights of the operator"
    named = f"{account.namespace}/{account.name}"
    there = f"its service account {named} is there"
    try:
        await kube.get(SERVICE_ACCOUNTS, account.namespace, account.name)
    except KubeError as error:
        if not error.is_not_found:
            return Category(title, (_unreadable(there, error),))
        hint = "name it with --operator-namespace and --operator-account, or install the rights"
        return Category(title, (warning(there, "there is none", hint, APPLY_RBAC),))
    checks = [passed(there)]
    for where in namespaces or ("",):
        rules = performer_rules()
        checks.append(await _granted(kube, account, rules, where))
    checks.append(await _granted(kube, account, election_rules(), account.namespace))
    return Category(title, tuple(checks))


async def _granted(
    kube: KubeClient, account: Account, rules: Sequence[Mapping[str, Any]], namespace: str
) -> Check:
    what = f"it may do its work in {f'namespace {namespace}' if namespace else 'all namespaces'}"
    missing: list[str] = []
    asked = 0
    for attributes in _attributes(rules, namespace):
        spec = {
            "user": f"system:serviceaccount:{account.namespace}:{account.name}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{account.namespace}",
                "system:authenticated",
            ],
            "resourceAttributes": attributes,
        }
        try:
            answer = await kube.create(SUBJECT_ACCESS_REVIEWS, None, {"spec": spec})
        except KubeError as error:
            return _unreadable(what, error)
        asked += 1
        if not (answer.get("status") or {}).get("allowed"):
            missing.append(f"{attributes['verb']} {attributes['resource']}")
    if missing:
        return failed(what, f"it may not {', '.join(missing)}", "", APPLY_RBAC)
    return passed(what, f"{asked} rights")


def _attributes(rules: Sequence[Mapping[str, Any]], namespace: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for rule in rules:
        for group in rule["apiGroups"]:
            for path in rule["resources"]:
                resource, _, subresource = path.partition("/")
                for verb in rule["verbs"]:
                    each = {"verb": verb, "group": group, "resource": resource}
                    each |= {"subresource": subresource} if subresource else {}
                    each |= {"namespace": namespace} if namespace else {}
                    each |= {"name": rule["resourceNames"][0]} if rule.get("resourceNames") else {}
                    found.append(each)
    return found


async def check_operator(kube: KubeClient, account: Account, now: datetime) -> Category:
    """Check that the operator's pods are ready, and that one of them leads."""
    return Category(
        "Operator", (await _pods(kube, account.namespace), await _leader(kube, account, now))
    )


async def _pods(kube: KubeClient, namespace: str) -> Check:
    what = f"its pods in namespace {namespace} are ready"
    selector = "app.kubernetes.io/name=hourglass-operator"
    try:
        pods = (await kube.list(PODS, namespace, label_selector=selector)).items
    except KubeError as error:
        return _unreadable(what, error)
    command = f"kubectl -n {namespace} describe pods -l {selector}"
    if not pods:
        hint = "it may run elsewhere: --operator-namespace; or outside of the cluster"
        return warning(what, "there are none", hint, f"kubectl get pods -A -l {selector}")
    ready = sum(map(is_pod_ready, pods))
    if ready == len(pods):
        return passed(what, f"{ready} of {len(pods)}")
    found = f"{ready} of {len(pods)} are"
    return failed(what, found, "", command) if not ready else warning(what, found, "", command)


async def _leader(kube: KubeClient, account: Account, now: datetime) -> Check:
    what = "one of them leads"
    try:
        lease = await kube.get(LEASES, account.namespace, LEASE_NAME)
    except KubeError as error:
        if error.is_not_found:
            return skipped(what, "no lease: it runs without leader election, or not here")
        return _unreadable(what, error)
    spec = lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
    command = f"kubectl -n {account.namespace} get lease {LEASE_NAME} -o yaml"
    if not holder or not renewed:
        return failed(what, "nobody holds the lease", "see the logs of the operator", command)
    seconds = float(spec.get("leaseDurationSeconds") or 15)
    age = now - datetime.fromisoformat(renewed)
    if age > timedelta(seconds=2 * seconds):
        message = f"{holder} has not renewed the lease for {int(age.total_seconds())} s"
        return failed(what, message, "see the logs of the operator", command)
    return passed(what, holder)


def _unreadable(what: str, error: KubeError) -> Check:
    if error.code is Code.PERMISSION_DENIED:
        return skipped(what, "you may not look at it", "ask for the right to read it")
    if error.is_not_found:
        return skipped(what, "this API does not answer such questions")
    return warning(what, error.message)
