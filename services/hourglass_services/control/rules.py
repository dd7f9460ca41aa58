"""What each method of PerformerControl asks to be allowed, in the words of Kubernetes' RBAC.

The verbs that RBAC lacks are ``update`` of a subresource that exists for this alone, such as
``performers/promote``: a Role names them like any other.
"""

from collections.abc import Callable
from typing import Any

from hourglass_common.domain.access import Attributes

from hourglass_services.rpc.guard import Rule

from .recorded import changes, secrets
from .servicer import DEFAULT_NAMESPACE, PERFORMER_CONTROL

_Asks = Callable[[Any], tuple[Attributes, ...]]


def _one(verb: str, *subresources: str) -> _Asks:
    """Ask for ``verb`` on the performer that a request names, or on each of its subresources."""

    def asks(request: Any) -> tuple[Attributes, ...]:
        return tuple(
            Attributes(
                verb=verb,
                subresource=subresource,
                namespace=request.namespace or DEFAULT_NAMESPACE,
                name=request.name,
            )
            for subresource in subresources or ("",)
        )

    return asks


def _many(verb: str) -> _Asks:
    """Ask for ``verb`` on all performers of a namespace, "" being all namespaces.

    A watch of one performer is a watch of its name, as with a field selector in Kubernetes.
    """

    def asks(request: Any) -> tuple[Attributes, ...]:
        name = getattr(request, "name", "")
        return (Attributes(verb=verb, namespace=request.namespace, name=name),)

    return asks


def _reads(asks: _Asks) -> Rule:
    return Rule(asks=asks)


def _writes(asks: _Asks) -> Rule:
    return Rule(asks=asks, changes=changes, secrets=secrets)


_RULES: dict[str, Rule] = {
    "CreatePerformer": _writes(_one("create")),
    "GetPerformer": _reads(_one("get")),
    "ListPerformers": _reads(_many("list")),
    "UpdatePerformer": _writes(_one("update")),
    "DeletePerformer": _writes(_one("delete")),
    "WatchPerformers": _reads(_many("watch")),
    "ScalePerformer": _writes(_one("update", "scale")),
    "PromotePerformer": _writes(_one("update", "promote")),
    "AbortPerformer": _writes(_one("update", "abort")),
    "RollbackPerformer": _writes(_one("update", "rollback")),
    "DrainPerformer": _writes(_one("update", "drain", "fence")),
    "FencePerformer": _writes(_one("update", "fence")),
    "UnfencePerformer": _writes(_one("update", "fence")),
    "SuspendPerformer": _writes(_one("update", "suspend")),
    "ResumePerformer": _writes(_one("update", "suspend")),
    "ExplainPerformer": _reads(_one("get")),
    "ListRevisions": _reads(_one("get")),
    "GetLogs": _reads(_one("get", "log")),
    "ReportDrain": _writes(_one("update", "drainreport")),
}

RULES = {f"{PERFORMER_CONTROL.full_name}/{method}": rule for method, rule in _RULES.items()}
"""The rule of every method; PerformerControl is not served if one is missing."""
