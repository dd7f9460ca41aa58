"""A custom resource of the tests' own, whose rules use what our CRD's rules may use."""

from collections.abc import Mapping
from typing import Any

from hourglass_common.kube.resources import Resource

RULED = Resource("contract.example.com", "v1", "ruleds", "Ruled")

_AMOUNTS: Mapping[str, Any] = {
    "type": "object",
    "maxProperties": 4,
    "additionalProperties": {"x-kubernetes-int-or-string": True, "maxLength": 20},
}
_RULES = {
    "a request is at most its limit": (
        "!has(self.requests) || !has(self.limits) || self.requests.all(name, "
        "!(name in self.limits) || quantity(string(self.requests[name]))"
        ".compareTo(quantity(string(self.limits[name]))) <= 0)"
    ),
    "no limit is below zero": (
        "!has(self.limits) || self.limits.all(name, sign(quantity(string(self.limits[name]))) >= 0)"
    ),
    "memory is less than 1Ti": (
        "!has(self.limits) || !('memory' in self.limits) || (type(self.limits['memory']) == int ? "
        "quantity(string(self.limits['memory'])) : quantity(self.limits['memory']))"
        ".isLessThan(quantity('1Ti'))"
    ),
    "cpu is more than 1m": (
        "!has(self.limits) || !('cpu' in self.limits) || "
        "quantity(string(dyn(self.limits['cpu']))).isGreaterThan(quantity('1m'))"
    ),
    "free is a quantity": "!has(self.free) || isQuantity(self.free)",
    "raw is above zero": "!has(self.raw) || quantity(self.raw).isGreaterThan(quantity('0'))",
    "a sum is what it is": (
        "!has(self.free) || !isQuantity(self.free) || "
        "quantity(self.free).add(quantity('1')).sub(1).compareTo(quantity(self.free)) == 0"
    ),
    "names have letters": "!has(self.names) || self.names.all(each, each.matches('^[a-z]+$'))",
    "one name is main": (
        "!has(self.names) || size(self.names) == 0 || self.names.exists_one(each, each == 'main')"
    ),
    "no name is root": "!has(self.names) || !self.names.exists(each, each == 'root')",
    "the port is even": "!has(self.port) || int(self.port) % 2 == 0",
}


def ruled_crd() -> dict[str, Any]:
    spec = {
        "type": "object",
        "properties": {
            "requests": _AMOUNTS,
            "limits": _AMOUNTS,
            "free": {"type": "string", "maxLength": 20},
            "raw": {"x-kubernetes-int-or-string": True, "maxLength": 20},
            "port": {"x-kubernetes-int-or-string": True, "maxLength": 5},
            "names": {
                "type": "array",
                "maxItems": 4,
                "items": {"type": "string", "maxLength": 20},
            },
        },
        "x-kubernetes-validations": [
            {"rule": rule, "message": message} for message, rule in _RULES.items()
        ],
    }
    schema = {"type": "object", "properties": {"spec": spec}}
    names = {"plural": RULED.plural, "singular": "ruled", "kind": RULED.kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{RULED.plural}.{RULED.group}"},
        "spec": {
            "group": RULED.group,
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {
                    "name": RULED.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
