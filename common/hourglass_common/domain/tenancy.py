"""What somebody may ask for in a Performer, beside creating or changing it at all. Pure.

PerformerControl asks these rules itself, as its caller; whoever writes to the Kubernetes API is
asked the same ones, in the same words, by the admission policies that ``hourglass_operator.
admission`` makes of this module.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from .access import Attributes
from .errors import FieldViolation
from .images import parse_image
from .names import OBJECT_NAME
from .performer import GROUP, PerformerSpec
from .performer_pod import MAX_REFERENCES
from .performer_rollout import ABORT, BLUE_GREEN, PROMOTE, ROLLBACK
from .schema import camel_case, object_schema, with_defaults

Manifest = Mapping[str, Any]

REQUESTED_BY = f"{GROUP}/requested-by"
REFERENCE_DENIED = "REFERENCE_DENIED"
ACT_DENIED = "ACT_DENIED"
POLICY_REFUSED = "POLICY_REFUSED"
TOO_MANY = "TOO_MANY_REFERENCES"

RUNS_NOTHING = ("replicas", "strategy", "rollout", "suspend", "fence")
"""Parts of the spec that change nothing of what an instance runs, where, and with what."""
RUNS = tuple(
    key
    for key in (camel_case(entry.name) for entry in fields(PerformerSpec))
    if key not in RUNS_NOTHING
)
"""All others: whoever changes one of them could carry away what the performer refers to."""
DECISIONS = {PROMOTE: "promote", ABORT: "abort", ROLLBACK: "rollback"}
SWITCHES = ("fence", "suspend")
CONTROL_PLANE_TAINTS = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
)
SYSTEM_CLASSES = "system-"
RESERVED_ENVIRONMENT = ("KUBERNETES_SERVICE_", "KUBERNETES_PORT")
KUBERNETES_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")

MAX_NAME_LENGTH = 253
"""Of a Secret, a ConfigMap, an account or a class."""

REFERENCE_WORDS = "whoever sets what this performer runs needs the right to {}"
ACT_WORDS = "whoever sets this needs the right to {}"
STRATEGY_WORDS = "whoever sets how this performer is promoted needs the right to {}"
OWNER_WORDS = (
    "an owner that goes takes the performer with it: whoever sets one needs the right to {}"
)
TOO_MANY_WORDS = f"Too many: {{}}: must have at most {MAX_REFERENCES} items"
NAMESPACE_WORDS = "no performers in this namespace: it belongs to the cluster"
REGISTRY_WORDS = "images are taken from these registries only: {}"
DIGEST_WORDS = "images are named by a digest here: ...@sha256:<64 hexadecimal digits>"
SYSTEM_CLASS_WORDS = "priority classes that begin with system- are for the cluster's own pods"
CONTROL_PLANE_WORDS = (
    "performers stay off the nodes of the control plane: name the taint that is meant, and not "
    "that of those nodes"
)
ENVIRONMENT_WORDS = "variables that begin with KUBERNETES_SERVICE_ or KUBERNETES_PORT are kubelet's"
REQUESTED_BY_WORDS = f"the annotation {REQUESTED_BY} is set by PerformerControl alone: leave it out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What nobody may ask for here. ``allowed_registries`` () means that any will do."""

    allowed_registries: tuple[str, ...] = ()
    require_digest: bool = False
    allow_control_plane: bool = False
    protected_namespaces: tuple[str, ...] = KUBERNETES_NAMESPACES


@dataclass(frozen=True, slots=True)
class Need:
    """A right that the caller must have, what in the manifest asks for it, and the words."""

    wish: Attributes
    field: str
    words: str
    reason: str

    @property
    def message(self) -> str:
        return self.words.format(self.wish)


def needs(old: Manifest | None, new: Manifest) -> tuple[Need, ...]:
    """Return the rights that a caller needs to make ``old``, None if there is none, into ``new``.

    Values that the CRD refuses ask for nothing: the API does not take them.
    """
    found = [*_acts(old, new), *_owners(old, new)]
    return tuple([*found, *_references(new)] if runs_anew(old, new) else found)


