"""Who used the processors during a measurement: the programs of a world, the bench, strangers."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

BENCH = "bench"
LOADED = 0.1
"""A share of the machine: what strangers used above it is worth a word."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Processor seconds until a moment: of each program, and of the machine as a whole."""

    at: float
    programs: Mapping[str, float]
    machine: float

    @classmethod
    def take(cls, world: Path) -> Self:
        """Look at the processes whose command line names a file of the world."""
        found: dict[str, float] = {}
        for process in psutil.process_iter(["pid", "cmdline", "cpu_times"]):
            line, times = process.info["cmdline"] or (), process.info["cpu_times"]
            if times is None:
                continue
            mine = process.info["pid"] == os.getpid()
            if mine or any(str(world) in word for word in line):
                name = BENCH if mine else program_of(line)
                spent = times.user + times.system
                if mine:  # a bare client that has ended is counted as the bench's own
                    spent += times.children_user + times.children_system
                found[name] = found.get(name, 0.0) + spent
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        return cls(time.monotonic(), found, sum(times) - idle)


def program_of(line: list[str] | tuple[str, ...]) -> str:
    """Return the name of a program from its command line, for one of Python that of its script."""
    first = Path(line[0]).name
    if not first.startswith("python"):
        return first
    scripts = [Path(word).name for word in line[1:] if not word.startswith("-")]
    return scripts[0].rpartition(".")[2] if scripts else first


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds by program, and what others used as a share of the machine."""

    programs: Mapping[str, float]
    strangers: float

    def __str__(self) -> str:
        spent = ", ".join(
            f"{name} {seconds:.1f}" for name, seconds in sorted(self.programs.items())
        )
        others = f"; others used {self.strangers:.0%} of the machine"
        return f"processor seconds: {spent}" + (others if self.strangers >= LOADED else "")


def used(before: Snapshot, after: Snapshot, cores: int) -> Used:
    """Return what was used between two moments. Pure."""
    programs = {
        name: seconds - before.programs.get(name, 0.0) for name, seconds in after.programs.items()
    }
    others = after.machine - before.machine - sum(programs.values())
    whole = cores * (after.at - before.at)
    return Used(programs, max(0.0, others / whole) if whole else 0.0)
