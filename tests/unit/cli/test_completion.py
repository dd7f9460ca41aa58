"""What may follow on a command line."""

import pytest
from hourglass_cli.target import Program

from tests.support.command_line import run_line
from tests.support.played_cluster import Cluster


def words(*given: str, program: Program = Program.HOURGLASS) -> list[str]:
    """Return what may become of the last word, and the line that says whether files may."""
    out = run_line(Cluster(), "__complete", "--", *given, program=program).out
    return [line.partition("\t")[0] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("performer", "pro"), ["promote", ":4"]),
        (("performer", "promote", "--wa"), ["--wait", ":4"]),
        (("performer", "get", "-o", "j"), ["json", ":4"]),
        (("performer", "get", "sq"), ["squares", ":4"]),
        (("performer", "get", "--context=c", "sq"), ["squares", ":4"]),
        (("performer", "get", "x"), [":4"]),
        (("performer", "create", "--file", ""), [":0"]),
        (("performer", "lint", ""), [":0"]),
        (("performer", "status", "--timeout", ""), [":4"]),
    ],
)
def test_words_names_and_values_complete(given: tuple[str, ...], found: list[str]) -> None:
    assert words(*given) == found


def test_kubectl_leaves_out_the_word_performer() -> None:
    assert words("promote", "s", program=Program.KUBECTL) == ["squares", ":4"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_that_asks(shell: str) -> None:
    ran = run_line(Cluster(), "completion", shell)
    assert ran.status == 0
    assert "hourglass __complete --" in ran.out
