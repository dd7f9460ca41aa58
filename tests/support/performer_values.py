"""Values for every property of a Performer's spec: usual, at a bound, past it, odd, nonsense."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Pool = st.SearchStrategy[Any]

SERVICE_ACCOUNT = "signer"
PRIORITY_CLASS = "walk-high"
RUNTIME_CLASS = "walk-sandbox"
"""What exists where the specs are tried; that others do not is a named exception."""

_WORDS = st.text("abzAZ019-_./:=@ é\n", max_size=8)
_LONG = st.sampled_from(["a" * n for n in (62, 63, 64, 244, 245, 253, 254, 317, 318)])
_DIGEST = "sha256:" + "0123456789abcdef" * 4


def _any_of(*values: Any) -> Pool:
    return st.sampled_from(values)


NAMES = _WORDS | _LONG | _any_of("", "a", "a.b", "A", "a..b", "-a", "a-", "1", "a.b/c", "ä")
KEYS = NAMES | _any_of(
    "a.b/C_d", "/a", "a/", "a/b/c", "A.b/c", f"{'p' * 253}/n", f"{'p' * 254}/n", f"p/{'n' * 64}"
)
LABEL_VALUES = NAMES | _any_of("F.g-H_1", "_a", "a_", ".")
ENVIRONMENT_NAMES = _WORDS | _any_of("A", "a.b-C_9", "1A", ".", "..", "...", ".1", "-", "", "ä")
DATA_KEYS = NAMES | _any_of("_", "..", ".a", "..a", ".", "a_B.c-9")
QUANTITIES = (
    st.integers(-2, 1 << 40)
    | _WORDS
    | _any_of(
        0, "0", "-0", "-1", "1", "500m", "0.5", ".5", "5.", "1Gi", "1.5Gi", "1e3", "1E3", "1e1.5"
    )
    | _any_of("1ki", "1k", "1K", "+1", "1n", "1e-9", "1e99", "9Ei", "99999Ei", "", " 1", "1 ", "٣")
)
RESOURCES = _any_of(
    "cpu",
    "memory",
    "ephemeral-storage",
    "hugepages-2Mi",
    "hugepages-1Gi",
    "hugepages-3Mi",
    "nvidia.com/gpu",
    "nvidia.com/a100",
    "sgx.intel.com/enclave",
    "example.com/fpga",
    "example.kubernetes.io/thing",
    "kubernetes.io/thing",
    "requests.example.com/fpga",
    "pods",
    "storage",
    "Example.com/fpga",
    "example.com/",
    "gpu",
    "",
    f"{'p' * 244}/n",
    f"{'p' * 245}/n",
)
AMOUNTS = st.dictionaries(RESOURCES | KEYS, QUANTITIES, max_size=3)
LABELS = st.dictionaries(KEYS, LABEL_VALUES, max_size=3)
IMAGES = _any_of(
    "demo",
    "demo:1",
    f"r.io:5000/team/demo:1@{_DIGEST}",
    "process:///bin/demo",
    "Demo",
    "demo@sha256:1",
    "r.io/" + "a" * 250,
    "r.io/" + "a" * 251,
    "",
    " demo",
    "demo\n",
)


def _maybe(**fields: Pool) -> Pool:
    return st.fixed_dictionaries({}, optional=fields)


_OPERATORS = _any_of("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "", "in")
_REQUIREMENTS = st.fixed_dictionaries(
    {"key": KEYS, "operator": _OPERATORS},
    optional={"values": st.lists(LABEL_VALUES | _any_of("4", "-4"), max_size=2)},
)
_SELECTORS = _maybe(matchLabels=LABELS, matchExpressions=st.lists(_REQUIREMENTS, max_size=2))
_FIELDS = st.fixed_dictionaries(
    {"key": _any_of("metadata.name", "metadata.uid"), "operator": _OPERATORS},
    optional={"values": st.lists(NAMES, max_size=2)},
)
_NODE_TERMS = _maybe(
    matchExpressions=st.lists(_REQUIREMENTS, max_size=2), matchFields=st.lists(_FIELDS, max_size=1)
)
_WEIGHTS = _any_of(1, 100, 0, 101, 50)
_POD_TERMS = st.fixed_dictionaries(
    {"topologyKey": KEYS},
    optional={
        "labelSelector": _SELECTORS,
        "namespaceSelector": _SELECTORS,
        "namespaces": st.lists(NAMES, max_size=2),
    },
)
_POD_AFFINITY = _maybe(
    requiredDuringSchedulingIgnoredDuringExecution=st.lists(_POD_TERMS, max_size=2),
    preferredDuringSchedulingIgnoredDuringExecution=st.lists(
        st.fixed_dictionaries({"weight": _WEIGHTS, "podAffinityTerm": _POD_TERMS}), max_size=1
    ),
)
AFFINITIES = _maybe(
    nodeAffinity=_maybe(
        requiredDuringSchedulingIgnoredDuringExecution=st.fixed_dictionaries(
            {"nodeSelectorTerms": st.lists(_NODE_TERMS, max_size=2)}
        ),
        preferredDuringSchedulingIgnoredDuringExecution=st.lists(
            st.fixed_dictionaries({"weight": _WEIGHTS, "preference": _NODE_TERMS}), max_size=1
        ),
    ),
    podAffinity=_POD_AFFINITY,
    podAntiAffinity=_POD_AFFINITY,
)
TOLERATIONS = _maybe(
    key=KEYS,
    operator=_any_of("", "Exists", "Equal", "Lt", "Gt", "exists"),
    value=LABEL_VALUES,
    effect=_any_of("", "NoSchedule", "PreferNoSchedule", "NoExecute", "Never"),
    tolerationSeconds=_any_of(0, -1, 60, 1 << 40),
)
_RANGES = _any_of(
    "10.0.0.0/8",
    "10.0.0.1/8",
    "::/0",
    "2001:db8::/32",
    "2001:db8::1/129",
    "10.0.0.0",
    "010.0.0.0/8",
    "256.0.0.0/8",
    "10.0.0.0/33",
    "x",
    "",
)
PEERS = _maybe(
    podSelector=_SELECTORS,
    namespaceSelector=_SELECTORS,
    ipBlock=st.fixed_dictionaries({"cidr": _RANGES}),
)
_PORTS = _maybe(
    protocol=_any_of("TCP", "UDP", "SCTP", "tcp"),
    port=_any_of(0, 1, 80, 65535, 65536, "dns", "DNS", "a" * 15, "a" * 16, "1", "a--b", "-a", "")
    | _WORDS,
    endPort=_any_of(0, 1, 80, 65535, 65536),
)
EGRESS = _maybe(ports=st.lists(_PORTS, max_size=2), to=st.lists(PEERS, max_size=2))
_SELECTED = st.fixed_dictionaries({"name": NAMES, "key": DATA_KEYS})
_SOURCES = _maybe(secretKeyRef=_SELECTED, configMapKeyRef=_SELECTED)
_VARIABLES = st.fixed_dictionaries({"name": ENVIRONMENT_NAMES, "valueFrom": _SOURCES})
_SECONDS = _any_of(-1, 0, 1, 30, 86400, 86401, 2592000, 2592001, "1")
_FLAGS = _any_of(True, False, None, "true", 1)
_SHARES = _any_of(0, 1, -1, "0%", "25%", "100%", "1000%", "25", 1000000, None)
_REVISIONS = _any_of("", "a", "b", "A", "a" * 63, "a" * 64)

POOLS: dict[str, Pool] = {
    "avsAddress": NAMES | _any_of("0xAbC", "0xabc", " ", "_"),
    "image": IMAGES,
    "imagePullPolicy": _any_of("Always", "Never", "IfNotPresent", "", "always", None),
    "version": NAMES | _any_of("v1.2.3", "1.0+build", "v" * 254),
    "config.grpcPort": _any_of(1, 65535, 0, 65536, -1, 8080, "8080", None),
    "config.environment": st.dictionaries(ENVIRONMENT_NAMES, _WORDS, max_size=3),
    "config.environmentFrom": st.lists(_VARIABLES, max_size=2),
    "config.args": st.lists(_WORDS, max_size=3),
    "config.command": st.lists(_WORDS, max_size=3),
    "config.serviceAccountName": _any_of("", SERVICE_ACCOUNT, "Signer", "a b", "-a", "a" * 254),
    "resources.requests": AMOUNTS,
    "resources.limits": AMOUNTS,
    "resources.claims": _any_of([], [{"name": "a"}], [{}], None, "a"),
    "scheduling.nodeSelector": LABELS,
    "scheduling.tolerations": st.lists(TOLERATIONS, max_size=2),
    "scheduling.affinity": AFFINITIES,
    "scheduling.runtimeClass": _any_of("", RUNTIME_CLASS, "gVisor", "a b", "a" * 254),
    "scheduling.priorityClassName": _any_of("", PRIORITY_CLASS, "High", "a b", "a" * 254),
    "hardwareRequirements.gpuType": NAMES | _any_of("a100", "mig-1g.5gb"),
    "hardwareRequirements.gpuCount": _any_of(0, 1, 2, -1, 1024, 1025, "1"),
    "hardwareRequirements.teeRequired": _FLAGS,
    "hardwareRequirements.teeType": _any_of("", "sgx", "sev", "tdx", "SGX", "nitro", "a b"),
    "hardwareRequirements.customLabels": LABELS,
    "imagePullSecrets": st.lists(_maybe(name=NAMES), max_size=3),
    "replicas": _any_of(0, 1, 2, 1000, 1001, -1, None, "1"),
    "strategy.type": _any_of("RollingUpdate", "BlueGreen", "Recreate", "", "Canary"),
    "strategy.rollingUpdate.maxSurge": _SHARES,
    "strategy.rollingUpdate.maxUnavailable": _SHARES,
    "strategy.blueGreen.autoPromoteAfterSeconds": _SECONDS,
    "strategy.blueGreen.abortAfterSeconds": _SECONDS,
    "strategy.blueGreen.gate.smokeTask.payload": _any_of("", "0x12", "123", "YQ==", "ä"),
    "strategy.blueGreen.gate.smokeTask.expectedOutput": _any_of("", "0x12", "xyz", "YQ=="),
    "strategy.blueGreen.gate.smokeTask.encoding": _any_of("Text", "Hex", "Base64", "", "hex"),
    "strategy.blueGreen.gate.smokeTask.timeoutSeconds": _SECONDS,
    "rollout.decision.action": _any_of("Promote", "Abort", "Rollback", "", "promote"),
    "rollout.decision.revision": _REVISIONS,
    "rollout.decision.decidedForHash": _REVISIONS,
    "rollout.keepPreviousSeconds": _SECONDS,
    "rollout.drainTimeoutSeconds": _SECONDS,
    "rollout.progressDeadlineSeconds": _SECONDS,
    "rollout.onDeadline": _any_of("Stall", "Rollback", "", "stall", None),
    "rollout.revisionHistoryLimit": _any_of(0, 1, 100, 101, -1),
    "suspend": _FLAGS,
    "fence": _FLAGS,
    "security.profile": _any_of("", "Restricted", "Baseline", "Privileged", None),
    "network.ingressFrom": st.lists(PEERS, max_size=2),
    "network.egress": st.lists(EGRESS, max_size=2),
    "health.service": _WORDS | _any_of("", "a.b.C", "s" * 253, "s" * 254),
    "health.periodSeconds": _SECONDS,
    "health.timeoutSeconds": _SECONDS,
    "health.failureThreshold": _any_of(0, 1, 3, 100, 101),
    "health.startupSeconds": _SECONDS,
}
"""For each property, by its path in the spec; what is a list or a map is one property."""


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the properties of a schema that POOLS must have."""
    nested = schema.get("properties")
    if nested is None or path.endswith("affinity"):
        yield path
        return
    for name, below in nested.items():
        yield from leaves(below, f"{path}.{name}" if path else name)


def placed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the spec with the values at their paths."""
    spec: dict[str, Any] = {"avsAddress": "0xAb", "image": "demo:1"}
    for path, value in values.items():
        *above, last = path.split(".")
        at = spec
        for key in above:
            at = at.setdefault(key, {})
        at[last] = value
    return spec


def specs(most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return specs with one to ``most`` properties set."""
    chosen = st.lists(st.sampled_from(sorted(POOLS)), min_size=1, max_size=most, unique=True)
    return chosen.flatmap(lambda paths: st.fixed_dictionaries({p: POOLS[p] for p in paths})).map(
        placed
    )
