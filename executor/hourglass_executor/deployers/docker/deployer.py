"""Performers as containers of a Docker Engine.

The engine keeps them running, whether or not an executor does; they are found again by label, and
nothing without our label is ever touched.
"""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger

from hourglass_executor.deployers.choose import without_cluster
from hourglass_executor.deployers.deployment import Deployment
from hourglass_executor.deployers.port import InstanceInfo, Listener

from .credentials import registry_auth
from .engine import DockerEngine, EngineError
from .options import DockerOptions
from .output import OutputFiles
from .plan import (
    EXECUTOR_LABEL,
    PERFORMER_LABEL,
    Found,
    container_body,
    container_name,
    read,
    wanted_indices,
)
from .pulling import PullProgress

log = get_logger(__name__)

Json = Mapping[str, Any]
T = TypeVar("T")
PROGRESS_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 30.0
"""How often everything is looked at though no event came: events can be lost with a connection."""


@dataclass(slots=True)
class _Running:
    deployment: Deployment
    environment: Mapping[str, str]
    found: dict[int, Found] = field(default_factory=dict)
    trouble: str = ""
    deployed: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while its containers are looked at or taken away."""
    making: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    """Containers that the engine is making: a caller that leaves does not stop it."""


class DockerDeployer:
    """Implements ``Deployer``."""

    def __init__(
        self,
        listener: Listener,
        options: DockerOptions,
        *,
        clock: Clock,
        rng: Random,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._listener = listener
        self._options = options
        self._clock = clock
        self._rng = rng
        self._environ = os.environ if environ is None else environ
        self._engine = DockerEngine(options.address)
        self._backoff = Backoff(minimum=0.2, maximum=30.0)
        self._running: dict[str, _Running] = {}
        self._stack = AsyncExitStack()
        self._follower: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._output: OutputFiles | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._engine)
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._group = group
        self._output = OutputFiles(self._engine, self._options.logs, group, self._clock)
        self._follower = group.create_task(self._follow())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._follower is not None and self._output is not None:
            self._follower.cancel()
            self._output.close()
        await self._stack.__aexit__(kind, error, trace)

    async def deploy(self, deployment: Deployment, handle: str | None = None) -> None:
        if deployment.performer_id in self._running:
            return
        if self._closed:
            raise _leaving(deployment.performer_id)
        running = _Running(deployment, without_cluster(deployment, self._environ))
        self._running[deployment.performer_id] = running
        try:
            await self._bring_up(running, new=handle is None)
        except HourglassError:
            if self._running.get(deployment.performer_id) is running:
                del self._running[deployment.performer_id]
            raise
        running.deployed = True
        await self._look(running)

    async def _bring_up(self, running: _Running, *, new: bool) -> None:
        deployment = running.deployment
        found = [] if new else await self._find(deployment.performer_id)
        running.found = {each.index: each for each in found}
        missing = wanted_indices(deployment.replicas, found)
        if missing:
            image = await self._image(running)
            await self._network()
            for index in missing:
                running.found[index] = await self._create(running, index, image)
        for each in found:
            if each.is_down:
                await self._engine.start(each.id)

    async def remove(self, performer_id: str) -> None:
        running = self._running.pop(performer_id, None)
        if running is None:
            await self._end_all(performer_id)
            return
        self._listener.endpoints_changed(performer_id, ())
        if running.making:
            await asyncio.wait(running.making)
        async with running.lock:
            await self._end_all(performer_id)

    async def _end_all(self, performer_id: str) -> None:
        """End what there is of it; the first error is raised when all have been tried."""
        ending = await self._find(performer_id)
        errors = await asyncio.gather(
            *(self._end(each.id) for each in ending), return_exceptions=True
        )
        for error in errors:
            if error is not None:
                raise error

    def reason(self, performer_id: str) -> str:
        running = self._running.get(performer_id)
        return running.trouble if running else ""

    def instances(self, performer_id: str) -> tuple[InstanceInfo, ...]:
        running = self._running.get(performer_id)
        if running is None:
            return ()
        return tuple(
            InstanceInfo(resource=each.id[:12], running=each.running)
            for _, each in sorted(running.found.items())
        )

    async def stop_all(self) -> None:
        self._closed = True
        ids = tuple(self._running)
        errors = await asyncio.gather(*map(self.remove, ids), return_exceptions=True)
        for performer_id, error in zip(ids, errors, strict=True):
            if error is not None:
                log.error("performer not stopped", performer_id=performer_id, error=str(error))

    async def _image(self, running: _Running) -> Json:
        """Return the image as it is here, fetched if the configuration wants that."""
        name, policy = running.deployment.artifact.image, self._options.pull
        found = await self._engine.image(name) if policy != "Always" else None
        if found is None and policy != "Never":
            await self._pull(running, name)
            found = await self._engine.image(name)
        if found is None:
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"image {name} is not on this machine",
                reason="IMAGE_MISSING",
                hint="pull it, or set docker.imagePullPolicy to IfNotPresent",
            )
        return found

    async def _pull(self, running: _Running, name: str) -> None:
        """Fetch it; how far that has come is logged, and is the reason while it lasts."""
        auth = await registry_auth(name, self._options.credentials)
        progress = PullProgress(name)
        began = told = self._clock.monotonic()
        running.trouble = str(progress)

        def take(line: Json) -> None:
            nonlocal told
            progress.take(line)
            running.trouble = str(progress)
            if self._clock.monotonic() - told >= PROGRESS_SECONDS:
                told = self._clock.monotonic()
                log.info("image pull goes on", image=name, progress=str(progress))

        log.info("image pull begins", image=name, credentials=bool(auth))
        await self._engine.pull(name, auth, take)
        seconds = round(self._clock.monotonic() - began, 1)
        log.info("image pulled", image=name, seconds=seconds)
        running.trouble = ""

    async def _network(self) -> None:
        name = self._options.place.network
        if not name or await self._engine.network(name) is not None:
            return
        with suppress(EngineError):  # somebody else was faster
            await self._engine.create_network(name, {EXECUTOR_LABEL: self._options.place.executor})

    async def _create(self, running: _Running, index: int, image: Json) -> Found:
        deployment, options = running.deployment, self._options
        name = container_name(deployment, index)
        user = str((image.get("Config") or {}).get("User") or "")
        body = container_body(
            deployment, index, running.environment, options.place, options.confinement, user
        )
        if self._running.get(deployment.performer_id) is not running:
            raise _leaving(deployment.performer_id)
        container = await self._to_the_end(running, self._made(name, body))
        log.info(
            "performer started", performer_id=deployment.performer_id, container=container[:12]
        )
        return Found(
            container, index, deployment.performer_id, running=True, address="", trouble=""
        )

    async def _made(self, name: str, body: Json) -> str:
        try:
            container = await self._engine.create(name, body)
        except EngineError as error:
            if not error.is_conflict:
                raise
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"a container {name} is there already, and it is not this executor's",
                reason="NAME_TAKEN",
                hint=f"look at it with docker inspect {name}, and remove it if nobody needs it",
            ) from error
        await self._engine.start(container)
        return container

    async def _to_the_end(self, running: _Running, work: Coroutine[Any, Any, T]) -> T:
        """Await ``work``; where the caller is cancelled it goes on, and ``remove`` awaits it."""
        assert self._group is not None

        async def outcome() -> T | HourglassError:
            try:
                return await work
            except HourglassError as error:
                return error

        task = self._group.create_task(outcome())
        running.making.add(task)
        task.add_done_callback(running.making.discard)
        found = await asyncio.shield(task)
        if isinstance(found, HourglassError):
            raise found
        return found

    async def _find(self, performer_id: str) -> list[Found]:
        """Return this executor's containers of one performer."""
        mark = f"{EXECUTOR_LABEL}={self._options.place.executor}"
        found: list[Found] = []
        for listed in await self._engine.containers(mark, f"{PERFORMER_LABEL}={performer_id}"):
            whole = await self._engine.container(str(listed["Id"]))
            one = read(whole, self._options.place.network) if whole is not None else None
            if one is not None:
                found.append(one)
        return found

    async def _look(self, running: _Running) -> None:
        """Read a performer's containers, make those anew that are gone, and tell of it."""
        async with running.lock:
            known = self._running.get(running.deployment.performer_id) is running
            if known and running.deployed:
                await self._look_locked(running)

    async def _look_locked(self, running: _Running) -> None:
        found = {each.index: each for each in await self._find(running.deployment.performer_id)}
        for index in wanted_indices(running.deployment.replicas, tuple(found.values())):
            if index in running.found:
                log.warning(
                    "container gone", performer_id=running.deployment.performer_id, index=index
                )
            found[index] = await self._create(running, index, await self._image(running))
        for each in found.values():
            if each.is_down:  # stopped by hand, and so the engine leaves it: it is to run
                await self._engine.start(each.id)
        running.found = found
        running.trouble = next((each.trouble for each in found.values() if each.trouble), "")
        self._publish(running)

    def _publish(self, running: _Running) -> None:
        deployment = running.deployment
        for index, each in running.found.items():
            if each.running and self._output is not None:
                self._output.follow(each.id, container_name(deployment, index))
        self._listener.endpoints_changed(
            deployment.performer_id,
            tuple(
                Endpoint(
                    performer_id=deployment.performer_id,
                    revision=deployment.artifact.image,
                    instance=f"{container_name(deployment, index)}-{each.id[:12]}",
                    address=each.address,
                )
                for index, each in sorted(running.found.items())
                if each.address
            ),
        )

    async def _follow(self) -> None:
        """Follow the engine's events; while it is away, what is known stays as it is."""
        attempt = 0
        while True:
            since = self._clock.wall().timestamp()
            try:
                await self._look_at_all()
                attempt = 0
                await self._events(since)
            except HourglassError as error:
                attempt += 1
                log.warning("docker not followed", error=error.message)
            await asyncio.sleep(self._backoff.delay(max(1, attempt), self._rng.random()))

    async def _look_at_all(self) -> None:
        for running in tuple(self._running.values()):
            await self._keep(running)

    async def _keep(self, running: _Running) -> None:
        """Look at one performer; what is wrong with it alone is its own trouble."""
        try:
            await self._look(running)
        except HourglassError as error:
            if error.code is Code.UNAVAILABLE:
                raise  # the engine is away: that of the others is not known either
            running.trouble = str(error)
            log.error(
                "performer not kept running",
                performer_id=running.deployment.performer_id,
                error=str(error),
            )

    async def _events(self, since: float) -> None:
        mark = f"{EXECUTOR_LABEL}={self._options.place.executor}"
        async with aclosing(self._engine.events(mark, since)) as events:
            ends = self._clock.monotonic() + LOOK_AGAIN_SECONDS
            while (left := ends - self._clock.monotonic()) > 0:
                try:
                    async with asyncio.timeout(left):
                        event = await anext(events)
                except (TimeoutError, StopAsyncIteration):
                    return
                marks = (event.get("Actor") or {}).get("Attributes") or {}
                running = self._running.get(str(marks.get(PERFORMER_LABEL, "")))
                if running is not None:
                    await self._keep(running)

    async def _end(self, container: str) -> None:
        await self._engine.stop(container, self._options.stop_grace)
        await self._engine.remove(container)
        if self._output is not None:
            self._output.forget(container)


def _leaving(performer_id: str) -> HourglassError:
    return HourglassError(
        Code.UNAVAILABLE,
        f"performer {performer_id} is being taken away",
        reason="PERFORMER_LEAVES",
        retry_after=1.0,
    )
