"""Small parts of the node: images, ports, logs, variables, settings."""

import base64
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_devcluster.model.pod_env import VariableError, command_line, environment
from hourglass_devcluster.model.pod_spec import real_port
from hourglass_devcluster.node_agent.catalogue import command_of
from hourglass_devcluster.node_agent.logs import LogFile
from hourglass_devcluster.node_agent.ports import FIRST, LAST, Ports
from hourglass_devcluster.settings import DevClusterSettings
from pydantic import ValidationError

DIGEST = "sha256:" + "ab" * 32
POD = {"metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"a.b/c": "d"}}}


@pytest.mark.parametrize(
    "image",
    [
        "demo-performer",
        "demo-performer:v1",
        "registry.example:5000/team/demo-performer:v1",
        f"registry.example/demo-performer@{DIGEST}",
        f"demo-performer:v1@{DIGEST}",
    ],
)
def test_the_demo_performer_has_any_registry_tag_and_digest(image: str) -> None:
    assert command_of(image) == (sys.executable, "-m", "hourglass_cli.demo_performer")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("process:///opt/my/program", ("/opt/my/program",)),
        ("process:///opt/my/program:v1", ("/opt/my/program",)),
        (f"process:///opt/my/program@{DIGEST}", ("/opt/my/program",)),
        ("process://run --to host:80 'two words'", ("run", "--to", "host:80", "two words")),
    ],
)
def test_a_process_image_is_a_command(image: str, words: tuple[str, ...]) -> None:
    assert command_of(image) == words


@pytest.mark.parametrize("image", ["nginx", "process://", "process://'open", "my-demo-performer"])
def test_other_images_name_those_that_there_are(image: str) -> None:
    with pytest.raises(HourglassError, match=r"demo-performer .*process://") as caught:
        command_of(image)
    assert caught.value.reason == "ErrImagePull"


def test_ports_are_not_given_twice_nor_while_somebody_listens() -> None:
    ports = Ports(0.5)
    first, second = ports.take(), ports.take()
    assert FIRST <= first < second <= LAST
    ports.give_back(first)
    assert ports.take(first) == first
    ports.give_back(first)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        assert ports.take(first) not in (first, second)


def test_ports_go_round_at_the_end_of_the_range() -> None:
    ports = Ports(0.9999999)
    found = {ports.take() for _ in range(3)}
    assert len(found) == 3
    assert min(found) < FIRST + 100


def test_a_log_is_bounded_and_keeps_the_run_before(tmp_path: Path) -> None:
    path = tmp_path / "pod" / "main.log"
    log = LogFile(path, largest=10)
    for chunk in (b"12345", b"67890", b"abc"):
        log.write(chunk)
    log.close()
    assert path.read_bytes() == b"abc"
    assert path.with_name("main.log.1").read_bytes() == b"1234567890"
    LogFile(path).close()
    assert path.with_name("main.previous.log").read_bytes() == b"abc"


def test_the_port_variable_is_the_nodes_and_the_others_the_pods() -> None:
    secret = {"data": {"k": base64.b64encode(b"s3").decode()}}
    container: dict[str, Any] = {
        "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "P_"}],
        "env": [
            {"name": "GRPC_PORT", "value": "9090"},
            {"name": "ADDRESS", "value": "127.0.0.1:$(GRPC_PORT)"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {
                "name": "MAYBE",
                "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}},
            },
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a.b/c']"}}},
        ],
        "args": ["--port=$(GRPC_PORT)", "$$(KEY)"],
    }
    objects = {("Secret", "s"): secret, ("ConfigMap", "c"): {"data": {"x": "y"}}}
    found = environment(container, POD, objects, 20001)
    assert found == {
        "P_x": "y",
        "GRPC_PORT": "20001",
        "ADDRESS": "127.0.0.1:20001",
        "KEY": "s3",
        "L": "d",
    }
    words = command_line(container, ("/bin/demo",), found)
    assert words == ("/bin/demo", "--port=20001", "$(KEY)")


def test_a_missing_object_or_key_is_named() -> None:
    variable = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    with pytest.raises(VariableError, match='secret "s" not found'):
        environment({"env": [variable]}, POD, {}, 1)
    with pytest.raises(VariableError, match="key k in Secret ns/s"):
        environment({"env": [variable]}, POD, {("Secret", "s"): {}}, 1)


def test_the_declared_grpc_port_is_the_given_one() -> None:
    ports = [{"name": "http", "containerPort": 80}, {"name": "grpc", "containerPort": 9090}]
    container = {"ports": ports}
    asked = ("grpc", 9090, "http", 80, 81, "none")
    assert [real_port(container, each, 7) for each in asked] == [7, 7, 80, 80, 81, None]
    assert real_port({}, 9090, 7) == 7


@pytest.mark.parametrize("address", ["0.0.0.0:1", "127.0.0.1", "127.0.0.1:70000"])
def test_the_dev_cluster_listens_on_loopback_only(address: str) -> None:
    with pytest.raises(ValidationError):
        DevClusterSettings(address=address)
