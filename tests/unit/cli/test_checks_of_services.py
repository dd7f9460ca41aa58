"""Checks that ask: where they ask, and what they make of PerformerControl's answers."""

from pathlib import Path

import pytest
from hourglass_cli.checks.run import targets
from hourglass_cli.checks.services import check_control, check_executors
from hourglass_cli.session import Asker, Host
from hourglass_cli.target import Program, Target, Way
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.port import Filter, PerformerPage
from hourglass_services.control.servicer import PerformerControlServicer

from tests.support.played_control import PlayedControl
from tests.support.rpc_echo import served

HERE = Target(control="here:1")
THERE = Target(kubeconfig=Path("there"))
BOTH = Target(control="here:1", kubeconfig=Path("there"))


@pytest.mark.parametrize(
    ("target", "program", "environ", "cluster", "control"),
    [
        (Target(), Program.HOURGLASS, {}, False, ""),
        (HERE, Program.HOURGLASS, {}, False, "here:1"),
        (THERE, Program.HOURGLASS, {}, True, None),
        (BOTH, Program.HOURGLASS, {}, True, "here:1"),
        (Target(), Program.HOURGLASS, {"KUBECONFIG": "k"}, True, None),
        (HERE, Program.HOURGLASS, {"KUBECONFIG": "k"}, False, "here:1"),
        (THERE, Program.HOURGLASS, {"HOURGLASS_CONTROL": "env:1"}, True, "env:1"),
        (Target(), Program.KUBECTL, {}, True, None),
        (HERE, Program.KUBECTL, {}, True, "here:1"),
    ],
)
def test_what_is_named_is_asked_and_else_what_is_usual(
    target: Target,
    program: Program,
    environ: dict[str, str],
    cluster: bool,
    control: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "HOURGLASS_CONTROL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    kube, asked = targets(Asker(target, Host(program)))
    assert (kube is not None) is cluster
    assert (asked.control if asked is not None else None) == control
    assert kube is None or kube.control == ""
    assert asked is None or program is Program.KUBECTL or asked.way(program) is Way.CONTROL


class Closed(PlayedControl):
    async def list(
        self, wanted: Filter, page_size: int, page_token: str, expression: str = ""
    ) -> PerformerPage:
        raise HourglassError(Code.PERMISSION_DENIED, "not for you", reason="R")


async def test_a_server_that_is_stopping_or_closed_to_the_user_fails() -> None:
    async with served(PerformerControlServicer(PlayedControl())) as (server, _):
        target = Target(control=f"127.0.0.1:{server.port}")
        well = await check_control(target)
        server.health.set(serving=False)
        stopping = await check_control(target)
    async with served(PerformerControlServicer(Closed())) as (server, _):
        closed = await check_control(Target(control=f"127.0.0.1:{server.port}"))
    gone = await check_control(target)
    found = [
        [each.state.value for each in group.checks] for group in (well, stopping, closed, gone)
    ]
    assert found == [["passed", "passed"], ["failed"], ["passed", "failed"], ["failed"]]
    assert stopping.checks[0].message == "it is NOT_SERVING"
    assert "kubectl auth can-i" in closed.checks[1].command
    assert all(group.checks[-1].hint for group in (stopping, closed, gone))


async def test_an_executor_that_does_not_answer_fails() -> None:
    found = await check_executors(("127.0.0.1:1",))
    assert [each.state.value for each in found.checks] == ["failed"]
    assert "management port" in found.checks[0].hint
