"""The commands and manifests of docs/how-to/secure-the-control-api.md, on a real API server."""

import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from hourglass_common.domain.access import Attributes, Caller
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.runtime.settings import load_settings
from hourglass_operator.settings import ENV_PREFIX, OperatorSettings
from hourglass_services.rpc.certificate import certificate_caller
from hourglass_services.rpc.guard import forbidden

from tests.support.accounts import Accounts
from tests.support.certificates import Authority
from tests.support.commands import Commands, find
from tests.support.control_plane import (
    ControlPlane,
    Options,
    own_control_plane,
    why_not_startable,
)
from tests.support.operator_process import operator_process

DOCUMENT = Path(__file__).parents[3] / "docs/how-to/secure-the-control-api.md"


def blocks(language: str, holds: str) -> str:
    """Return the one block of the document in ``language`` that holds a text."""
    found = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (block,) = [text for text in found if holds in text]
    return str(block)


@pytest.fixture(scope="module")
def own_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of its own: what kubectl asks for here, the dev cluster need not know."""
    reason = why_not_startable()
    if reason:
        pytest.skip(f"no real control plane: {reason}")
    with own_control_plane(Path(tmp_path_factory.mktemp("how-to")), Options()) as running:
        yield running.plane


@pytest.fixture
async def accounts(own_api: ControlPlane) -> AsyncIterator[Accounts]:
    connection = await connect(own_api.kubeconfig)
    async with KubeClient(connection, user_agent="test") as kube:
        made = Accounts(kube, own_api.kubeconfig.parent / "sa.key")
        yield made
        await made.close()


def test_the_settings_are_taken(tmp_path: Path) -> None:
    config = tmp_path / "operator.yaml"
    config.write_text(blocks("yaml", "certificate_file"))
    settings = load_settings(
        OperatorSettings, config_path=config, environ={}, env_prefix=ENV_PREFIX
    )
    assert settings.control.authenticates
    assert settings.control.tls_files is not None


@pytest.mark.real_api
async def test_the_release_manager_may_do_what_the_role_says(
    own_api: ControlPlane, accounts: Accounts, namespace: str, tmp_path: Path
) -> None:
    if find("kubectl") is None or find("grpcurl") is None:
        pytest.skip("kubectl and grpcurl are neither in KUBEBUILDER_ASSETS nor in PATH")
    await accounts.namespace(namespace)
    authority = Authority()
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    certificate, key = authority.server().write(tmp_path, "tls")
    commands = Commands(own_api.kubeconfig, namespace, tmp_path)
    settings = {
        "control__tls__certificate_file": str(certificate),
        "control__tls__key_file": str(key),
    }
    async with operator_process(own_api.kubeconfig, namespace, **settings) as operator:
        (ready,) = operator.said("operator ready")

        async def run(script: str) -> str:
            here = script.replace("team-a", namespace).replace(
                "control.example:50051", ready["control"]
            )
            path = os.environ.get("KUBEBUILDER_ASSETS", "")
            start = f"set -e; cd {tmp_path}; export PATH={path}:$PATH\n"
            return await commands.run("bash", "-c", start + here)

        role = blocks("yaml", "kind: Role\n").replace("team-a", namespace)
        (tmp_path / "release-manager.yaml").write_text(role)
        assert "created" in await run("kubectl apply -f release-manager.yaml")
        assert await run(blocks("sh", "can-i")) == "yes\n"
        calls = blocks("sh", "grpcurl").rstrip()
        assert json.loads(await run(calls)) == {}
        promote = calls.replace("ListPerformers", "PromotePerformer").replace(
            '"}', '", "name": "demo"}'
        )
        assert "NotFound" in await run(f"{promote} 2>&1 || true")
        scale = promote.replace("PromotePerformer", "ScalePerformer")
        said = await run(f"{scale} 2>&1 || true")
    assert "PermissionDenied" in said
    assert "may not update performers/scale" in said
    denied = [line for line in operator.log if line.get("logger") == "audit"]
    assert [line["event"] for line in denied] == ["allowed", "denied"]


@pytest.mark.real_api
async def test_the_command_of_a_denial_gives_the_answer_of_the_api(
    own_api: ControlPlane, accounts: Accounts, namespace: str, tmp_path: Path
) -> None:
    await accounts.namespace(namespace)
    await accounts.account(namespace, "right", ["update performers/promote"])
    caller = Caller(name=f"system:serviceaccount:{namespace}:right")
    commands = Commands(own_api.kubeconfig, namespace, tmp_path)

    async def asked(**wish: Any) -> str:
        hint = forbidden(caller, Attributes(**wish)).hint
        command = hint.partition("`")[2].rstrip("`").split()
        script = " ".join(command) + " || true"
        path = os.environ.get("KUBEBUILDER_ASSETS", "")
        return await commands.run("bash", "-c", f"export PATH={path}:$PATH; {script}")

    promote = {"verb": "update", "namespace": namespace, "name": "demo"}
    assert (await asked(**promote, subresource="promote")).strip() == "yes"
    assert (await asked(**promote, subresource="abort")).startswith("no")
    assert (await asked(verb="list")).startswith("no")


async def test_the_certificate_names_ann_and_her_group(tmp_path: Path) -> None:
    if find("openssl") is None:
        pytest.skip("openssl is not in PATH")
    authority = Authority("clients")
    (tmp_path / "client-ca.crt").write_bytes(authority.pem)
    (tmp_path / "client-ca.key").write_bytes(authority.key_pem)
    commands = Commands(tmp_path / "none", "none", tmp_path)
    await commands.run("bash", "-ec", f"cd {tmp_path}; {blocks('sh', 'openssl')}")
    made = x509.load_pem_x509_certificate((tmp_path / "ann.crt").read_bytes())
    caller = certificate_caller(made.subject.rfc4514_string().encode())
    assert caller.name == "ann"
    assert caller.groups[0] == "release-managers"


def test_manifests_of_the_document_are_yaml() -> None:
    for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        assert list(yaml.safe_load_all(text))
