"""The verbs over HTTP: from a request to the registry and back."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web
from hourglass_common.domain.clock import Clock

from hourglass_devcluster.model.deletion import Options, options_of
from hourglass_devcluster.model.kinds import (
    PODS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    Kind,
)
from hourglass_devcluster.model.registry import Registry, refuse
from hourglass_devcluster.model.selectors import Predicate, field_predicate, label_predicate
from hourglass_devcluster.model.status import (
    ApiError,
    bad_request,
    expired,
    invalid,
    method_not_allowed,
    required,
)
from hourglass_devcluster.model.store import HistoryCompacted

from .answers import answer, listed, shown, success
from .pod_logs import LogSource, serve_log
from .request import (
    Paths,
    Target,
    body_of,
    flag,
    form_of,
    number,
    patch_type,
    write_of,
)
from .users import USER, Users, check_access
from .watching import Bell, Watch, stream

Manifest = Mapping[str, Any]
_LONGEST_WATCH_SECONDS = 3600.0
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Objects:
    """Answers every path below ``/api`` and ``/apis`` that names a kind."""

    def __init__(
        self,
        kinds: tuple[Kind, ...],
        registry: Registry,
        users: Users,
        logs: LogSource,
        bell: Bell,
        clock: Clock,
    ) -> None:
        self._paths = Paths(kinds)
        self._registry = registry
        self._users = users
        self._logs = logs
        self._bell = bell
        self._clock = clock

    async def handle(self, request: web.Request) -> web.StreamResponse:
        target = self._paths.target(request.path)
        verb = _verb(request, target)
        user = request[USER]
        kind = target.kind
        check_access(user, verb, kind.group, kind.plural, target.namespace, target.name)
        if not target.subresource:
            refuse(kind, verb)
        match verb:
            case "get":
                return await self._get(request, target)
            case "list":
                return self._list(request, target)
            case "watch":
                return await self._watch(request, target)
            case "create":
                return await self._create(request, target)
            case "update":
                return await self._replace(request, target)
            case "patch":
                return await self._patch(request, target)
            case "delete":
                return await self._delete(request, target)
            case _:
                return await self._delete_collection(request, target)

    async def _get(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind, namespace, name = target.kind, target.namespace, target.name
        if target.subresource == "log":
            return await serve_log(request, self._registry, self._logs, namespace, name)
        found = self._registry.get(kind, namespace, name, target.subresource)
        if target.subresource == "scale":
            return answer(found)
        return self._answer(request, kind, found)

    def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        form, version = form_of(request)
        store = self._registry.store
        wanted = number(request, "resourceVersion")
        if wanted is not None and wanted > store.version:
            text = f"Too large resource version: {wanted}, current: {store.version}"
            raise ApiError(504, "Timeout", text, {"retryAfterSeconds": 1})
        matches = _predicate(request, target)
        token = _decoded(request.query.get("continue", ""), store.version)
        try:
            found = store.objects_at(target.kind.stored_as, token.version, target.namespace)
        except HistoryCompacted as exc:
            raise expired(exc.version, exc.oldest) from exc
        if matches is not None:
            found = [each for each in found if matches(each)]
        meta: dict[str, Any] = {"resourceVersion": str(token.version)}
        found = _page(request, found, token, meta)
        body = listed(
            target.kind,
            found,
            form,
            version,
            now=self._clock.wall(),
            meta=meta,
            include=request.query.get("includeObject", "Metadata"),
        )
        return answer(body)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        form, version = form_of(request)
        text = request.query.get("resourceVersion", "")
        initial = flag(request, "sendInitialEvents")
        since = None if text in ("", "0") or initial else number(request, "resourceVersion")
        timeout = number(request, "timeoutSeconds")
        watch = Watch(
            kind=target.kind,
            namespace=target.namespace,
            matches=_predicate(request, target),
            since=since,
            bookmarks=flag(request, "allowWatchBookmarks"),
            mark_initial=initial,
            timeout_seconds=float(timeout) if timeout else _LONGEST_WATCH_SECONDS,
            form=form,
            form_version=version,
            include=request.query.get("includeObject", "Metadata"),
        )
        return await stream(request, watch, self._registry.store, self._bell, self._clock)

    async def _create(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind = target.kind
        write = write_of(request, self._clock.wall())
        body = await body_of(request)
        if target.subresource == "eviction":
            return self._evict(body, target, request)
        if target.subresource or target.name:
            raise method_not_allowed("create", kind.group, kind.plural)
        if kind in (TOKEN_REVIEWS, SUBJECT_ACCESS_REVIEWS):
            if not isinstance(body, Mapping):
                raise bad_request(f"the body of the request is not a {kind.kind} object")
            review = (
                self._users.review_token if kind is TOKEN_REVIEWS else self._users.review_access
            )
            return answer(review(body), 201)
        made = self._registry.create(kind, target.namespace, body, write)
        return self._answer(request, kind, made, 201, write.warnings)

    async def _replace(self, request: web.Request, target: Target) -> web.StreamResponse:
        write = write_of(request, self._clock.wall())
        body = await body_of(request)
        kind = target.kind
        made, is_new = self._registry.replace(
            kind, target.namespace, target.name, body, write, target.subresource
        )
        if target.subresource == "scale":
            return answer(self._registry.get(kind, target.namespace, target.name, "scale"))
        return self._answer(request, kind, made, 201 if is_new else 200, write.warnings)

    async def _patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        how = patch_type(request, target.kind)
        write = write_of(request, self._clock.wall())
        if how == "apply" and not request.query.get("fieldManager"):
            missing = required("fieldManager", "is required for apply patch")
            raise invalid("meta.k8s.io", "PatchOptions", "", [missing])
        patch = await body_of(request)
        made, is_new = self._registry.patch(
            target.kind, target.namespace, target.name, how, patch, write, target.subresource
        )
        if target.subresource == "scale":
            return answer(made)
        return self._answer(request, target.kind, made, 201 if is_new else 200, write.warnings)

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind = target.kind
        options = options_of(await body_of(request), request.query)
        write = write_of(request, self._clock.wall())
        found, is_gone = self._registry.delete(kind, target.namespace, target.name, options, write)
        if is_gone and not kind.returns_deleted:
            return answer(success(kind, found))
        return self._answer(request, kind, found)

    async def _delete_collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = options_of(await body_of(request), request.query)
        write = write_of(request, self._clock.wall())
        matches = _predicate(request, target)
        deleted: list[Manifest] = []
        for each in self._registry.list(target.kind, target.namespace):
            if matches is None or matches(each):
                meta = each["metadata"]
                name, namespace = meta["name"], meta.get("namespace") or ""
                found, _ = self._registry.delete(target.kind, namespace, name, options, write)
                deleted.append(found)
        form, version = form_of(request)
        meta = {"resourceVersion": str(self._registry.store.version)}
        now = self._clock.wall()
        return answer(listed(target.kind, deleted, form, version, now=now, meta=meta))

    def _evict(self, body: Any, target: Target, request: web.Request) -> web.StreamResponse:
        options = (body or {}).get("deleteOptions") if isinstance(body, Mapping) else None
        write = write_of(request, self._clock.wall())
        asked: Options = options_of(options, {})
        self._registry.delete(PODS, target.namespace, target.name, asked, write)
        return answer(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "code": 201,
            },
            201,
        )

    def _answer(
        self,
        request: web.Request,
        kind: Kind,
        manifest: Manifest,
        status: int = 200,
        warnings: list[str] | None = None,
    ) -> web.Response:
        form, version = form_of(request)
        include = request.query.get("includeObject", "Metadata")
        body = shown(kind, manifest, form, version, self._clock.wall(), include)
        return answer(body, status, warnings or ())


def _verb(request: web.Request, target: Target) -> str:
    is_one = bool(target.name)
    match request.method:
        case "GET" | "HEAD":
            if flag(request, "watch") and not target.subresource:
                return "watch"
            return "get" if is_one else "list"
        case "DELETE":
            return "delete" if is_one else "deletecollection"
        case method if method in _VERBS:
            if not is_one and method != "POST":
                break_ = target.kind
                raise method_not_allowed(_VERBS[method], break_.group, break_.plural)
            return _VERBS[method]
        case method:
            raise method_not_allowed(method, target.kind.group, target.kind.plural)


def _predicate(request: web.Request, target: Target) -> Predicate | None:
    labels = label_predicate(request.query.get("labelSelector", ""))
    fields = field_predicate(target.kind, request.query.get("fieldSelector", ""))
    name = target.name
    if labels is None and fields is None and not name:
        return None

    def matches(manifest: Manifest) -> bool:
        meta = manifest["metadata"]
        if name and meta["name"] != name:
            return False
        if labels is not None and not labels(meta.get("labels") or {}):
            return False
        return fields is None or fields(manifest)

    return matches


@dataclass(frozen=True, slots=True)
class _Continue:
    """Where a page begins: after ``last``, among the objects as they were at ``version``."""

    version: int
    last: tuple[str, str] = ("", "")


def _page(
    request: web.Request, found: list[Manifest], token: _Continue, meta: dict[str, Any]
) -> list[Manifest]:
    """Cut ``found`` down to the page asked for; ``meta`` gets the token of the next one."""
    found = [each for each in found if _key(each) > token.last]
    limit = number(request, "limit")
    if limit and len(found) > limit:
        rest = len(found) - limit
        found = found[:limit]
        content = orjson.dumps([token.version, *_key(found[-1])])
        meta["continue"] = base64.urlsafe_b64encode(content).decode()
        if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
            meta["remainingItemCount"] = rest
    return found


def _decoded(text: str, version: int) -> _Continue:
    """Return what a continue token says; with none, the first page at ``version``."""
    if not text:
        return _Continue(version)
    try:
        version, namespace, name = orjson.loads(base64.urlsafe_b64decode(text))
        return _Continue(int(version), (str(namespace), str(name)))
    except (ValueError, TypeError):
        raise bad_request("invalid continue token: continue key is not valid") from None


def _key(manifest: Manifest) -> tuple[str, str]:
    meta = manifest["metadata"]
    return meta.get("namespace") or "", meta["name"]
