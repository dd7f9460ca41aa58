from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_cli.launch import ENTRIES
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.settings import load_settings
from hourglass_executor.duration import reference_seconds, seconds
from hourglass_executor.settings import ExecutorSettings

from tests.support.executor_values import AVS, KEY, configuration

PERFORMER = {
    "image": {"repository": "r", "tag": "t"},
    "avsAddress": AVS,
    "deploymentMode": "kubernetes",
}
REFERENCE: dict[str, Any] = {
    "debug": False,
    "grpcPort": 9090,
    "managementServerGrpcPort": 9091,
    "performerNetworkName": "hourglass",
    "operator": {
        "address": "0x" + "aB" * 20,
        "operatorPrivateKey": {"privateKey": KEY},
        "signingKeys": {"ecdsa": {"privateKey": KEY}, "bls": {"keystore": "{}", "password": ""}},
    },
    "l1Chain": {"rpcUrl": "http://localhost:8545", "chainId": 31337},
    "contracts": None,
    "overrideContracts": {"taskMailbox": {"contract": "{}", "chainIds": [31337]}},
    "avsPerformers": [
        {
            **PERFORMER,
            "processType": "server",
            "avsRegistrarAddress": "0x" + "1" * 40,
            "envs": [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFromEnv": "HOME"},
                {
                    "name": "C",
                    "kubernetesEnv": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                },
            ],
            "kubernetes": {"serviceAccountName": "runner", "endpointOverride": "localhost:30080"},
        }
    ],
    "kubernetes": {
        "namespace": "default",
        "operatorNamespace": "hourglass-system",
        "crdGroup": "hourglass.eigenlayer.io",
        "crdVersion": "v1alpha1",
        "connectionTimeout": "30s",
        "inCluster": True,
    },
    "storage": {"type": "badger", "badger": {"dir": "/var/lib/executor", "inMemory": False}},
    "authentication": {"enabled": True},
}


def load(tmp_path: Path, values: dict[str, Any]) -> ExecutorSettings:
    path = tmp_path / "executor.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_settings(ExecutorSettings, config_path=path, env_prefix="X__", environ={})


def test_every_documented_key_of_the_reference_is_accepted(tmp_path: Path) -> None:
    found = load(tmp_path, {**REFERENCE, "verification": "none"})
    assert found.authentication.enabled
    assert found.store_directory == Path("/var/lib/executor")
    assert found.avs_performers[0].kubernetes.endpoint_override == "localhost:30080"
    assert found.kubernetes is not None
    assert found.kubernetes.connection_timeout == 30


def test_a_configuration_that_counts_on_the_chain_must_say_how_tasks_are_verified(
    tmp_path: Path,
) -> None:
    for written in ({}, {"verification": None}):
        with pytest.raises(HourglassError) as refused:
            load(tmp_path, {**REFERENCE, **written})
        assert "verification: chain look-ups are not built yet: give `verification: {mode" in str(
            refused.value
        )


def test_verification_can_be_written_in_short(tmp_path: Path) -> None:
    for written in ("none", {"mode": "none"}):
        found = load(tmp_path, {**REFERENCE, "verification": written})
        assert found.verification is not None
        assert found.verification.mode == "none"
    with pytest.raises(HourglassError, match="mode ecdsa needs aggregators"):
        load(tmp_path, {**REFERENCE, "verification": "ecdsa"})
    with pytest.raises(HourglassError, match=r"verification\.mode: Input should be"):
        load(tmp_path, {**REFERENCE, "verification": "off"})
    contradicts = {"mode": "none", "aggregators": [{"address": "0x" + "1" * 40}]}
    with pytest.raises(HourglassError, match="yet aggregators are given"):
        load(tmp_path, {**REFERENCE, "verification": contradicts})


def test_a_bn254_key_alone_is_refused_and_beside_another_is_not_used(tmp_path: Path) -> None:
    bls = {"keystoreFile": "bls.json", "password": "x"}
    operator = {**REFERENCE["operator"], "signingKeys": {"bls": bls}}
    with pytest.raises(HourglassError, match="signed with ECDSA, BN254 is not built yet"):
        load(tmp_path, {**REFERENCE, "operator": operator, "verification": "none"})


TLS: list[tuple[dict[str, Any], str]] = [
    ({"tls": {"certificateFile": "c"}}, "certificateFile and keyFile need each other"),
    ({"tls": {"clientCaFile": "c"}}, "clientCaFile needs certificateFile and keyFile"),
    ({"channelzAddress": "0.0.0.0:1"}, "can be reached from other machines"),
    ({"channelzAddress": ":1"}, "can be reached from other machines"),
]


