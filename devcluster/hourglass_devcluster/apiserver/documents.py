"""The paths that describe the server itself: health, version, discovery, OpenAPI."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.logs import get_logger

from hourglass_devcluster.model import discovery, openapi
from hourglass_devcluster.model.kinds import Kind
from hourglass_devcluster.model.schema import Schemas
from hourglass_devcluster.model.status import ApiError, no_such_path

from .answers import answer, failure
from .users import USER, Users

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = get_logger(__name__)

_HEALTH = ("/healthz", "/readyz", "/livez")


class Documents:
    def __init__(self, kinds: tuple[Kind, ...], schemas: Schemas, users: Users) -> None:
        self._kinds = kinds
        self._schemas = schemas
        self._users = users

    def add_routes(self, app: web.Application) -> None:
        router = app.router
        for path in _HEALTH:
            router.add_get(path, self._health)
        router.add_get("/version", self._version)
        router.add_get("/api", self._core)
        router.add_get("/apis", self._groups)
        router.add_get("/api/{version}", self._resources)
        router.add_get("/apis/{group}", self._group)
        router.add_get("/apis/{group}/{version}", self._resources)
        router.add_get("/openapi/v3", self._openapi_index)
        router.add_get("/openapi/v3/{path:.*}", self._openapi)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask who it is, and turn every failure into a Status."""
        try:
            if request.path not in (*_HEALTH, "/version"):
                request[USER] = self._users.by_header(request.headers.get("Authorization", ""))
            return await handler(request)
        except ApiError as exc:
            return failure(exc)
        except HourglassError as exc:
            log.error("request failed", path=request.path, error=str(exc))
            return failure(ApiError(500, "InternalError", f"Internal error occurred: {exc}"))
        except web.HTTPRequestEntityTooLarge as exc:
            text = f"Request entity too large: limit is {exc.text or ''}"
            return failure(ApiError(413, "RequestEntityTooLarge", text))
        except web.HTTPException as exc:
            return failure(ApiError(exc.status, "InternalError", exc.reason))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as exc:
            log.exception("request failed", method=request.method, path=request.path)
            text = f"Internal error occurred: {type(exc).__name__}: {exc}"
            return failure(ApiError(500, "InternalError", text))

    async def _health(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    async def _version(self, _: web.Request) -> web.StreamResponse:
        return answer(discovery.version())

    async def _core(self, request: web.Request) -> web.StreamResponse:
        return self._discovery(request, core=True) or answer(discovery.core_versions())

    async def _groups(self, request: web.Request) -> web.StreamResponse:
        return self._discovery(request, core=False) or answer(discovery.group_list(self._kinds))

    def _discovery(self, request: web.Request, *, core: bool) -> web.StreamResponse | None:
        """Return the aggregated form if the client takes it."""
        accepted = request.headers.get("Accept", "")
        for form in ("v2", "v2beta1"):
            if f"v={form};as=APIGroupDiscoveryList" in accepted:
                response = answer(discovery.aggregated(self._kinds, core=core, form=form))
                response.headers["Content-Type"] = (
                    f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
                )
                return response
        return None

    async def _group(self, request: web.Request) -> web.StreamResponse:
        found = discovery.group(self._kinds, request.match_info["group"])
        if found is None:
            raise no_such_path()
        return answer(found)

    async def _resources(self, request: web.Request) -> web.StreamResponse:
        group = request.match_info.get("group", "")
        version = request.match_info["version"]
        found = discovery.resource_list(self._kinds, f"{group}/{version}" if group else version)
        if found is None:
            raise no_such_path()
        return answer(found)

    async def _openapi_index(self, _: web.Request) -> web.StreamResponse:
        return answer(openapi.index(self._kinds))

    async def _openapi(self, request: web.Request) -> web.StreamResponse:
        _, _, version = request.match_info["path"].partition("/")
        found = openapi.document(self._schemas, self._kinds, version)
        if found is None:
            raise no_such_path()
        return answer(found)
