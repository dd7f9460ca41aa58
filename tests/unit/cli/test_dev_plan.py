"""What ``hourglass dev`` claims and tells its parts."""

import json
import socket
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from hourglass_cli.dev.claims import claim_ports, data_directory
from hourglass_cli.dev.options import Layout, Ports, addresses
from hourglass_cli.dev.programs import executor_config, programs
from hourglass_cli.launch import ENTRIES
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.settings import load_settings

FREE = Ports(
    executor_port=0, control_port=0, api_port=0, operator_metrics_port=0, executor_metrics_port=0
)


def test_addresses_have_the_documented_keys() -> None:
    found = addresses(Layout(root=Path("d")), Ports())
    assert found == {
        "kubeconfig": "d/kubeconfig",
        "performerControl": "127.0.0.1:50051",
        "executor": "127.0.0.1:9090",
        "executorManagement": "127.0.0.1:9090",
        "metrics": {
            "operator": "http://127.0.0.1:8081/metrics",
            "executor": "http://127.0.0.1:8082/metrics",
        },
    }


def test_the_cluster_is_the_first_program() -> None:
    names = [program.name for program in programs(Layout(root=Path("d")), Ports())]
    assert names == ["cluster", "operator", "executor"]


def test_what_a_program_is_told_is_json() -> None:
    for program in programs(Layout(root=Path("d")), Ports()):
        assert json.loads(program.arguments[-1]).keys() == {"flags", "config_path"}


def test_every_program_accepts_what_it_is_told(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    layout.executor_config.write_text(yaml.safe_dump(executor_config(layout, Ports())))
    for program in programs(layout, Ports()):
        told = json.loads(program.arguments[-1])
        entry = ENTRIES[program.name]
        model = getattr(import_module(f"{entry.package}.settings"), entry.model)
        load_settings(model, **told, environ={}, env_prefix=entry.env_prefix)


def test_zeros_become_free_ports_all_different() -> None:
    ports = asdict(claim_ports(FREE)).values()
    assert 0 not in ports
    assert len(set(ports)) == 5


def test_a_taken_port_is_an_error_that_names_its_flag() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HourglassError, match=f"port {port} .* --control-port"):
            claim_ports(Ports(**(asdict(FREE) | {"control_port": port})))


def test_one_port_for_two_parts_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = Ports(**(asdict(FREE) | {"executor_port": port, "api_port": port}))
    with pytest.raises(HourglassError, match="two flags give the same port"):
        claim_ports(both)


async def test_a_data_directory_in_use_is_refused_with_the_process_that_uses_it(
    tmp_path: Path,
) -> None:
    layout = Layout(root=tmp_path)
    async with data_directory(layout, fresh=False):
        with pytest.raises(HourglassError, match=r"process \d+\).*--data-dir"):
            async with data_directory(layout, fresh=False):
                pytest.fail("it was claimed twice")
    async with data_directory(layout, fresh=False):
        pass  # free again


async def test_fresh_removes_what_a_run_leaves_and_nothing_else(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    (layout.cluster).mkdir()
    (layout.cluster / "state").touch()
    (tmp_path / "mine.txt").touch()
    async with data_directory(layout, fresh=True):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {"dev.lock", "mine.txt"}


async def test_a_data_directory_that_can_not_be_made_is_an_error_that_names_the_flag(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HourglassError, match="--data-dir"):
        async with data_directory(Layout(root=tmp_path / "file"), fresh=False):
            pytest.fail("a file is no directory")