@pytest.mark.parametrize(("changes", "text"), TLS)
def test_half_of_a_certificate_and_an_open_channelz_are_refused(
    tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(HourglassError, match=text):
        load(tmp_path, configuration(tmp_path, **changes))


def test_management_is_open_to_others_only_where_that_is_written_out(tmp_path: Path) -> None:
    tls = {"certificateFile": "c", "keyFile": "k"}
    open_to_all = {"grpcHost": "0.0.0.0", "tls": tls}
    with pytest.raises(HourglassError, match="could deploy and remove performers"):
        load(tmp_path, configuration(tmp_path, **open_to_all))
    for more in (
        {"authentication": {"enabled": True}},
        {"tls": {**tls, "clientCaFile": "a"}},
        {"insecure": True},
        {"grpcHost": "127.0.0.1"},
    ):
        load(tmp_path, configuration(tmp_path, **{**open_to_all, **more}))


def test_tls_is_spelled_as_the_operator_does(tmp_path: Path) -> None:
    for given in (
        {"certificateFile": "c", "keyFile": "k", "clientCaFile": "a"},
        {"certificate_file": "c", "key_file": "k", "client_ca_file": "a"},
    ):
        files = load(tmp_path, configuration(tmp_path, tls=given)).tls.files
        assert files is not None
        assert (str(files.certificate_file), str(files.key_file)) == ("c", "k")
        assert str(files.client_ca_file) == "a"


def test_an_unknown_key_is_an_error_with_its_line_and_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(HourglassError) as refused:
        load(tmp_path, {**configuration(tmp_path), "grpcPrt": 1})
    assert "grpcPrt: unknown key; did you mean 'grpcPort'?" in refused.value.message
    assert "executor.yaml:" in refused.value.message


BAD: list[tuple[dict[str, Any], str]] = [
    ({"operator": {"signingKeys": {"ecdsa": {"privateKey": KEY}}}}, "address is required"),
    ({"operator": {}}, "operatorPrivateKey is required"),
    ({"operator": {"operatorPrivateKey": {}}}, "private key cannot be empty"),
    ({"operator": {"signingKeys": {}}}, "at least one signing key (BLS or ECDSA) is required"),
    ({"l1Chain": {"chainId": 1}}, "rpcUrl is required"),
    ({"storage": {"type": "redis"}}, "type must be 'memory' or 'badger'"),
    ({"storage": {"type": "badger"}}, "badger directory is required"),
    ({"avsPerformers": [{**PERFORMER, "avsAddress": ""}]}, "avsAddress is required"),
    ({"avsPerformers": [{**PERFORMER, "image": {"tag": "t"}}]}, "image.repository is required"),
    ({"avsPerformers": [{**PERFORMER, "image": {"repository": "r"}}]}, "image.tag is required"),
    ({"avsPerformers": [{**PERFORMER, "envs": [{"value": "1"}]}]}, "name is required"),
    (
        {"avsPerformers": [{**PERFORMER, "deploymentMode": "vm"}]},
        "deploymentMode must be one of [docker, kubernetes",
    ),
    (
        {"avsPerformers": [{**PERFORMER, "processType": "cron"}]},
        "unsupported AVS performer process type",
    ),
    (
        {"avsPerformers": [PERFORMER]},
        "kubernetes configuration is required when using kubernetes deployment mode",
    ),
    (
        {"kubernetes": {"inCluster": False}},
        "kubeConfigPath is required when not running in cluster",
    ),
    (
        {
            "kubernetes": {},
            "avsPerformers": [
                PERFORMER,
                {**PERFORMER, "avsAddress": "0x" + "2" * 40, "deploymentMode": "process"},
            ],
        },
        "mixed deployment modes not supported: all performers must use the same deployment mode "
        "(either 'docker' or 'kubernetes')",
    ),
    ({"docker": {"memory": "lots"}}, 'write an amount such as "512Mi"'),
    ({"verification": {"mode": "ecdsa"}}, "mode ecdsa needs aggregators"),
]


@pytest.mark.parametrize(("changes", "text"), BAD, ids=[text[:40] for _, text in BAD])
def test_a_bad_value_is_refused_in_the_words_of_the_reference(
    tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(HourglassError) as refused:
        load(tmp_path, configuration(tmp_path, **changes))
    assert text in refused.value.message


def test_docker_is_the_default(tmp_path: Path) -> None:
    performer = {key: value for key, value in PERFORMER.items() if key != "deploymentMode"}
    found = load(tmp_path, configuration(tmp_path, avsPerformers=[performer]))
    assert found.avs_performers[0].deployment_mode == "docker"
    assert found.uses_docker
    assert not load(tmp_path, configuration(tmp_path, avsPerformers=[])).uses_docker
    bare = configuration(tmp_path, avsPerformers=[], processes={})
    assert load(tmp_path, bare).uses_docker


@pytest.mark.parametrize(
    ("written", "size"), [("512Mi", 512 << 20), ("2G", 2_000_000_000), (4096, 4096)]
)
def test_an_amount_of_memory_is_written_as_kubernetes_does(
    tmp_path: Path, written: object, size: int
) -> None:
    found = load(tmp_path, configuration(tmp_path, docker={"memory": written}))
    assert found.docker is not None
    assert found.docker.memory == size


def test_the_references_variables_are_read_and_ours_count_more(tmp_path: Path) -> None:
    def found(**environ: str) -> ExecutorSettings:
        path = tmp_path / "executor.yaml"
        path.write_text(yaml.safe_dump(configuration(tmp_path, grpcPort=1, debug=False)))
        entry = ENTRIES["executor"]
        return load_settings(
            ExecutorSettings,
            config_path=path,
            environ=environ,
            env_prefix=entry.env_prefix,
            other_prefixes=entry.other_prefixes,
        )

    assert found(EXECUTOR__GRPC_PORT="2", EXECUTOR__DEBUG="true").grpc_port == 2
    assert found(EXECUTOR__DEBUG="true").debug
    assert found(EXECUTOR__PERFORMER_NETWORK_NAME="n").performer_network_name == "n"
    both = found(EXECUTOR__GRPC_PORT="2", HOURGLASS_EXECUTOR__GRPC_PORT="3")
    assert both.grpc_port == 3
    path = "HOURGLASS_EXECUTOR__OPERATOR__OPERATOR_PRIVATE_KEY__PRIVATE_KEY"
    key = found(**{path: "0x" + "05" * 32}).operator.operator_private_key
    assert key is not None
    assert key.private_key == "0x" + "05" * 32
    short = found(HOURGLASS_EXECUTOR__VERIFICATION="none")
    assert short.verification is not None
    with pytest.raises(HourglassError, match=r"grpcPort: .*\(EXECUTOR__GRPC_PORT\)"):
        found(EXECUTOR__GRPC_PORT="many")


def test_a_remote_signer_of_the_references_file_is_taken(tmp_path: Path) -> None:
    remote = {
        "remoteSigner": True,
        "remoteSignerConfig": {
            "url": "https://signer:9000",
            "caCert": "ca.pem",
            "cert": "cert.pem",
            "key": "key.pem",
            "fromAddress": "0x" + "1" * 40,
            "publicKey": "0x" + "ab" * 64,
        },
    }
    operator = {
        "address": "0x" + "1" * 40,
        "operatorPrivateKey": remote,
        "signingKeys": {"ecdsa": remote},
    }
    found = load(tmp_path, configuration(tmp_path, operator=operator))
    assert found.operator.result_key.sources == ("remoteSigner",)


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(HourglassError) as refused:
        load(
            tmp_path,
            configuration(tmp_path, storage={"type": "x"}, operator={}, nonsense=1),
        )
    assert len(refused.value.violations) >= 4


def test_no_secret_is_shown_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(HourglassError) as refused:
        load(
            tmp_path,
            configuration(tmp_path, operator={"operatorPrivateKey": {"privateKey": "hunter2"}}),
        )
    assert "hunter2" not in str(refused.value)


def test_mixed_modes_are_allowed_where_the_configuration_says_so(tmp_path: Path) -> None:
    other = {**PERFORMER, "avsAddress": "0x" + "2" * 40, "deploymentMode": "process"}
    found = load(
        tmp_path,
        configuration(
            tmp_path, kubernetes={}, allowMixedModes=True, avsPerformers=[PERFORMER, other]
        ),
    )
    assert len(found.avs_performers) == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [("500ms", 0.5), ("30s", 30), ("1m30s", 90), ("1h", 3600), (2, 2), (0.5, 0.5)],
)
def test_durations_are_read(written: Any, meant: float) -> None:
    assert seconds(written) == meant


@pytest.mark.parametrize("written", ["", "30", "5 minutes", "s", -1, 0, "0s", True])
def test_what_is_no_duration_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(written)


def test_a_bare_number_of_the_reference_is_in_nanoseconds() -> None:
    assert reference_seconds(30_000_000_000) == 30
