"""The dev cluster's API server: a Kubernetes API over HTTP on the loopback interface."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiohttp import web
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock

from hourglass_devcluster.model.admission import Admission
from hourglass_devcluster.model.kinds import BUILT_IN, NAMESPACES, Kind, Manifest, custom_kind
from hourglass_devcluster.model.registry import Registry, Write
from hourglass_devcluster.model.schema import Schemas
from hourglass_devcluster.model.store import Change

from .documents import Documents
from .garbage import Garbage
from .objects import Objects
from .persistence import Database
from .pod_logs import FileLogs, LogSource
from .users import ADMINISTRATORS, StaticUser, Users
from .watching import Bell

_EVENTS_LOOKED_AT_SECONDS = 300.0
_NAMESPACES = ("default", "kube-system")
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LARGEST_BODY = 3 << 20  # as the API server of Kubernetes


@dataclass(frozen=True, slots=True)
class Served:
    """A running API server: where it is, and the administrator's token."""

    url: str
    token: str


class ApiServer:
    """The parts of one API server; ``app`` answers for them, ``run`` keeps house."""

    def __init__(
        self,
        database: Database,
        custom_resources: Sequence[Manifest],
        users: Sequence[StaticUser],
        logs: LogSource,
        clock: Clock,
    ) -> None:
        self.kinds: tuple[Kind, ...] = (
            *BUILT_IN,
            *(custom_kind(definition) for definition in custom_resources),
        )
        schemas = Schemas(_built_in_schemas(), self.kinds)
        self._database = database
        self._bell = Bell()
        self._work = asyncio.Event()
        self.store = database.load()
        self.registry = Registry(
            self.store,
            Admission(schemas),
            new_uid=lambda: str(uuid.uuid4()),
            suffix=lambda: "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5)),
            on_change=self._changed,
        )
        self._garbage = Garbage(self.registry, self.kinds, clock)
        self._garbage.note_everything()
        self._garbage.drop_stale_events()
        for name in _NAMESPACES:
            if self.store.get(NAMESPACES.stored_as, ("", name)) is None:
                body = {"metadata": {"name": name}}
                self.registry.create(NAMESPACES, "", body, Write(now=clock.wall()))
        who = Users(users)
        self._objects = Objects(self.kinds, self.registry, who, logs, self._bell, clock)
        self._documents = Documents(self.kinds, schemas, who)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._documents.guard])
        self._documents.add_routes(app)
        app.router.add_route("*", "/{path:.*}", self._objects.handle)

        async def closing(_: web.Application) -> None:
            self._bell.close()

        app.on_shutdown.append(closing)
        app.cleanup_ctx.append(self._housekeeping)
        return app

    async def run(self) -> None:
        """Collect garbage as it falls due, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_EVENTS_LOOKED_AT_SECONDS):
                    await self._work.wait()
            except TimeoutError:
                self._garbage.drop_stale_events()
            self._work.clear()
            while self._garbage.is_due:
                self._garbage.collect()
                await asyncio.sleep(0)

    async def _housekeeping(self, _: web.Application) -> AsyncIterator[None]:
        self._work.set()
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(self.run())
            yield
            keeper.cancel()
        self._database.close()

    def _changed(self, change: Change) -> None:
        self._database.keep(change)
        self._bell.ring(change.storage)
        self._garbage.note(change)
        if self._garbage.is_due:
            self._work.set()


def make_app(
    *,
    data_dir: Path | None = None,
    custom_resources: Sequence[Manifest] = (),
    users: Sequence[StaticUser] = (),
    logs: LogSource | None = None,
    clock: Clock | None = None,
) -> web.Application:
    """Return the application, with its state in ``data_dir`` (None: in memory only).

    ``custom_resources`` are whole CustomResourceDefinitions. Pod logs are files below
    ``data_dir/logs`` unless ``logs`` knows better. Make it inside the running loop.
    """
    database = Database(None if data_dir is None else _file(data_dir))
    source = logs or FileLogs((data_dir or Path("/nonexistent")) / "logs")
    server = ApiServer(database, custom_resources, users, source, clock or SystemClock())
    return server.app()


@asynccontextmanager
async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str = "",
    data_dir: Path | None = None,
    custom_resources: Sequence[Manifest] = (),
    users: Sequence[StaticUser] = (),
    logs: LogSource | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[Served]:
    """Serve on ``host``:``port`` (0: any free one) until the block ends.

    ``token`` is the administrator's, made up if empty. FAILED_PRECONDITION if the port is taken.
    """
    token = token or secrets.token_urlsafe(24)
    admin = StaticUser(name="admin", token=token, groups=(ADMINISTRATORS,))
    app = make_app(
        data_dir=data_dir,
        custom_resources=custom_resources,
        users=(admin, *users),
        logs=logs,
        clock=clock,
    )
    # A watch is a handler that waits: it must end when its client leaves.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as exc:
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"the Kubernetes API of the dev cluster can not listen on {host}:{port}: {exc}",
                reason="ADDRESS_IN_USE",
                hint="give another port, or 0 for any free one",
            ) from exc
        bound = runner.addresses[0][1]
        yield Served(f"http://{host}:{bound}", token)
    finally:
        await runner.cleanup()


def _file(data_dir: Path) -> Path:
    data_dir.mkdir(parents=True, exist_ok=True)
    return data_dir / "cluster.sqlite"


def _built_in_schemas() -> Manifest:
    schemas: Manifest = orjson.loads(
        Path(__file__).with_name("kubernetes_schemas.json").read_bytes()
    )
    return schemas
