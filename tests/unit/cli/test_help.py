"""Help of every command: it is there at once, since nothing heavy is imported for it."""

import subprocess
import sys
from typing import Any

import pytest
import typer
from hourglass_cli.main import app, kubectl_app

HEAVY = (
    *("grpc", "kubernetes", "pydantic", "aiohttp", "asyncio", "yaml", "rich", "structlog"),
    *("hourglass_services", "hourglass_operator", "hourglass_executor", "hourglass_devcluster"),
)


def commands(root: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of every command that is shown, groups included."""
    found = [path]
    for name, command in getattr(root, "commands", {}).items():
        if not command.hidden and name != "demo-performer":  # its own program explains that one
            found += commands(command, (*path, name))
    return found


ALL = commands(typer.main.get_command(app))


def test_no_help_imports_anything_heavy() -> None:
    code = (
        "import sys\nfrom hourglass_cli.main import run\n"
        f"for words in {ALL!r}:\n    assert run([*words, '--help']) == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert not set(HEAVY) & set(done.stderr.split())
    assert done.stdout.count("Usage: hourglass") == len(ALL)


def test_every_option_says_what_it_is() -> None:
    root: Any = typer.main.get_command(app)
    silent: list[str] = []
    for words in ALL:
        command = root
        for word in words:
            command = command.commands[word]
        silent += [
            f"{' '.join(words)} {parameter.name}"
            for parameter in command.params
            if words[:1] in (("performer",), ("check",), ("report",)) and not parameter.help
        ]
    assert silent == []


def test_kubectl_has_every_command_on_performers_without_the_word() -> None:
    root, plugin = typer.main.get_command(app), typer.main.get_command(kubectl_app)
    performer: Any = root.commands["performer"]  # type: ignore[attr-defined]
    there = set(plugin.commands)  # type: ignore[attr-defined]
    assert set(performer.commands) | {"check", "report"} <= there


@pytest.mark.parametrize("code", ["0", "1", "2", "124", "130"])
def test_the_exit_codes_are_in_the_help(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    from hourglass_cli.main import run

    assert run(["performer", "--help"]) == 0
    assert code in capsys.readouterr().out.partition("Exit codes:")[2]