def refusals(old: Manifest | None, new: Manifest, policy: Policy) -> tuple[FieldViolation, ...]:
    """Return what nobody may ask for in ``new``; what runs already may stay as it is."""
    found = list(_forged(old, new))
    if runs_anew(old, new):
        found += _outside(new, policy)
    return tuple(found)


def too_many(old: Manifest | None, new: Manifest) -> tuple[FieldViolation, ...]:
    """Return the lists of references that nobody would look at to their end.

    The CRD refuses them in the same words; one of an earlier version does not.
    """
    if not runs_anew(old, new):
        return ()
    spec = _spec(new)
    lists = {
        "spec.config.environmentFrom": _items(_part(spec, "config"), "environmentFrom"),
        "spec.imagePullSecrets": _items(spec, "imagePullSecrets"),
    }
    return tuple(
        FieldViolation(field, TOO_MANY_WORDS.format(len(found)))
        for field, found in lists.items()
        if len(found) > MAX_REFERENCES
    )


def runs_anew(old: Manifest | None, new: Manifest) -> bool:
    """Whether ``new`` is to run something else than ``old``, or elsewhere, or otherwise."""
    if old is None:
        return True
    return any(_differ(_spec(old), _spec(new), key) for key in RUNS)


def _differ(before: Manifest, after: Manifest, key: str) -> bool:
    """Whether a part of the spec is another than before, once the API has put in its defaults."""
    schema, both = _schema()["properties"][key], (before.get(key), after.get(key))
    kept = [schema.get("default") if v is None else with_defaults(schema, v) for v in both]
    return bool(kept[0] != kept[1])


@cache
def _schema() -> Manifest:
    return object_schema(PerformerSpec)


def _acts(old: Manifest | None, new: Manifest) -> Iterator[Need]:
    """Decide what a switch or a decision changes; its absence is no wish, and asks for nothing."""
    before, after = _spec(old or {}), _spec(new)
    act = DECISIONS.get(str(_part(_part(after, "rollout"), "decision").get("action")))
    decisions = [_part(one, "rollout").get("decision") for one in (before, after)]
    if act and decisions[0] != decisions[1]:
        yield _act(new, act, "spec.rollout.decision", ACT_WORDS)
    if old is None:
        return
    for switch in SWITCHES:
        if after.get(switch) is not None and after[switch] != before.get(switch):
            yield _act(new, switch, f"spec.{switch}", ACT_WORDS)
    blue_green = _part(before, "strategy").get("type") == BLUE_GREEN
    if blue_green and _differ(before, after, "strategy"):
        yield _act(new, "promote", "spec.strategy", STRATEGY_WORDS)


def _act(new: Manifest, subresource: str, field: str, words: str) -> Need:
    namespace, name = _key(new)
    wish = Attributes(verb="update", subresource=subresource, namespace=namespace, name=name)
    return Need(wish, field, words, ACT_DENIED)


def _owners(old: Manifest | None, new: Manifest) -> Iterator[Need]:
    """An owner that does not exist has the garbage collector delete what it owns."""
    owners = _meta(new).get("ownerReferences")
    if old is not None and owners and owners != _meta(old).get("ownerReferences"):
        namespace, name = _key(new)
        wish = Attributes(verb="delete", namespace=namespace, name=name)
        yield Need(wish, "metadata.ownerReferences", OWNER_WORDS, ACT_DENIED)


