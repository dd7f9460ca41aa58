"""The checks of NetworkPolicy and PodDisruptionBudget."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import orjson

from .meta import label_key_causes, label_value_causes
from .status import Cause, forbidden_field, required, unsupported, wrong

Manifest = Mapping[str, Any]

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
    "'93%', regex used for validation is '[0-9]+%')"
)
_CIDR_TEXT = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def network_policy_causes(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    spec = new["spec"]
    yield from _selector(spec.get("podSelector"), "spec.podSelector")
    for field, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(field) or ()):
            path = f"spec.{field}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                yield from _policy_port(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                yield from _peer(peer, f"{path}.{peers}[{number}]")
    types = spec["policyTypes"]
    if len(types) > 2:
        said = "[" + ",".join(f'"{each}"' for each in types) + "]"
        yield wrong("spec.policyTypes", said, "may not specify more than two policyTypes")
        return
    for index, each in enumerate(types):
        if each not in ("Ingress", "Egress"):
            yield unsupported(f"spec.policyTypes[{index}]", each, ("Ingress", "Egress"))


def _policy_port(port: Manifest, path: str) -> Iterator[Cause]:
    if port["protocol"] not in ("TCP", "UDP", "SCTP"):
        yield unsupported(f"{path}.protocol", port["protocol"], ("TCP", "UDP", "SCTP"))
    number, last = port.get("port"), port.get("endPort")
    if isinstance(number, int):
        if not 1 <= number <= 65535:
            yield wrong(f"{path}.port", str(number), "must be between 1 and 65535, inclusive")
        if last is not None and last < number:
            why = "must be greater than or equal to `port`"
            yield wrong(f"{path}.endPort", str(number), why)
    elif number is not None:
        yield from _port_name(number, f"{path}.port")
    if last is None:
        return
    if not 1 <= last <= 65535:
        yield wrong(f"{path}.endPort", str(last), "must be between 1 and 65535, inclusive")
    if not isinstance(number, int):
        what = "not specified" if number is None else "non-numeric"
        yield wrong(f"{path}.endPort", str(last), f"may not be specified when `port` is {what}")


def _port_name(name: str, path: str) -> Iterator[Cause]:
    said = f'"{name}"'
    if len(name) > 15:
        yield wrong(path, said, "must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", name):
        why = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
        yield wrong(path, said, why)
    elif not re.search("[a-z]", name):
        yield wrong(path, said, "must contain at least one letter (a-z)")


def _peer(peer: Manifest, path: str) -> Iterator[Cause]:
    selectors = [field for field in ("podSelector", "namespaceSelector") if field in peer]
    for field in selectors:
        yield from _selector(peer[field], f"{path}.{field}")
    if "ipBlock" in peer:
        yield from _ip_block(peer["ipBlock"], f"{path}.ipBlock")
        if selectors:
            yield forbidden_field(path, "may not specify both ipBlock and another peer")
    elif not selectors:
        yield required(path, "must specify a peer")


def _ip_block(block: Manifest, path: str) -> Iterator[Cause]:
    text = block.get("cidr") or ""
    if not text:
        yield required(f"{path}.cidr")
        return
    within = _network(text)
    if within is None:
        yield _not_a_network(f"{path}.cidr", text)
        return
    for index, each in enumerate(block.get("except") or ()):
        where, inner = f"{path}.except[{index}]", _network(each)
        if inner is None:
            yield _not_a_network(where, each)
        elif not _is_strictly_within(inner, within):
            yield wrong(where, f'"{each}"', "must be a strict subset of `cidr`")


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text) if "/" in text else None
    except ValueError:
        return None


def _not_a_network(path: str, text: str) -> Cause:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return wrong(path, f'"{text}"', _CIDR_TEXT)
    if "/" not in text:
        return wrong(path, f'"{text}"', _CIDR_TEXT)
    return wrong(path, f'"{text}"', "must not have bits set beyond the prefix length")


def _is_strictly_within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    match inner, outer:
        case (IPv4Network(), IPv4Network()) | (IPv6Network(), IPv6Network()):
            return inner.prefixlen > outer.prefixlen and inner.subnet_of(outer)  # type: ignore[arg-type]
        case _:
            return False


def pod_disruption_budget_causes(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    spec = new["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        why = "minAvailable and maxUnavailable cannot be both set"
        yield wrong("spec", orjson.dumps(_in_go(spec)).decode(), why)
    for field in ("minAvailable", "maxUnavailable"):
        yield from _count_or_percent(spec.get(field), f"spec.{field}")
    yield from _selector(spec.get("selector"), "spec.selector")
    policy, known = spec.get("unhealthyPodEvictionPolicy"), ("AlwaysAllow", "IfHealthyBudget")
    if policy is not None and policy not in known:
        yield unsupported("spec.unhealthyPodEvictionPolicy", policy, known)


def _in_go(spec: Manifest) -> Manifest:
    """Return ``spec`` with the names of Go's fields, in which the message shows it."""
    names = ("MinAvailable", "Selector", "MaxUnavailable", "UnhealthyPodEvictionPolicy")
    return {name: spec.get(name[0].lower() + name[1:]) for name in names}


def _count_or_percent(value: Any, path: str) -> Iterator[Cause]:
    if isinstance(value, str):
        if not re.fullmatch("[0-9]+%", value):
            yield wrong(path, f'"{value}"', _PERCENT_TEXT)
        elif int(value[:-1]) > 100:
            yield wrong(path, f'"{value}"', "must not be greater than 100%")
    elif value is not None and value < 0:
        yield wrong(path, str(value), "must be greater than or equal to 0")


def _selector(selector: Manifest | None, path: str) -> Iterator[Cause]:
    selector = selector or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        yield from label_key_causes(f"{path}.matchLabels", key)
        yield from label_value_causes(f"{path}.matchLabels", value)
    for index, each in enumerate(selector.get("matchExpressions") or ()):
        where = f"{path}.matchExpressions[{index}]"
        operator, values = each.get("operator", ""), each.get("values") or ()
        if operator not in _OPERATORS:
            yield wrong(f"{where}.operator", f'"{operator}"', "not a valid selector operator")
        elif operator in ("In", "NotIn") and not values:
            why = "must be specified when `operator` is 'In' or 'NotIn'"
            yield required(f"{where}.values", why)
        elif operator in ("Exists", "DoesNotExist") and values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield forbidden_field(f"{where}.values", why)
        yield from label_key_causes(f"{where}.key", each.get("key", ""))
