"""Runs one pod: feeds its life (``model.pod_state``) with what happens, and does what that says."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, assert_never

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import uid
from hourglass_common.kube.resources import CONFIG_MAPS, PODS, SECRETS, Manifest
from hourglass_common.runtime.logs import get_logger

from hourglass_devcluster.controllers.events import EventRecorder
from hourglass_devcluster.model.pod_env import (
    Reference,
    VariableError,
    command_line,
    environment,
    references,
)
from hourglass_devcluster.model.pod_events import (
    Action,
    Deleted,
    Event,
    Exited,
    Gone,
    Probed,
    Remove,
    RunProbe,
    Say,
    Signal,
    Start,
    Started,
    StartFailed,
    Tick,
)
from hourglass_devcluster.model.pod_spec import (
    PORT_ANNOTATION,
    ProbeKind,
    read_pod_spec,
    real_port,
)
from hourglass_devcluster.model.pod_state import Instant, Over, advance, first_state, next_deadline
from hourglass_devcluster.model.pod_status import lost_restarts, pod_status

from .catalogue import command_of
from .logs import LogFile, pod_folder
from .ports import Ports
from .probes import failure_of
from .process import Command, ContainerProcess, start

log = get_logger(__name__)

NODE_NAME = "devcluster"
_RETRY_SECONDS = 0.5
_KINDS = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}


@dataclass(frozen=True, slots=True)
class Node:
    """What all pods of the node share."""

    client: KubeClient
    events: EventRecorder
    clock: Clock
    ports: Ports
    data_dir: Path

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def pids(self) -> Path:
        return self.data_dir / "pids"


class PodWorker:
    """``run`` returns when the pod is over; ``saw`` and ``lost`` tell it of the API's changes."""

    def __init__(self, pod: Manifest, node: Node) -> None:
        self._pod = pod
        self._node = node
        self._spec = read_pod_spec(pod)
        self._state = first_state(self._now(), restarts=lost_restarts(pod))
        self._answers: deque[Event] = deque()
        self._news = asyncio.Event()
        self._write = asyncio.Event()
        self._gone = False
        self._process: ContainerProcess | None = None
        self._port: int | None = None

    @property
    def folder(self) -> Path:
        """Where the logs are."""
        meta = self._pod["metadata"]
        return pod_folder(self._node.logs, meta["namespace"], meta["name"], meta["uid"])

    def saw(self, pod: Manifest) -> None:
        self._pod = pod
        self._news.set()

    def lost(self) -> None:
        """The pod is not in the API any more."""
        self._gone = True
        self._news.set()

    async def run(self) -> None:
        try:
            if not self._pod["spec"].get("nodeName") and not await self._bind():
                return
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write_statuses())
                probes: set[asyncio.Task[None]] = set()
                while not isinstance(self._state.container, Over):
                    for event in self._events():
                        await self._advance(event, tasks, probes)
                    await self._wait()
                for task in (writer, *probes):
                    task.cancel()
        finally:
            if self._port is not None:
                self._node.ports.give_back(self._port)

    async def _bind(self) -> bool:
        """Set the pod's node: on one node that is all the scheduling there is."""
        meta = self._pod["metadata"]
        change = {"metadata": {"uid": meta["uid"]}, "spec": {"nodeName": NODE_NAME}}
        while True:
            try:
                self._pod = await self._patched(change)
                break
            except HourglassError as error:
                log.info("pod not bound", pod=meta["name"], error=error.message)
                if self._gone or (isinstance(error, KubeError) and error.http_status < 429):
                    return False
            await asyncio.sleep(_RETRY_SECONDS)
        said = f"Successfully assigned {meta['namespace']}/{meta['name']} to {NODE_NAME}"
        self._say("Normal", "Scheduled", said)
        return True

    def _events(self) -> list[Event]:
        found: list[Event] = []
        meta = self._pod["metadata"]
        if self._gone:
            found.append(Gone())
        elif meta.get("deletionTimestamp"):
            found.append(Deleted(float(meta.get("deletionGracePeriodSeconds") or 0)))
        while self._answers:
            found.append(self._answers.popleft())
        return found or [Tick()]

    async def _wait(self) -> None:
        deadline = next_deadline(self._state, self._spec)
        if isinstance(self._state.container, Over) or self._answers:
            return
        left = None if deadline is None else max(0.0, deadline - self._node.clock.monotonic())
        try:
            async with asyncio.timeout(left):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    async def _advance(
        self, event: Event, tasks: asyncio.TaskGroup, probes: set[asyncio.Task[None]]
    ) -> None:
        before = self._state
        self._state, actions = advance(before, self._spec, event, self._now())
        if self._state != before:
            self._write.set()
        for action in actions:
            await self._act(action, tasks, probes)

    async def _act(
        self, action: Action, tasks: asyncio.TaskGroup, probes: set[asyncio.Task[None]]
    ) -> None:
        match action:
            case Start(run):
                tasks.create_task(self._run_process(run))
            case RunProbe(run, kind):
                task = tasks.create_task(self._probe(run, kind))
                probes.add(task)
                task.add_done_callback(probes.discard)
            case Signal(_, name):
                if self._process is not None:
                    self._process.signal(SIGTERM if name == "TERM" else SIGKILL)
            case Remove():
                await self._remove()
            case Say(kind, reason, message):
                self._say(kind, reason, message)
            case _:
                assert_never(action)

    def _answer(self, event: Event) -> None:
        self._answers.append(event)
        self._news.set()

    async def _run_process(self, run: int) -> None:
        try:
            process, output = await self._launch()
        except HourglassError as error:
            reason = error.reason if error.reason in _OWN_REASONS else "CreateContainerError"
            self._answer(StartFailed(run, reason, str(error)))
            return
        except OSError as error:  # the disk, as a rule
            self._answer(StartFailed(run, "CreateContainerError", str(error)))
            return
        self._process = process
        self._answer(Started(run))
        try:
            code = await process.wait(output)
        finally:
            self._process = None
        self._answer(Exited(run, code))

    async def _launch(self) -> tuple[ContainerProcess, LogFile]:
        container = self._spec.container
        if self._spec.trouble:
            raise HourglassError(
                Code.UNIMPLEMENTED,
                f"the dev cluster runs a pod as one process; this pod: {self._spec.trouble}",
                reason="Unsupported",
            )
        image_command = command_of(str(container.get("image", "")))
        self._say("Normal", "Pulled", f"Container image stands for: {' '.join(image_command)}")
        port = await self._take_port()
        try:
            variables = environment(container, self._pod, await self._objects(), port)
        except VariableError as error:
            raise HourglassError(
                Code.FAILED_PRECONDITION, str(error), reason="CreateContainerConfigError"
            ) from error
        meta = self._pod["metadata"]
        command = Command(
            words=command_line(container, image_command, variables),
            variables=variables,
            folder=container.get("workingDir") or None,
            log=self.folder / f"{container['name']}.log",
            pid_file=self._node.pids / f"{meta['uid']}.json",
        )
        output = LogFile(command.log)
        try:
            return await start(command), output
        except BaseException as error:
            output.write(f"{error}\n".encode())
            output.close()
            raise

    async def _take_port(self) -> int:
        """Take a port, the same as before if it is still free, and tell it to the API."""
        wanted = self._port
        if wanted is not None:
            self._node.ports.give_back(wanted)
        self._port = port = self._node.ports.take(wanted)
        annotations = self._pod["metadata"].get("annotations") or {}
        if annotations.get(PORT_ANNOTATION) != str(port):
            meta = {"uid": uid(self._pod), "annotations": {PORT_ANNOTATION: str(port)}}
            await self._patched({"metadata": meta})
        return port

    async def _objects(self) -> dict[Reference, Manifest]:
        found: dict[Reference, Manifest] = {}
        namespace = self._pod["metadata"]["namespace"]
        for kind, name in references(self._spec.container):
            try:
                found[kind, name] = await self._node.client.get(_KINDS[kind], namespace, name)
            except KubeError as error:
                if not error.is_not_found:
                    raise
        return found

    async def _probe(self, run: int, kind: ProbeKind) -> None:
        probe = self._spec.probe(kind)
        assert probe is not None
        port = real_port(self._spec.container, probe.check.port, self._port or 0)
        if port is None:
            failure = f"the container has no port named {probe.check.port}"
        else:
            failure = await failure_of(probe.check, port, probe.timeout)
        self._answer(Probed(run, kind, not failure, failure))

    async def _write_statuses(self) -> None:
        """Write the status after each change of it, until cancelled."""
        status: Mapping[str, Any] = self._pod.get("status") or {}
        written: Mapping[str, Any] | None = None
        while True:
            wanted = pod_status(self._state, self._spec, status, self._node.clock.wall())
            if wanted != written:
                status = wanted
                if not await self._wrote(wanted):
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                written = wanted
            await self._write.wait()
            self._write.clear()

    async def _wrote(self, status: Mapping[str, Any]) -> bool:
        body = {"metadata": {"uid": uid(self._pod)}, "status": status}
        try:
            await self._patched(body, subresource="status")
        except KubeError as error:
            if error.is_not_found or error.is_conflict:
                return True  # the pod is gone: the watch will tell
            log.warning("pod status not written", error=error.message)
            return False
        except HourglassError as error:
            log.warning("pod status not written", error=error.message)
            return False
        return True

    async def _remove(self) -> None:
        meta = self._pod["metadata"]
        only = Precondition(uid(self._pod))
        while not self._gone:
            try:
                await self._node.client.delete(
                    PODS, meta["namespace"], meta["name"], precondition=only, grace_period_seconds=0
                )
            except KubeError as error:
                if error.is_not_found or error.is_conflict:
                    return
            except HourglassError as error:
                log.warning("pod not removed", pod=meta["name"], error=error.message)
            else:
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _patched(self, change: Mapping[str, Any], subresource: str = "") -> Manifest:
        meta = self._pod["metadata"]
        return await self._node.client.merge_patch(
            PODS, meta["namespace"], meta["name"], change, subresource=subresource
        )

    def _say(self, kind: Any, reason: str, message: str) -> None:
        self._node.events.say(self._pod, kind, reason, message)

    def _now(self) -> Instant:
        clock = self._node.clock
        return Instant(clock.monotonic(), clock.wall())


_OWN_REASONS = frozenset(
    {"ErrImagePull", "CreateContainerConfigError", "RunContainerError", "Unsupported"}
)
