"""What a performer's containers are to be, and what is read off those there are."""

from typing import Any

import pytest
from hourglass_executor.deployers.deployment import Artifact, Deployment, Mode
from hourglass_executor.deployers.docker.credentials import encoded, registry_auth, registry_of
from hourglass_executor.deployers.docker.plan import (
    Confinement,
    Found,
    Place,
    container_body,
    container_name,
    executor_mark,
    read,
    wanted_indices,
)

HERE = Place(executor="me")
NETWORK = Place(executor="me", network="performers")


def deployment(**changes: Any) -> Deployment:
    given: dict[str, Any] = {
        "performer_id": "performer-1",
        "avs": "0xab",
        "artifact": Artifact(registry="r.test/demo", digest="sha256:" + "a" * 64),
        "mode": Mode.DOCKER,
        **changes,
    }
    return Deployment(**given)


def body(place: Place = HERE, image_user: str = "", **confinement: Any) -> dict[str, Any]:
    return container_body(
        deployment(), 0, {"A": "1"}, place, Confinement(**confinement), image_user
    )


def test_a_container_is_confined_and_kept_running_by_the_engine() -> None:
    host = body(memory_bytes=1 << 30, cpus=0.5, read_only_root=True)["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Privileged"] is False
    assert host["RestartPolicy"] == {"Name": "unless-stopped"}
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (1 << 30, 500_000_000, 1024)
    assert host["ReadonlyRootfs"] is True
    assert set(host["Tmpfs"]) == {"/tmp"}
    assert host["Init"] is True
    assert body(init=False)["HostConfig"]["Init"] is False
    assert "Binds" not in host
    assert "Mounts" not in host


@pytest.mark.parametrize(
    ("of_image", "configured", "user"),
    [
        ("", "", "65532:65532"),
        ("root", "", "65532:65532"),
        ("0:0", "", "65532:65532"),
        ("app", "", "app"),
        ("1000:1000", "", "1000:1000"),
        ("", "5", "5"),
        ("app", "0", "0"),
    ],
)
def test_nobody_is_root_unless_the_configuration_says_so(
    of_image: str, configured: str, user: str
) -> None:
    made = body(image_user=of_image, user=configured) if configured else body(image_user=of_image)
    assert made["User"] == user


def test_without_a_network_each_has_a_loopback_port_and_with_one_none() -> None:
    bound = body()["HostConfig"]["PortBindings"]
    assert bound == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    joined = body(NETWORK)["HostConfig"]
    assert (joined["NetworkMode"], joined["PortBindings"]) == ("performers", {})


def test_what_a_container_is_told_and_by_whom_it_is_found_again() -> None:
    made = body()
    assert made["Env"] == ["A=1", "GRPC_PORT=8080"]
    assert made["Image"] == "r.test/demo@sha256:" + "a" * 64
    assert made["Labels"] == {
        "hourglass.eigenlayer.io/executor": "me",
        "hourglass.eigenlayer.io/performer-id": "performer-1",
        "hourglass.eigenlayer.io/instance": "0",
    }
    assert len({container_name(deployment(), index) for index in range(3)}) == 3


def inspected(**state: Any) -> dict[str, Any]:
    return {
        "Id": "c0ffee",
        "Config": {
            "Hostname": "host-0",
            "Labels": {
                "hourglass.eigenlayer.io/performer-id": "performer-1",
                "hourglass.eigenlayer.io/instance": "0",
            },
        },
        "State": {"Running": True, **state},
        "NetworkSettings": {
            "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4242"}]},
            "Networks": {"performers": {"IPAddress": "172.18.0.5"}},
        },
    }


@pytest.mark.parametrize(
    ("state", "network", "found"),
    [
        ({}, "", Found("c0ffee", 0, "performer-1", True, "127.0.0.1:4242", "")),
        ({}, "performers", Found("c0ffee", 0, "performer-1", True, "172.18.0.5:8080", "")),
        (
            {"Restarting": True, "Status": "restarting", "ExitCode": 3},
            "",
            Found("c0ffee", 0, "performer-1", False, "", "it is restarting, last with exit code 3"),
        ),
        (
            {"Running": False, "OOMKilled": True},
            "",
            Found(
                "c0ffee",
                0,
                "performer-1",
                False,
                "",
                "it was ended for want of memory: raise docker.memory",
            ),
        ),
        (
            {"Running": False, "Status": "created", "Error": "no such file"},
            "",
            Found("c0ffee", 0, "performer-1", False, "", "it is created: no such file", True),
        ),
    ],
)
def test_a_container_is_read(state: dict[str, Any], network: str, found: Found) -> None:
    assert read(inspected(**state), network) == found


def test_what_podman_4_3_says_of_a_container_is_read_too() -> None:
    """Its answers to an inspection, as they came: before a start, and after."""
    common = {"Restarting": False, "OOMKilled": False, "ExitCode": 0, "Error": ""}
    found = {
        status: read(
            {
                **inspected(Status=status, **{**common, "Running": status == "running"}),
                "NetworkSettings": {
                    "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "37625"}]},
                    "Networks": {"podman": {"IPAddress": "10.88.0.28"}},
                },
            },
            "",
        )
        for status in ("created", "running")
    }
    assert found["running"] == Found("c0ffee", 0, "performer-1", True, "127.0.0.1:37625", "")
    created = found["created"]
    assert created is not None
    assert (created.is_down, created.address) == (True, "")


def test_a_container_that_is_nobodys_instance_is_left_alone() -> None:
    for labels in ({}, {"hourglass.eigenlayer.io/performer-id": "x"}, None):
        container = inspected()
        container["Config"]["Labels"] = labels
        assert read(container, "") is None


def test_what_is_missing_is_made() -> None:
    there = Found("c", 1, "performer-1", True, "", "")
    assert wanted_indices(3, [there]) == (0, 2)


def test_two_executors_on_one_engine_have_marks_of_their_own() -> None:
    assert executor_mark("0xA", "/data") == executor_mark("0xa", "/data")
    assert executor_mark("0xA", "/data") != executor_mark("0xA", "/other")
    assert executor_mark("0xA", "/data") != executor_mark("0xB", "/data")


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("demo:1", "https://index.docker.io/v1/"),
        ("team/demo:1", "https://index.docker.io/v1/"),
        ("r.test/team/demo@sha256:1", "r.test"),
        ("localhost/demo", "localhost"),
        ("r:5000/demo", "r:5000"),
    ],
)
def test_the_registry_of_an_image_is_named_as_docker_login_names_it(
    image: str, registry: str
) -> None:
    assert registry_of(image) == registry


async def test_credentials_come_from_docker_s_own_file(tmp_path: Any) -> None:
    import base64
    import json

    config = tmp_path / "config.json"
    pair = base64.b64encode(b"jo:secret").decode()
    config.write_text(json.dumps({"auths": {"r.test": {"auth": pair}}}))
    assert await registry_auth("r.test/demo:1", config) == encoded("r.test", "jo", "secret")
    assert await registry_auth("other.test/demo:1", config) == ""
    assert await registry_auth("r.test/demo:1", tmp_path / "none.json") == ""
