"""Results signed by a web3signer that is slow, dead, broken, or somebody else's."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.api.tasks import AvsPolicy, TaskService
from hourglass_executor.settings_keys import EcdsaKey, Operator
from hourglass_executor.signing.ecdsa import EcdsaSigner, recover
from hourglass_executor.signing.keys import open_signer
from hourglass_executor.signing.port import Signer
from hourglass_executor.storage.memory import MemoryStore
from hourglass_executor.storage.port import Store
from hourglass_executor.storage.sqlite.store import SqliteStore
from hourglass_executor.tasks.lifecycle import TaskState
from structlog.testing import capture_logs

from tests.support.certificates import Authority
from tests.support.executor_values import AGGREGATOR_KEY, KEY, OPERATOR, submission
from tests.support.performers import Performer, running
from tests.support.task_service import CLOCK, task_service
from tests.support.web3signer import PlayedWeb3Signer, listening, public_key, web3signer


@asynccontextmanager
async def signer_of(url: str, **changes: Any) -> AsyncIterator[Signer]:
    remote = {
        "url": url,
        "publicKey": "0x" + public_key(),
        "fromAddress": OPERATOR.upper().replace("0X", "0x"),
        "requestTimeout": "200ms",
        "signTimeout": "500ms",
        **changes,
    }
    key = EcdsaKey.model_validate({"remoteSigner": True, "remoteSignerConfig": remote})
    operator = Operator(address=OPERATOR, operator_private_key=key)
    async with open_signer(operator, {}, CLOCK, Random(1)) as signer:
        yield signer


async def refusal(signer: Signer, message: bytes = b"message") -> HourglassError:
    with pytest.raises(HourglassError) as refused:
        await signer.sign(message)
    return refused.value


# -- the signer


async def test_it_signs_what_a_key_in_memory_signs() -> None:
    async with web3signer() as played, signer_of(played.url) as signer:
        assert signer.address == OPERATOR
        for message in (b"message", bytes(32), bytes(160)):
            assert await signer.sign(message) == EcdsaSigner(KEY).sign_message(message)
        assert played.asked == [b"message", bytes(32), bytes(160)]


async def test_an_answer_that_comes_in_pieces_is_read_whole() -> None:
    async with web3signer(pieces=True) as played, signer_of(played.url) as signer:
        assert await signer.sign(b"message") == EcdsaSigner(KEY).sign_message(b"message")


async def test_what_fails_on_the_way_is_asked_again() -> None:
    async with web3signer(statuses=[500, 503, 429]) as played:
        async with signer_of(played.url, signTimeout="10s") as signer:
            assert recover(await signer.sign(b"x"), b"x") == OPERATOR
        assert len(played.asked) == 4


async def test_a_slow_signer_is_waited_for_so_long_and_no_longer() -> None:
    async with web3signer(hangs=True) as played, signer_of(played.url) as signer:
        began = CLOCK.monotonic()
        error = await refusal(signer)
        assert CLOCK.monotonic() - began < 1.5
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "SIGNER_UNAVAILABLE")
    assert "within 0.5 s" in error.message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"statuses": [404]}, "status 404: it does not have this key"),
        ({"statuses": [401]}, "status 401"),
        ({"statuses": [302]}, "status 302"),
        ({"text": "0x1234"}, "what is no signature"),
        ({"text": "hello"}, "what is no signature"),
        ({"text": "x" * 100_000}, "what is no signature"),
        ({"text": "0x" + "00" * 64 + "1b"}, "is not by " + OPERATOR),
        (
            {"text": "0x" + EcdsaSigner(AGGREGATOR_KEY).sign_message(b"message").hex()},
            "is not by " + OPERATOR,
        ),
    ],
)
async def test_an_answer_that_will_not_get_better_is_told_at_once(
    given: dict[str, Any], said: str
) -> None:
    async with web3signer(**given) as played, signer_of(played.url) as signer:
        error = await refusal(signer)
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "SIGNER_REFUSED")
    assert said in error.message
    assert len(played.asked) == 1


@pytest.mark.parametrize("v", [0, 27])
async def test_v_is_27_or_28_however_it_is_written(v: int) -> None:
    plain = next(
        (message, signature)
        for message in (bytes((n,)) for n in range(20))
        if (signature := EcdsaSigner(KEY).sign_message(message))[64] == 27
    )
    text = f'"0x{plain[1][:64].hex()}{v:02x}"'
    async with web3signer(text=text) as played, signer_of(played.url) as signer:
        assert await signer.sign(plain[0]) == plain[1]


@pytest.mark.parametrize(
    ("key", "reachable", "said"),
    [
        (KEY, True, []),
        (AGGREGATOR_KEY, True, ["it does not have this key"]),
        (KEY, False, ["Cannot connect to host"]),
    ],
)
async def test_a_signer_that_is_of_no_use_yet_is_told_at_the_start(
    key: str, reachable: bool, said: list[str]
) -> None:
    with capture_logs() as logs:
        async with web3signer(key=key) as played:
            url = played.url if reachable else "http://127.0.0.1:1"
            async with signer_of(url):
                pass
    warned = [one["error"] for one in logs if one["event"].endswith("of no use yet")]
    assert len(warned) == len(said)
    assert all(text in warning for text, warning in zip(said, warned, strict=True))


async def test_a_public_key_of_another_address_stops_the_start() -> None:
    with pytest.raises(HourglassError, match="publicKey has 0x") as refused:
        async with signer_of("http://127.0.0.1:1", fromAddress="0x" + "1" * 40):
            pass
    assert refused.value.code is Code.FAILED_PRECONDITION


async def test_it_is_asked_by_tls_with_a_certificate_of_ours(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.server().write(tmp_path, "server")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem.decode())
    tls.load_cert_chain(certificate, key)
    tls.verify_mode = ssl.CERT_REQUIRED
    ours = authority.client("executor")
    as_text = {
        "caCert": authority.pem.decode(),
        "cert": ours.certificate.decode(),
        "key": ours.key.decode(),
    }
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    paths = ours.write(tmp_path, "client")
    as_files = {"caCert": f"{tmp_path}/ca.pem", "cert": str(paths[0]), "key": str(paths[1])}
    async with web3signer(tls) as played:
        for given in (as_text, as_files):
            async with signer_of(played.url, signTimeout="5s", **given) as signer:
                assert recover(await signer.sign(b"x"), b"x") == OPERATOR
        without = {"caCert": authority.pem.decode()}
        async with signer_of(played.url, **without) as signer:
            assert (await refusal(signer)).code is Code.UNAVAILABLE
        async with signer_of(played.url) as signer:  # nobody this machine trusts
            assert (await refusal(signer)).code is Code.UNAVAILABLE
    with pytest.raises(HourglassError, match="caCert, cert or key") as refused:
        async with signer_of("https://127.0.0.1:1", cert="absent.pem", key="absent.key"):
            pass
    assert refused.value.code is Code.FAILED_PRECONDITION


# -- tasks


async def unsigned(tasks: TaskService) -> HourglassError:
    with pytest.raises(HourglassError) as refused:
        await tasks.submit(submission())
    assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "RESULT_NOT_SIGNED")
    assert "under the same id" in refused.value.hint
    assert refused.value.retry_after
    return refused.value


async def test_a_task_whose_signer_is_away_is_signed_when_it_is_back_and_not_run_again() -> None:
    store, performer, played = MemoryStore(), Performer(), PlayedWeb3Signer()
    async with listening(played) as port:
        pass  # the port is free again: nobody listens there
    async with (
        running(performer),
        signer_of(f"http://127.0.0.1:{port}") as signer,
        task_service(store, [performer.endpoint()], signer=signer) as (tasks, _),
    ):
        await unsigned(tasks)
        kept = await store.task(submission().task_id)
        assert kept is not None
        assert kept.result is not None
        assert (kept.state, kept.result.output) == (TaskState.COMPLETED, b"0x4")
        await unsigned(tasks)
        async with listening(played, port=port):
            results = await asyncio.gather(*(tasks.submit(submission()) for _ in range(5)))
        assert set(map(repr, results)) == {repr(results[0])}
        assert results[0].result_signature
        assert len(played.asked) == 2  # the five waited for one pair of signatures
        assert await tasks.submit(submission()) == results[0]  # and the signer is away again
    assert performer.ledger == [submission().task_id]


@pytest.mark.parametrize("durable", [False, True], ids=["memory", "sqlite"])
async def test_a_result_survives_a_restart_without_its_signatures(
    tmp_path: Path, durable: bool
) -> None:
    async def opened() -> Store:
        return await SqliteStore.open(tmp_path) if durable else store

    store = MemoryStore()
    performer, played = Performer(), PlayedWeb3Signer(hangs=True)
    async with running(performer), listening(played), signer_of(played.url) as signer:
        first = await opened()
        try:
            async with task_service(first, [performer.endpoint()], signer=signer) as (tasks, _):
                await unsigned(tasks)
        finally:
            await first.close()
        second = await opened()
        played.hangs = False
        try:
            async with task_service(second, [], signer=signer) as (tasks, _):
                await tasks.recover()
                result = await tasks.submit(submission())
                assert result.output == b"0x4"
                assert recover(result.result_signature, _signed_bytes(result.output)) == OPERATOR
        finally:
            await second.close()
    assert performer.ledger == [submission().task_id]


def _signed_bytes(output: bytes) -> bytes:
    from hourglass_executor.tasks.messages import result_message

    return result_message(submission().task_id, output)


async def test_an_executor_that_stops_while_it_waits_for_a_signature_keeps_the_result() -> None:
    store, performer, played = MemoryStore(), Performer(), PlayedWeb3Signer(hangs=True)
    async with (
        running(performer),
        listening(played),
        signer_of(played.url, requestTimeout="60s", signTimeout="60s") as signer,
    ):
        async with task_service(store, [performer.endpoint()], signer=signer) as (tasks, _):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await tasks.submit(submission())
        kept = await store.task(submission().task_id)
        assert kept is not None
        assert kept.state is TaskState.COMPLETED


async def test_a_caller_that_leaves_during_the_signature_loses_no_result() -> None:
    store, performer, played = MemoryStore(), Performer(), PlayedWeb3Signer(hangs=True)
    leaves = AvsPolicy(cancel_on_disconnect=True)
    async with (
        running(performer),
        listening(played),
        signer_of(played.url, requestTimeout="60s", signTimeout="60s") as signer,
        task_service(store, [performer.endpoint()], signer=signer, policy=leaves) as (tasks, _),
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await tasks.submit(submission())
        played.hangs = False
        async with asyncio.timeout(5):
            while tasks.in_flight:
                await asyncio.sleep(0)
            assert (await tasks.submit(submission())).output == b"0x4"
    assert performer.ledger == [submission().task_id]


async def test_neither_what_is_signed_nor_a_signature_is_logged() -> None:
    with capture_logs() as logs:
        async with (
            web3signer(statuses=[500]) as played,
            signer_of(played.url, signTimeout="5s") as signer,
        ):
            signature = await signer.sign(b"canary")
    assert any(entry["event"] == "remote signer did not sign" for entry in logs)
    text = str(logs)
    assert b"canary".hex() not in text
    assert signature.hex() not in text