def _references(new: Manifest) -> Iterator[Need]:
    """Yield all that the pods would read or be by the kubelet's and the scheduler's hands."""
    config, spec = _part(_spec(new), "config"), _spec(new)
    for index, variable in enumerate(_items(config, "environmentFrom")):
        source, field = _part(variable, "valueFrom"), f"spec.config.environmentFrom[{index}]"
        for kind, key in (("secrets", "secretKeyRef"), ("configmaps", "configMapKeyRef")):
            yield from _reference(new, "get", kind, _part(source, key).get("name"), field)
    for index, secret in enumerate(_items(spec, "imagePullSecrets")):
        field = f"spec.imagePullSecrets[{index}]"
        yield from _reference(new, "get", "secrets", secret.get("name"), field)
    account, priority = (
        config.get("serviceAccountName"),
        _part(spec, "scheduling").get("priorityClassName"),
    )
    yield from _reference(new, "use", "serviceaccounts", account, "spec.config.serviceAccountName")
    yield from _reference(
        new,
        "use",
        "priorityclasses",
        priority,
        "spec.scheduling.priorityClassName",
        group="scheduling.k8s.io",
    )


def _reference(
    new: Manifest, verb: str, resource: str, name: object, field: str, *, group: str = ""
) -> Iterator[Need]:
    if isinstance(name, str) and len(name) <= MAX_NAME_LENGTH and OBJECT_NAME.accepts(name):
        wish = Attributes(
            verb=verb, resource=resource, group=group, namespace=_key(new)[0], name=name
        )
        yield Need(wish, field, REFERENCE_WORDS, REFERENCE_DENIED)


def _forged(old: Manifest | None, new: Manifest) -> Iterator[FieldViolation]:
    stamp = _part(_meta(new), "annotations").get(REQUESTED_BY)
    if stamp is not None and stamp != _part(_meta(old or {}), "annotations").get(REQUESTED_BY):
        yield FieldViolation("metadata.annotations", REQUESTED_BY_WORDS)


def _outside(new: Manifest, policy: Policy) -> Iterator[FieldViolation]:
    if _key(new)[0] in policy.protected_namespaces:
        yield FieldViolation("metadata.namespace", NAMESPACE_WORDS)
    yield from _image(new, policy)
    scheduling = _part(_spec(new), "scheduling")
    if str(scheduling.get("priorityClassName") or "").startswith(SYSTEM_CLASSES):
        yield FieldViolation("spec.scheduling.priorityClassName", SYSTEM_CLASS_WORDS)
    tolerations = _items(scheduling, "tolerations")
    if not policy.allow_control_plane and any(map(_reaches_control_plane, tolerations)):
        yield FieldViolation("spec.scheduling.tolerations", CONTROL_PLANE_WORDS)
    config = _part(_spec(new), "config")
    names = [
        *_part(config, "environment"),
        *(v.get("name") for v in _items(config, "environmentFrom")),
    ]
    if any(str(name).startswith(RESERVED_ENVIRONMENT) for name in names):
        yield FieldViolation("spec.config", ENVIRONMENT_WORDS)


def _image(new: Manifest, policy: Policy) -> Iterator[FieldViolation]:
    image = parse_image(str(_spec(new).get("image")))
    if image is None:
        return  # in the words of the CRD, by the API
    if policy.allowed_registries and not image.is_from(policy.allowed_registries):
        known = ", ".join(policy.allowed_registries)
        yield FieldViolation("spec.image", REGISTRY_WORDS.format(known))
    if policy.require_digest and not image.digest:
        yield FieldViolation("spec.image", DIGEST_WORDS)


def _reaches_control_plane(toleration: Manifest) -> bool:
    key = toleration.get("key") or ""
    return key in CONTROL_PLANE_TAINTS or (key == "" and toleration.get("operator") == "Exists")


def _meta(manifest: Manifest) -> Manifest:
    return _part(manifest, "metadata")


def _spec(manifest: Manifest) -> Manifest:
    return _part(manifest, "spec")


def _key(manifest: Manifest) -> tuple[str, str]:
    return str(_meta(manifest).get("namespace", "")), str(_meta(manifest).get("name", ""))


def _part(holder: Manifest, key: str) -> Manifest:
    found = holder.get(key)
    return found if isinstance(found, Mapping) else {}


def _items(holder: Manifest, key: str) -> list[Manifest]:
    found = holder.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
