"""The logs of a pod's container."""

from hourglass_common.kube.resources import PODS

from tests.contract.conftest import Target
from tests.support.covers import covers
from tests.support.kube_requests import KubeRequests
from tests.support.kube_samples import pod
from tests.support.targets import DEV


@covers("get pods/log")
async def test_logs_of_a_pod_that_runs_nowhere_are_refused_and_of_none_not_found(
    api: KubeRequests, space: str, target: Target
) -> None:
    missing = await api.call("GET", PODS.path(space, "none", "log"))
    missing.refused(404, "NotFound")
    (await api.create(PODS, space, pod())).ok()
    if target.name == DEV:
        return  # its one node runs every pod; the node agent's tests read real logs
    answer = await api.call("GET", PODS.path(space, "pod", "log"))
    assert answer.status in (200, 204, 400)
    wrong = await api.call("GET", PODS.path(space, "pod", "log"), container="other")
    wrong.refused(400, "BadRequest")
