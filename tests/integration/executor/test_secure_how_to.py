"""docs/how-to/secure-an-executor.md, as a reader would follow it."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from coincurve import PrivateKey
from eth_keyfile.keyfile import create_keyfile_json
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.settings import ExecutorSettings
from hourglass_executor.settings_keys import EcdsaKey
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.signing.keys import remote_key
from hourglass_executor.tasks.messages import submission_message
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import ChannelSecurity, open_channel

from tests.support.certificates import Authority
from tests.support.commands import Commands, find
from tests.support.executor_process import executor_process
from tests.support.executor_values import AGGREGATOR_KEY, KEY, OPERATOR, submission

DOCUMENT = Path(__file__).parents[3] / "docs/how-to/secure-an-executor.md"
TEXT = DOCUMENT.read_text()


def blocks(language: str, holds: str) -> str:
    """Return the one block of the document in ``language`` that holds a text."""
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    (block,) = [text for text in found if holds in text]
    return str(block)


def configured(folder: Path) -> dict[str, Any]:
    """Return the document's configuration, with files of ``folder`` and free ports."""
    found = yaml.safe_load(blocks("yaml", "grpcHost").replace("/etc/hourglass", str(folder)))
    assert found.pop("grpcPort") == 9090
    assert found.pop("managementServerGrpcPort") == 9091
    elsewhere = {"dataDir": str(folder / "data"), "metrics": {"address": "0"}, "grpcPort": 0}
    return {**found, **elsewhere, "processes": {"allow": True}}


def files_of_the_document(folder: Path, authority: Authority, clients: Authority) -> None:
    (folder / "tls").mkdir()
    authority.server().write(folder / "tls", "tls")
    (folder / "tls/client-ca.crt").write_bytes(clients.pem)
    keystore = create_keyfile_json(bytes.fromhex(KEY[2:]), b"secret words", iterations=1000)
    (folder / "operator.json").write_text(json.dumps(keystore))
    (folder / "operator.password").write_text("secret words\n")
    (folder / "operator.key").write_text(KEY)
    (folder / "ca.crt").write_bytes(authority.pem)
    (folder / "client-ca.crt").write_bytes(clients.pem)
    (folder / "client-ca.key").write_bytes(clients.key_pem)
    (folder / "sign-token.py").write_text(blocks("python", "sign-token.py"))


def test_the_remote_signer_of_the_document_is_taken() -> None:
    given = yaml.safe_load(blocks("yaml", "remoteSigner"))["operator"]["operatorPrivateKey"]
    key = EcdsaKey.model_validate(given)
    assert key.remote_signer_config is not None
    assert remote_key(key.remote_signer_config).address == OPERATOR
    public = PrivateKey(bytes.fromhex(KEY[2:])).public_key.format(compressed=False)[1:].hex()
    assert remote_key(key.remote_signer_config).public_key == public


def test_the_keys_that_the_text_names_are_keys(tmp_path: Path) -> None:
    more = {
        "channelzAddress": "127.0.0.1:9095",
        "verification": {"mode": "none", "certificateVerifier": {"address": "0x" + "1" * 40}},
    }
    assert "channelzAddress: 127.0.0.1:9095" in TEXT
    ExecutorSettings.model_validate({**configured(tmp_path), **more})


async def test_the_commands_of_the_document_do_what_it_says(tmp_path: Path) -> None:
    if find("openssl") is None or find("grpcurl") is None:
        pytest.skip("openssl and grpcurl are neither in KUBEBUILDER_ASSETS nor in PATH")
    authority, clients = Authority(), Authority("clients")
    files_of_the_document(tmp_path, authority, clients)
    commands = Commands(tmp_path / "none", "none", tmp_path)
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    python = Path(sys.executable).parent

    async def run(script: str) -> str:
        path = f"export PATH={python}:{assets}:$PATH\n"
        return await commands.run("bash", "-c", f"set -e; cd {tmp_path}; {path}{script}")

    await run(blocks("sh", "openssl"))
    async with executor_process(configured(tmp_path), tmp_path) as (process, address):
        port = address.rpartition(":")[2]
        calls = blocks("sh", "grpcurl").replace("executor.example:9091", f"127.0.0.1:{port}")
        assert json.loads(await run(calls)) == {}
        removal = calls.replace(
            'ListPerformers "{', 'RemovePerformer "{\\"performerId\\": \\"p\\", '
        )
        assert "NotFound" in await run(removal.rstrip() + " 2>&1 || true")
        replay = calls.rstrip() + "\n" + calls.rstrip().splitlines()[-1] + " 2>&1 || true"
        assert "challenge token not found" in await run(replay)
        await _a_task_of_the_aggregator_alone(f"127.0.0.1:{port}", tmp_path)
        process.terminate()
        await process.wait()
        audit = await run(blocks("sh", "audit"))
    lines = [json.loads(line) for line in audit.splitlines()]
    assert [(line["event"], line["method"].rpartition("/")[2]) for line in lines] == [
        ("allowed", "RemovePerformer"),
        ("denied", "ListPerformers"),
    ]
    assert (lines[0]["who"], lines[0]["proof"]) == (OPERATOR, "token")


async def _a_task_of_the_aggregator_alone(address: str, folder: Path) -> None:
    how = ChannelSecurity(
        ca_file=folder / "ca.crt",
        certificate_file=folder / "ann.crt",
        key_file=folder / "ann.key",
    )
    message = submission_message(submission(), OPERATOR)
    async with open_channel(address, how) as channel:
        for key, code in ((AGGREGATOR_KEY, Code.NOT_FOUND), (KEY, Code.PERMISSION_DENIED)):
            signed = submission(signature=EcdsaSigner(key).sign_message(message))
            with pytest.raises(HourglassError) as refused:  # there is no performer to run it
                await ExecutorClient(channel).submit(signed, timeout_seconds=10)
            assert refused.value.code is code
