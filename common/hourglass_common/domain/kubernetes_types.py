"""Kubernetes' own types that a spec carries as they are: affinity, network peers and rules. Pure.

Their schemas refuse what is cheap to see: types, names, operators and their values. What is left
is for the API to say of the pods and policies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .names import LABEL_RULES, LABEL_VALUE, OBJECT_NAME, QUALIFIED_NAME, must_be
from .schema import Rule, with_rules

Schema = Mapping[str, Any]

_TERMS = 16
_EXPRESSIONS = 8
_VALUES = 16
_NODE_EXPRESSIONS = 16
_NODE_VALUES = 512
_PEERS = 8
_PORTS = 16
_RANGES = 16
_IPV4 = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"


def _object(
    text: str,
    fields: Mapping[str, Schema],
    *,
    required: Sequence[str] = (),
    rules: Sequence[Rule] = (),
) -> dict[str, Any]:
    needed = {"required": list(required)} if required else {}
    return {
        "description": text,
        "type": "object",
        "properties": dict(fields),
        **needed,
        **with_rules(rules),
    }


def _list(text: str, items: Schema, most: int, *, least: int = 0) -> dict[str, Any]:
    return {
        "description": text,
        "type": "array",
        "maxItems": most,
        **({"minItems": least} if least else {}),
        "items": {key: value for key, value in items.items() if key != "description"},
    }


def _string(text: str, *, rules: Sequence[Rule] = (), **more: Any) -> dict[str, Any]:
    bound = {} if "enum" in more else {"maxLength": 253}
    return {"description": text, "type": "string", **bound, **more, **with_rules(rules)}


def _integer(text: str, least: int, most: int) -> dict[str, Any]:
    bounds = {"minimum": least, "maximum": most}
    return {"description": text, "type": "integer", "format": "int32", **bounds}


def _requirement(
    operators: Sequence[str], rules: Sequence[Rule], values: int, value_rules: Sequence[Rule] = ()
) -> dict[str, Any]:
    value = _string("", maxLength=63, rules=value_rules)
    return _object(
        "A condition on one label.",
        {
            "key": _string(
                "The label.",
                minLength=1,
                rules=(must_be("a label", QUALIFIED_NAME),),
                maxLength=317,
            ),
            "operator": _string("How its value compares.", enum=list(operators)),
            "values": _list("What it is compared with.", value, values),
        },
        required=("key", "operator"),
        rules=rules,
    )


_HAS_VALUES = "has(self.values) && self.values.size() > 0"
_IN_NEEDS_VALUES = Rule(
    f"!(self.operator in ['In', 'NotIn']) || ({_HAS_VALUES})",
    "operators In and NotIn need values",
)
_EXISTS_TAKES_NONE = Rule(
    f"!(self.operator in ['Exists', 'DoesNotExist']) || !({_HAS_VALUES})",
    "operators Exists and DoesNotExist take no values",
)
_GREATER_NEEDS_ONE = Rule(
    "!(self.operator in ['Gt', 'Lt']) || (has(self.values) && self.values.size() == 1 && "
    "self.values[0].matches('^-?[0-9]+$'))",
    "operators Gt and Lt need one value, a whole number",
)
_IS_LABEL_VALUE = must_be("the value of a label", LABEL_VALUE)

LABEL_SELECTOR = _object(
    "Objects by their labels; empty means all.",
    {
        "matchLabels": {
            "description": "Labels and their values.",
            "type": "object",
            "maxProperties": _EXPRESSIONS,
            "additionalProperties": {"type": "string", "maxLength": 63},
            **with_rules(LABEL_RULES),
        },
        "matchExpressions": _list(
            "Conditions, all of which must hold.",
            _requirement(
                ("In", "NotIn", "Exists", "DoesNotExist"),
                (_IN_NEEDS_VALUES, _EXISTS_TAKES_NONE),
                _VALUES,
                (_IS_LABEL_VALUE,),
            ),
            _EXPRESSIONS,
        ),
    },
)

_NODE_REQUIREMENT = _requirement(
    ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    (_IN_NEEDS_VALUES, _EXISTS_TAKES_NONE, _GREATER_NEEDS_ONE),
    _NODE_VALUES,
)
_NODE_TERM = _object(
    "Nodes for which all conditions hold.",
    {
        "matchExpressions": _list("By labels.", _NODE_REQUIREMENT, _NODE_EXPRESSIONS),
        "matchFields": _list(
            "By fields; there is metadata.name.",
            _object(
                "A condition on one field.",
                {
                    "key": _string("The field.", enum=["metadata.name"]),
                    "operator": _string("How its value compares.", enum=["In", "NotIn"]),
                    "values": _list(
                        "The name of the node.",
                        _string("", rules=(must_be("the name of a node", OBJECT_NAME),)),
                        1,
                        least=1,
                    ),
                },
                required=("key", "operator", "values"),
            ),
            _EXPRESSIONS,
        ),
    },
)
_NODE_AFFINITY = _object(
    "Which nodes the pods may or should run on.",
    {
        "requiredDuringSchedulingIgnoredDuringExecution": _object(
            "Where the pods must run.",
            {
                "nodeSelectorTerms": _list(
                    "Alternatives, one of which must hold.", _NODE_TERM, _TERMS, least=1
                )
            },
            required=("nodeSelectorTerms",),
        ),
        "preferredDuringSchedulingIgnoredDuringExecution": _list(
            "Where the pods should run.",
            _object(
                "A weighted wish.",
                {
                    "weight": _integer("How much it counts.", 1, 100),
                    "preference": {**_NODE_TERM, "description": "The nodes."},
                },
                required=("weight", "preference"),
            ),
            _TERMS,
        ),
    },
)
_LABEL_KEYS = _list(
    "Keys of the pod's own labels.",
    _string("", maxLength=317, minLength=1, rules=(must_be("a label", QUALIFIED_NAME),)),
    _EXPRESSIONS,
)
_POD_TERM = _object(
    "Pods, and the kind of place that is or is not to be shared with them.",
    {
        "labelSelector": {**LABEL_SELECTOR, "description": "The pods; none if it is not given."},
        "matchLabelKeys": {**_LABEL_KEYS, "description": "Labels that must be those of the pod."},
        "mismatchLabelKeys": {
            **_LABEL_KEYS,
            "description": "Labels that must not be those of the pod.",
        },
        "namespaces": _list(
            "Namespaces of the pods; the performer's own if neither these nor a selector.",
            _string("", maxLength=63, minLength=1, rules=(must_be("a namespace", OBJECT_NAME),)),
            _EXPRESSIONS,
        ),
        "namespaceSelector": {**LABEL_SELECTOR, "description": "Namespaces of the pods."},
        "topologyKey": _string(
            "The label of nodes that makes a place.",
            minLength=1,
            maxLength=317,
            rules=(must_be("a label of nodes", QUALIFIED_NAME),),
        ),
    },
    required=("topologyKey",),
)


def _pod_affinity(text: str) -> dict[str, Any]:
    weighted = _object(
        "A weighted wish.",
        {
            "weight": _integer("How much it counts.", 1, 100),
            "podAffinityTerm": {**_POD_TERM, "description": "The pods and the place."},
        },
        required=("weight", "podAffinityTerm"),
    )
    return _object(
        text,
        {
            "requiredDuringSchedulingIgnoredDuringExecution": _list(
                "What must hold.", _POD_TERM, _TERMS
            ),
            "preferredDuringSchedulingIgnoredDuringExecution": _list(
                "What should hold.", weighted, _TERMS
            ),
        },
    )


AFFINITY = _object(
    "As in core/v1.",
    {
        "nodeAffinity": _NODE_AFFINITY,
        "podAffinity": _pod_affinity("Which pods the pods run beside."),
        "podAntiAffinity": _pod_affinity("Which pods the pods run apart from."),
    },
)

_CIDR = Rule(
    f"self.matches('^({_IPV4}[.]){{3}}{_IPV4}/(3[0-2]|[12]?[0-9])$') || "
    "self.matches('^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$')",
    "must be a range of addresses such as 10.0.0.0/8 or 2001:db8::/32",
)
_RANGE = _string("A range of addresses.", maxLength=64, rules=(_CIDR,))
NETWORK_PEER = _object(
    "Pods by labels, or a range of addresses.",
    {
        "podSelector": {**LABEL_SELECTOR, "description": "Pods by their labels."},
        "namespaceSelector": {**LABEL_SELECTOR, "description": "Pods by their namespace's labels."},
        "ipBlock": _object(
            "A range of addresses.",
            {
                "cidr": {**_RANGE, "description": "The range."},
                "except": _list("Parts of it that are left out.", _RANGE, _RANGES),
            },
            required=("cidr",),
        ),
    },
    rules=(
        Rule(
            "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
            "a peer is an ipBlock, or else a podSelector, a namespaceSelector or both",
        ),
    ),
)
_PORT = _object(
    "A port or a range of ports.",
    {
        "protocol": _string("Its protocol; TCP if not given.", enum=["TCP", "UDP", "SCTP"]),
        "port": {
            "description": "Its number or name; all if not given.",
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 15,
            **with_rules(
                (
                    Rule(
                        "type(self) == int ? (self >= 1 && self <= 65535) : "
                        "(self.matches('^[a-z0-9]+(-[a-z0-9]+)*$') && self.matches('[a-z]'))",
                        "must be a number from 1 to 65535, or a name of at most 15 lower case "
                        "letters, digits and '-'",
                    ),
                )
            ),
        },
        "endPort": _integer("Last port of a range.", 1, 65535),
    },
    rules=(
        Rule(
            "!has(self.endPort) || (has(self.port) && type(self.port) == int && "
            "self.port <= self.endPort)",
            "endPort needs a port, a number that is not greater",
        ),
    ),
)
EGRESS_RULE = _object(
    "Where traffic may go.",
    {
        "ports": _list("To which ports; all if none is given.", _PORT, _PORTS),
        "to": _list("To whom; to all if none is given.", NETWORK_PEER, _PEERS),
    },
)
