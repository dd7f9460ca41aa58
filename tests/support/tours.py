"""Documents as tours: their commands run as a reader would run them, outputs compared.

A block ``sh tour`` is run; the ``text`` block after it has lines of its output, in any order. One
marked ``sh tour node`` needs containers that really run.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.dev_run import run

_BLOCKS = re.compile(r"^```(sh tour(?: node)?|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    commands: str
    expected: tuple[str, ...]
    needs_node: bool = False


def steps(document: str) -> Iterator[Step]:
    """Yield each block of commands with the lines that follow it as its output."""
    found = [(kind, body) for kind, body in _BLOCKS.findall(document)]
    for index, (kind, body) in enumerate(found):
        if kind.startswith("sh tour"):
            following = found[index + 1] if index + 1 < len(found) else ("", "")
            lines = following[1].splitlines() if following[0] == "text" else []
            yield Step(body, tuple(lines), needs_node=kind.endswith("node"))


def pattern(line: str) -> re.Pattern[str]:
    """Return what matches an expected line: ``…`` is anything, spaces are any spaces."""
    parts = (r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
    return re.compile(r".*".join(parts))


async def walk(
    tour: Iterable[Step], instead: Mapping[str, str], *, cwd: Path, environ: Mapping[str, str]
) -> None:
    """Run the steps in their order, with ``instead`` of some of their words; exports are kept."""
    exports = ""
    for step in tour:
        commands = step.commands
        for told, found in instead.items():
            commands = commands.replace(told, found)
        script = f"set -e\n{exports}{commands}"
        done = await run(shutil.which("sh") or "sh", "-c", script, cwd=cwd, **environ)
        shown = f"{commands}\n{done.out}\n{done.err}"
        assert done.status == 0, shown
        for line in step.expected:
            assert pattern(line).search(done.out), f"no line {line!r} after\n{shown}"
        exports += "".join(
            line + "\n" for line in commands.splitlines() if line.startswith("export ")
        )
