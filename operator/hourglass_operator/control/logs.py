"""The output of a performer's instances, merged into one stream of lines."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.objects import labels
from hourglass_common.kube.resources import PODS, Manifest
from hourglass_services.control.port import LogLine, LogQuery

from hourglass_operator.planning.manifests import CONTAINER
from hourglass_operator.planning.naming import PERFORMER_LABEL, REVISION_LABEL

BUFFER_LINES = 1000
"""Lines that are read ahead of a slow reader, of all instances together."""
LONGEST_LINE = 1 << 16
REOPEN_SECONDS = 1.0
_TIMED = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) (.*)", re.DOTALL)

End = tuple[str, HourglassError | None]
"""An instance whose output has ended, and why if it could not be read."""


async def read_logs(
    client: KubeClient, pods: Cache, query: LogQuery
) -> AsyncGenerator[LogLine, None]:
    """Yield the lines of all instances that ``query`` means, each instance's in their order.

    Ends when all have been read, with ``follow`` only by being closed. NOT_FOUND where there is no
    such instance; FAILED_PRECONDITION if not one of them has output to give.
    """
    async with asyncio.TaskGroup() as group:
        reading = _Reading(client, pods, query, group)
        stop = pods.listen(lambda change: reading.look() if _is_of(change.new, query) else None)
        try:
            reading.look()
            async for line in reading.lines():
                yield line
        except GeneratorExit:
            return  # the group would take it for a failure
        finally:
            stop()
            reading.close()
    if reading.refusal is not None:
        raise reading.refusal


class _Reading:
    """One task for each instance, and the queue that they all fill."""

    def __init__(
        self, client: KubeClient, pods: Cache, query: LogQuery, group: asyncio.TaskGroup
    ) -> None:
        self._group = group
        self._client = client
        self._pods = pods
        self._query = query
        self._queue: asyncio.Queue[LogLine | End] = asyncio.Queue(BUFFER_LINES)
        self.readers: dict[str, asyncio.Task[None]] = {}
        self.refusal: HourglassError | None = None

    def look(self) -> None:
        """Begin to read the instances that are not read yet."""
        for (_, name), pod in self._pods.objects.items():
            if name not in self.readers and _is_of(pod, self._query):
                self.readers[name] = self._group.create_task(self._read(name, pod))

    async def lines(self) -> AsyncIterator[LogLine]:
        """Yield lines until all readers are done; ``refusal`` says why if not one had any."""
        if not self.readers and not self._query.follow:
            self.refusal = _nothing(self._query)
        running, refusals, told = set(self.readers), list[HourglassError](), False
        while running or self._query.follow:
            found = await self._queue.get()
            if isinstance(found, LogLine):
                told = True
                yield found
                continue
            running.discard(found[0])
            if found[1] is not None:
                refusals.append(found[1])
        if refusals and not told and len(refusals) == len(self.readers):
            self.refusal = refusals[0]

    def close(self) -> None:
        for task in self.readers.values():
            task.cancel()

    async def _read(self, name: str, pod: Manifest) -> None:
        """Read one instance to its end; one that is followed as long as its pod is there."""
        revision = labels(pod).get(REVISION_LABEL, "")
        refusal, last = None, ""
        while True:
            try:
                async for time, line in self._open(name, last):
                    last = time or last
                    await self._queue.put(LogLine(name, revision, time, line))
                refusal = None
            except HourglassError as error:
                refusal = _told(error, name)
            if not self._query.follow or self._query.previous or not self._is_there(name, pod):
                break
            await asyncio.sleep(REOPEN_SECONDS)  # it is not up yet, or begins anew
        await self._queue.put((name, refusal))

    def _is_there(self, name: str, pod: Manifest) -> bool:
        now = self._pods.objects.get((self._query.namespace, name))
        return now is not None and now["metadata"]["uid"] == pod["metadata"]["uid"]

    async def _open(self, name: str, last: str) -> AsyncIterator[tuple[str, str]]:
        """Yield times and lines; with ``last`` only what came after that time."""
        query = {
            "container": CONTAINER,
            "timestamps": "true",
            "follow": "true" if self._query.follow else "",
            "previous": "true" if self._query.previous else "",
        }
        if last:
            query["sinceTime"] = last
        else:
            query |= _beginning(self._query)
        path = PODS.path(self._query.namespace, name, "log")
        async with aclosing(_lines(self._client.stream(path, query))) as lines:
            async for raw in lines:
                time, line = _split(raw)
                if not last or not time or time > last:
                    yield time, line


def _beginning(query: LogQuery) -> dict[str, str]:
    found = {"tailLines": str(query.tail_lines) if query.tail_lines is not None else ""}
    if query.since_seconds is not None:
        found["sinceSeconds"] = str(max(1, round(query.since_seconds)))
    return found


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a stream without their ends; very long ones in parts."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
        while len(rest) > LONGEST_LINE:
            yield rest[:LONGEST_LINE]
            rest = rest[LONGEST_LINE:]
    if rest:
        yield rest


def _split(raw: bytes) -> tuple[str, str]:
    timed = _TIMED.fullmatch(raw)
    time, line = (timed[1].decode(), timed[2]) if timed else ("", raw)
    return time, line.decode(errors="replace")


def _is_of(pod: Manifest | None, query: LogQuery) -> bool:
    if pod is None or labels(pod).get(PERFORMER_LABEL) != query.name:
        return False
    meta = pod["metadata"]
    if meta.get("namespace", "") != query.namespace:
        return False
    fits = query.instance in ("", meta["name"])
    return fits and query.revision in ("", labels(pod).get(REVISION_LABEL, ""))


def _nothing(query: LogQuery) -> HourglassError:
    which = f" {query.instance!r}" if query.instance else ""
    of = f" of revision {query.revision!r}" if query.revision else ""
    return HourglassError(
        Code.NOT_FOUND,
        f"performer {query.name!r} has no instance{which}{of}",
        reason="INSTANCE_NOT_FOUND",
        hint="ExplainPerformer names the instances, and why there are none",
    )


def _told(error: HourglassError, name: str) -> HourglassError:
    if not isinstance(error, KubeError) or error.code is not Code.INVALID_ARGUMENT:
        return error
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"instance {name} has no output to show: {error.explanation}",
        reason="NO_OUTPUT",
        hint="ExplainPerformer says what it waits for",
    )
