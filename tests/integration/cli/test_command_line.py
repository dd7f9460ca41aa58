"""The command as a process: exit codes, words on stderr, how soon help is there."""

import json
import subprocess
import sys

import pytest

HEAVY = ("grpc", "kubernetes", "pydantic", "aiohttp", "asyncio", "yaml", "rich")


def hourglass(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hourglass_cli.main", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom hourglass_cli.main import run\nassert run(['--help']) == 0\n"
        "print(*(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert not set(HEAVY) & set(done.stderr.split())


@pytest.mark.parametrize(
    "command",
    [
        ("dev",),
        ("operator",),
        ("executor",),
        ("task", "submit"),
        ("performer", "create"),
        ("performer", "lint"),
        ("demo-performer",),
    ],
)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    done = hourglass(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.lower().startswith("usage: hourglass " + command[0])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("nope",), "No such command 'nope'"),
        (("dev", "--executor-port", "many"), "--executor-port"),
        (("executor", "walk"), "walk"),
        (("performer", "list", "-o", "xml"), "xml"),
        (("task", "submit", "--avs", "0x1"), "--payload"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what(arguments: tuple[str, ...], word: str) -> None:
    done = hourglass(*arguments)
    assert done.returncode == 2
    assert word in done.stderr


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (("performer", "list", "--control", "127.0.0.1:1"), "--control"),
        (("performer", "get", "x", "--control", "127.0.0.1:1"), "--control"),
        (("performer", "get", "-w", "--control", "127.0.0.1:1"), "--control"),
        (("performer", "watch", "--control", "127.0.0.1:1"), "--control"),
        (("performer", "status", "x", "--wait", "--control", "127.0.0.1:1"), "--control"),
        (
            ("task", "submit", "--avs=0x1", "--payload=0x4", "--executor=127.0.0.1:1"),
            "--executor",
        ),
    ],
)
def test_an_unreachable_server_is_exit_code_1_in_plain_words(
    arguments: tuple[str, ...], flag: str
) -> None:
    done = hourglass(*arguments)
    assert done.returncode == 1
    assert "can not be reached" in done.stderr
    assert f"{flag} names its address" in done.stderr
    assert "Traceback" not in done.stderr


GOOD = """\
apiVersion: hourglass.eigenlayer.io/v1alpha1
kind: Performer
metadata: {name: demo}
spec: {avsAddress: "0xAb", image: "demo:1"}
"""


@pytest.mark.parametrize(
    ("text", "status"), [(GOOD, 0), (GOOD.replace("demo:1", "Demo:1"), 1), ("{", 1)]
)
def test_lint_reads_stdin_and_tells_by_its_exit_code(text: str, status: int) -> None:
    done = hourglass("performer", "lint", "-", "-ojson", stdin=text)
    assert done.returncode == status, done.stderr
    severities = {entry["severity"] for entry in json.loads(done.stdout)}
    assert ("error" in severities) == bool(status)
    assert done.stderr.startswith("performers: ")


def test_lint_of_a_file_that_is_not_there_is_wrong_usage() -> None:
    done = hourglass("performer", "lint", "no-such.yaml")
    assert done.returncode == 2
    assert "no such file: no-such.yaml" in done.stderr
