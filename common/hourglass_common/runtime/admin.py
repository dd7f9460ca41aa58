"""Probes and metrics over HTTP on one port: /livez /healthz /readyz /metrics."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import REGISTRY, generate_latest

from hourglass_common.domain.errors import Code, HourglassError

Check = Callable[[], str | None]
"""Returns None while all is well, or ``Fine``; else what is wrong, in words."""


class Fine(str):
    """What a check says while all is well: shown with ``?verbose``."""

    __slots__ = ()


def make_app(
    ready: Mapping[str, Check], live: Mapping[str, Check] | None = None
) -> web.Application:
    """Return the application; ``?verbose`` lists every check. Later checks count as well."""
    app = web.Application()
    alive = {} if live is None else live
    app.router.add_get("/metrics", _metrics)
    for path, checks in (("/livez", alive), ("/healthz", alive), ("/readyz", ready)):
        app.router.add_get(path, _probe(checks))
    return app


def _probe(checks: Mapping[str, Check]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        found = {name: check() for name, check in checks.items()}
        bad = not all(map(_is_fine, found.values()))
        if not bad and "verbose" not in request.query:
            return web.Response(text="ok\n")
        lines = [
            f"[+]{name} ok{f': {said}' if said else ''}"
            if _is_fine(said)
            else f"[-]{name} failed: {said}"
            for name, said in found.items()
        ]
        return web.Response(
            text="\n".join([*lines, "failed" if bad else "ok", ""]), status=503 if bad else 200
        )

    return answer


def _is_fine(said: str | None) -> bool:
    return said is None or isinstance(said, Fine)


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(
        body=generate_latest(REGISTRY), headers={"Content-Type": "text/plain; version=0.0.4"}
    )


@asynccontextmanager
async def serve_admin(app: web.Application, address: str, *, flag: str) -> AsyncIterator[str]:
    """Serve ``app`` on ``host:port`` or ``:port`` while the block runs; gives the address.

    Port "0" disables it, as in controller-runtime: then the address is "".
    FAILED_PRECONDITION, naming ``flag``, where the port is taken.
    """
    if address in ("0", ""):
        yield ""
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise HourglassError(
            Code.INVALID_ARGUMENT,
            f"{flag}: {address!r} is not an address",
            hint="write host:port, such as 127.0.0.1:8080, or 0 for none",
        )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            site = web.TCPSite(runner, host.strip("[]") or None, int(port))
            await site.start()
        except OSError as exc:
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"can not listen on {address}: {exc}",
                reason="PORT_TAKEN",
                hint=f"stop the program that listens there, or choose another port with {flag}",
            ) from exc
        bound = runner.addresses[0][1]
        yield f"{host or '127.0.0.1'}:{bound}"
    finally:
        await runner.cleanup()
