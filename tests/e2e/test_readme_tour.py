"""The tours of the README and of a how-to, run as a reader would run them, outputs compared."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hourglass_cli.dev.claims import claim_ports
from hourglass_cli.dev.options import Ports
from hourglass_common.domain.errors import HourglassError

from tests.support.dev_run import FREE_PORTS, REPOSITORY, hourglass_dev, run, tool

_BLOCKS = re.compile(r"^```(sh tour|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    commands: str
    expected: tuple[str, ...]


def steps(readme: str) -> Iterator[Step]:
    """Yield each block of commands with the lines that follow it as its output."""
    found = [(kind, body) for kind, body in _BLOCKS.findall(readme)]
    for index, (kind, body) in enumerate(found):
        if kind == "sh tour":
            following = found[index + 1] if index + 1 < len(found) else ("", "")
            lines = following[1].splitlines() if following[0] == "text" else []
            yield Step(body, tuple(lines))


def pattern(line: str) -> re.Pattern[str]:
    """Return what matches an expected line: ``…`` is anything, spaces are any spaces."""
    parts = (r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
    return re.compile(r".*".join(parts))


def has_the_reader_s_ports() -> bool:
    try:
        claim_ports(Ports())
    except HourglassError:
        return False
    return True


TOURS = ("README.md", "docs/how-to/roll-out.md")


@pytest.mark.parametrize("document", TOURS)
def test_the_documents_have_a_tour(document: str) -> None:
    found = list(steps((REPOSITORY / document).read_text()))
    assert len(found) >= 5
    assert all(step.expected for step in found)


@pytest.mark.parametrize("document", TOURS)
async def test_the_tour_does_what_the_document_says(document: str, tmp_path: Path) -> None:
    missing = [name for name in ("kubectl", "grpcurl") if tool(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} neither in KUBEBUILDER_ASSETS nor in PATH")
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    ports = () if has_the_reader_s_ports() else FREE_PORTS
    async with hourglass_dev(tmp_path / ".hourglass", ports=ports) as dev:
        actual = {
            f"127.0.0.1:{Ports().executor_port}": dev.addresses["executor"],
            f"127.0.0.1:{Ports().control_port}": dev.addresses["performerControl"],
        }
        environ = {
            "HOME": str(tmp_path),
            "PATH": os.pathsep.join(
                (os.path.dirname(sys.executable), os.environ.get("KUBEBUILDER_ASSETS", ""))
            )
            + os.pathsep
            + os.environ["PATH"],
            "HOURGLASS_EXECUTOR": dev.addresses["executor"],
            "HOURGLASS_CONTROL": dev.addresses["performerControl"],
        }
        exports = ""
        for step in steps((REPOSITORY / document).read_text()):
            commands = step.commands
            for told, found in actual.items():
                commands = commands.replace(told, found)
            script = f"set -e\n{exports}{commands}"
            done = await run(shutil.which("sh") or "sh", "-c", script, cwd=tmp_path, **environ)
            shown = f"{commands}\n{done.out}\n{done.err}"
            assert done.status == 0, shown
            for line in step.expected:
                assert pattern(line).search(done.out), f"no line {line!r} after\n{shown}"
            exports += "".join(
                line + "\n" for line in commands.splitlines() if line.startswith("export ")
            )
