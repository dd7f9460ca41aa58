"""Measurement of an image change: the pod is bound, and takes its time to end."""

import asyncio
import time

from hourglass_common.kube.objects import is_pod_ready
from hourglass_common.kube.resources import PERFORMERS, PODS

from tests.bench.operator_rig.gap import Gap, gap
from tests.bench.operator_rig.kubelet import PlayedKubelet
from tests.bench.operator_rig.observer import Seen
from tests.bench.operator_rig.performers import is_ready, performer
from tests.bench.operator_rig.stage import Stage

NAMESPACE = "changing"
READY_AFTER = 2.0
ENDS_AFTER = 10.0
NEW_IMAGE = "registry.local/performer:2"


async def change_the_image(stage: Stage) -> Gap:
    """Change the image of a Performer that serves; from then until only the new one is left."""
    async with stage.namespace(NAMESPACE) as observer, asyncio.TaskGroup() as group:
        kubelet = PlayedKubelet(
            stage.client, NAMESPACE, observer, ready_after=READY_AFTER, ends_after=ENDS_AFTER
        )
        playing = group.create_task(kubelet.run())
        await stage.client.create(PERFORMERS, NAMESPACE, performer("changes"))
        await observer.ready(["changes"]).wait(30)
        await observer.quiet(1.0)
        events: list[Seen] = []
        before = dict(observer.objects)
        observer.listeners.append(events.append)
        began = time.monotonic()
        await stage.client.merge_patch(
            PERFORMERS, NAMESPACE, "changes", {"spec": {"image": NEW_IMAGE}}
        )

        def changed() -> bool:
            pods = observer.all(PODS)
            images = {pod["spec"]["containers"][0]["image"] for pod in pods}
            ready = all(is_ready(found) for found in observer.all(PERFORMERS))
            return images == {NEW_IMAGE} and all(is_pod_ready(pod) for pod in pods) and ready

        await observer.until(changed, "the new image alone", 60)
        ended = time.monotonic()
        playing.cancel()
    return gap(before, events, began, ended)
