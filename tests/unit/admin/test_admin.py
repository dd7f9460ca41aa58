"""Probes and metrics."""

import aiohttp
import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.admin import Check, Fine, make_app, serve_admin


async def get(address: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as got:
        return got.status, await got.text()


async def test_readiness_follows_its_checks_and_liveness_does_not() -> None:
    reasons: dict[str, str | None] = {"cache": "performers are not listed yet"}
    app = make_app({"cache": lambda: reasons["cache"], "store": lambda: None})
    async with serve_admin(app, "127.0.0.1:0", flag="--metrics-address") as address:
        status, text = await get(address, "/readyz")
        assert status == 503
        assert "[-]cache failed: performers are not listed yet" in text
        assert (await get(address, "/livez"))[0] == 200
        assert (await get(address, "/healthz"))[0] == 200
        reasons["cache"] = None
        assert await get(address, "/readyz") == (200, "ok\n")
        status, text = await get(address, "/readyz?verbose")
        assert status == 200
        assert "[+]cache ok" in text
        assert "[+]store ok" in text


async def test_a_check_may_say_more_while_all_is_well() -> None:
    app = make_app({"cache": lambda: Fine("news 3 s ago")})
    async with serve_admin(app, "127.0.0.1:0", flag="--metrics-address") as address:
        assert await get(address, "/readyz") == (200, "ok\n")
        assert "[+]cache ok: news 3 s ago\n" in (await get(address, "/readyz?verbose"))[1]


async def test_liveness_has_checks_of_its_own() -> None:
    live: dict[str, Check] = {}
    app = make_app({}, live)
    async with serve_admin(app, "127.0.0.1:0", flag="--metrics-address") as address:
        assert (await get(address, "/healthz"))[0] == 200
        live["loop"] = lambda: "held up"
        for path in ("/healthz", "/livez"):
            assert await get(address, path) == (503, "[-]loop failed: held up\nfailed\n")
        assert (await get(address, "/readyz"))[0] == 200


async def test_metrics_are_served_in_the_text_format() -> None:
    async with serve_admin(make_app({}), "127.0.0.1:0", flag="--metrics-address") as address:
        status, text = await get(address, "/metrics")
    assert status == 200
    assert "# TYPE" in text


async def test_a_taken_port_is_an_error_that_names_the_flag() -> None:
    async with serve_admin(make_app({}), "127.0.0.1:0", flag="--metrics-address") as address:
        with pytest.raises(HourglassError) as caught:
            async with serve_admin(make_app({}), address, flag="--metrics-address"):
                pass
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert address in caught.value.message
    assert "--metrics-address" in caught.value.hint


async def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(HourglassError) as caught:
        async with serve_admin(make_app({}), "8080", flag="--metrics-address"):
            pass
    assert caught.value.code is Code.INVALID_ARGUMENT


async def test_zero_serves_nothing() -> None:
    async with serve_admin(make_app({}), "0", flag="--metrics-address") as address:
        assert address == ""
