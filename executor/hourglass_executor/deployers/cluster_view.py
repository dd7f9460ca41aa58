"""Where the instances of a Performer are and what part each plays, read from EndpointSlices. Pure.

    in a slice of the Service              InService; Draining if it is on its way out
    in a slice of the staged Service       Staged, as long as it is not in the other
    in neither                             not shown: it takes no task, and whoever routes to it
                                           lets it finish those it has

Pods are not asked: their names tell the revision, and whoever may read pods may read what is
written in their environment.
"""

from collections.abc import Iterable, Sequence

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.kube.objects import SERVICE_NAME, EndpointAddress, endpoints_of, labels
from hourglass_common.kube.resources import Manifest
from hourglass_common.kube.watch_state import Change

_SUFFIX = 5


class SliceBook:
    """EndpointSlices by their Service, kept by the changes of a cache."""

    def __init__(self) -> None:
        self._by_service: dict[str, dict[str, Manifest]] = {}

    def take(self, change: Change) -> frozenset[str]:
        """Take in a change; return the Services whose endpoints it may have changed."""
        touched: set[str] = set()
        name = change.key[1]
        if change.old is not None and (service := _service(change.old)):
            self._by_service.get(service, {}).pop(name, None)
            if not self._by_service.get(service):
                self._by_service.pop(service, None)
            touched.add(service)
        if change.new is not None and (service := _service(change.new)):
            self._by_service.setdefault(service, {})[name] = change.new
            touched.add(service)
        return frozenset(touched)

    def of(self, service: str) -> tuple[Manifest, ...]:
        return tuple(self._by_service.get(service, {}).values())


def service_of(performer: str) -> str:
    return f"performer-{performer}"


def performer_of(service: str) -> str:
    """Return the performer whose Service has this name, "" if none would."""
    prefix = service_of("")
    return service.removeprefix(prefix) if service.startswith(prefix) else ""


def staged_service_of(manifest: Manifest) -> str:
    """Return the name of the Service of the staged revision, "" while there is none."""
    return str((manifest.get("status") or {}).get("stagedServiceName") or "")


def endpoints(
    manifest: Manifest, in_service: Iterable[Manifest], staged: Iterable[Manifest]
) -> tuple[Endpoint, ...]:
    """Return the endpoints that the slices of a Performer's two Services hold, by instance."""
    name = str(manifest["metadata"]["name"])
    told = (manifest.get("status") or {}).get("revisions") or ()
    hashes = tuple(str(each.get("hash", "")) for each in told)
    serving = endpoints_of(in_service)
    named = {found.pod for found in serving}
    waiting = [found for found in endpoints_of(staged) if found.pod not in named]

    def shown(found: EndpointAddress, role: Role) -> Endpoint:
        return Endpoint(
            performer_id=name,
            revision=revision_of_pod(name, found.pod, hashes),
            instance=found.pod,
            address=found.target,
            role=Role.DRAINING if found.terminating else role,
            ready=found.ready,
        )

    return (
        *(shown(found, Role.IN_SERVICE) for found in serving),
        *(shown(found, Role.STAGED) for found in waiting),
    )


def revision_of_pod(performer: str, pod: str, hashes: Sequence[str]) -> str:
    """Return the revision that a pod's name tells, "" where it tells none.

    A pod is ``<performer>-<hash>-<five more>``. Kubernetes cuts all but the five where the
    performer's name is long: then the hash is the one of ``hashes``, which the status knows, that
    begins with what is left.
    """
    rest = pod.removeprefix(f"{performer}-")
    if rest == pod:
        return ""
    whole, dash, _ = rest.rpartition("-")
    if dash:
        return whole
    left = rest[:-_SUFFIX]
    meant = [known for known in hashes if left and known.startswith(left)]
    return meant[0] if len(meant) == 1 else ""


def _service(piece: Manifest) -> str:
    return labels(piece).get(SERVICE_NAME, "")
