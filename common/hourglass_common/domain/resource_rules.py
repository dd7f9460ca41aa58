"""What requests and limits must be for the API to take their pods, in CEL. Pure.

The only rules that need Kubernetes' own CEL functions: ``quantity`` and ``isQuantity``.
"""

from collections.abc import Iterable

from .names import EXTENDED_RESOURCE, all_keys, literal
from .schema import Rule

SGX_RESOURCE = "sgx.intel.com/enclave"
_NATIVE = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = {
    "hugepages-64Ki": 1 << 16,
    "hugepages-1Mi": 1 << 20,
    "hugepages-2Mi": 1 << 21,
    "hugepages-16Mi": 1 << 24,
    "hugepages-32Mi": 1 << 25,
    "hugepages-512Mi": 1 << 29,
    "hugepages-1Gi": 1 << 30,
    "hugepages-16Gi": 1 << 34,
}
_IS_EXTENDED = "(key.contains('/') && !key.contains('kubernetes.io/'))"
_IS_STRICT = f"({_IS_EXTENDED} || key.startsWith('hugepages-'))"

QUANTITY_RULE = Rule(
    "type(self) == int ? self >= 0 : "
    "(isQuantity(self) && !quantity(self).isLessThan(quantity('0')))",
    "must be a quantity of at least 0, such as 500m, 2 or 1Gi",
)


def _listed(words: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, words))}]"


def _amount(holder: str) -> str:
    return f"quantity(string({holder}[key]))"


def _readable(holder: str) -> str:
    """Return the condition that there is an amount of ``key``; if not, QUANTITY_RULE says so."""
    return f"isQuantity(string({holder}[key]))"


QUANTITY_RULES = (
    all_keys(
        f"(key in {_listed((*_NATIVE, *_HUGE_PAGES))} || {EXTENDED_RESOURCE.holds('key')})",
        f"resources are cpu, memory, ephemeral-storage, hugepages-2Mi and the like, or "
        f"{EXTENDED_RESOURCE.words}",
    ),
    all_keys(
        f"(!{_IS_EXTENDED} || !{_readable('self')} || {_amount('self')}.isInteger())",
        "must be a whole number",
    ),
    all_keys(
        f"(!(key in {_listed(_HUGE_PAGES)}) || !{_readable('self')} || "
        f"!{_amount('self')}.isInteger() || {_amount('self')}.asInteger() % "
        f"{{{', '.join(f'{literal(k)}: {v}' for k, v in _HUGE_PAGES.items())}}}[key] == 0)",
        "must be a multiple of the size of the pages",
    ),
)
"""Rules of a map of quantities by resource name."""


def _of_pairs(broken: str, message: str) -> Rule:
    """Return the rule of requests beside limits: ``broken`` holds for no ``key`` of the former."""
    return Rule(
        f"!has(self.requests) || self.requests.all(key, !({broken}))",
        message,
        f"self.requests.filter(key, {broken})[0] + {literal(': ' + message)}",
        at=".requests",
    )


_IS_LIMITED = "has(self.limits) && key in self.limits"
_READABLE = f"{_readable('self.requests')} && {_readable('self.limits')}"

RESOURCE_RULES = (
    _of_pairs(
        f"!{_IS_STRICT} && {_IS_LIMITED} && {_READABLE} && "
        f"{_amount('self.requests')}.isGreaterThan({_amount('self.limits')})",
        "the request must not exceed the limit",
    ),
    _of_pairs(
        f"{_IS_STRICT} && (!({_IS_LIMITED}) || ({_READABLE} && "
        f"{_amount('self.requests')}.compareTo({_amount('self.limits')}) != 0))",
        "huge pages and extended resources can not be overcommitted: set the same number in "
        "limits, or set it in limits alone",
    ),
    Rule(
        "["
        "has(self.requests) ? self.requests.map(key, key) : [], "
        "has(self.limits) ? self.limits.map(key, key) : []"
        "].all(keys, !keys.exists(key, key.startsWith('hugepages-'))) || ["
        "has(self.requests) ? self.requests.map(key, key) : [], "
        "has(self.limits) ? self.limits.map(key, key) : []"
        "].exists(keys, 'cpu' in keys || 'memory' in keys)",
        "huge pages need cpu or memory beside them",
    ),
)
"""Rules of requests and limits together."""


def same_number(holder: str, name: str, number: str) -> str:
    """Return the CEL condition that the map ``holder`` gives ``number`` of ``name``, or none.

    All three are CEL expressions; what is no whole number is refused by other rules.
    """
    return (
        f"[{name}].all(key, !(key in {holder}) || !{_readable(holder)} || "
        f"!{_amount(holder)}.isInteger() || {_amount(holder)}.asInteger() == {number})"
    )
