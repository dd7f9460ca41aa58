"""Run every tier of tests that this machine can run, and say at the end which ran.

One control plane serves all tiers that need one. Exit status: 0 when every test passed, and,
with ``--require``, when each named tier ran and skipped nothing for want of a program.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.control_plane import SHARED, control_plane, why_unavailable  # noqa: E402


@dataclass(frozen=True)
class Tier:
    """``modes`` are those in which tests/conformance runs, ``full_modes`` those with --full."""

    folders: tuple[str, ...]
    workers: int = 0
    modes: str = ""
    full_modes: str = ""

    def options(self, *, full: bool) -> list[str]:
        modes = (self.full_modes if full else "") or self.modes
        return [
            *([f"--modes={modes}"] if modes else []),
            *(["-n", str(self.workers), "--dist=loadfile"] if self.workers else []),
            *(["--full"] if full else []),
        ]


CONFORMANCE = "tests/conformance"
# Tiers that share one control plane or many processes run alone.
TIERS: dict[str, Tier] = {
    "unit": Tier(("tests/unit",), 2),
    "property": Tier(("tests/property",), 2),
    "integration": Tier(("tests/integration",), 2),
    "conformance": Tier((CONFORMANCE,), 2, "process", "process,performers,control"),
    "dockerd": Tier(("tests/dockerd", CONFORMANCE), 2, "docker"),
    "e2e": Tier(("tests/e2e",)),
    # Last: it reads from the audit log what the tiers before asked of the control plane.
    "contract": Tier(("tests/contract",)),
}
NEEDS_CONTROL_PLANE = ("contract", "integration", "e2e")


@dataclass(frozen=True)
class Result:
    """What one tier's run came to; ``skipped`` maps each reason to its number of tests."""

    tier: str
    exit_code: int
    passed: int
    failed: int
    skipped: dict[str, int]
    only: dict[str, list[str]] = field(default_factory=dict)
    """Tests of a suite for two API servers that run on one alone, by server and reason."""


def run_tier(tier: str, report: Path, options: Sequence[str]) -> Result:
    """Run one tier in a process of its own."""
    folders = TIERS[tier].folders
    command = [sys.executable, "-m", "pytest", *folders, "-q", f"--junit-xml={report}", *options]
    print(f"\n== {tier} ==", flush=True)
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if not report.exists():
        return Result(tier, code or 1, 0, 0, {})
    suite = ElementTree.parse(report).getroot()
    cases = list(suite.iter("testcase"))
    bad = sum(1 for c in cases if c.find("failure") is not None or c.find("error") is not None)
    reasons = Counter(
        (skip.get("message") or "no reason given") for c in cases for skip in c.iter("skipped")
    )
    passed = len(cases) - bad - reasons.total()
    return Result(tier, code, passed, bad, dict(reasons), _only(cases))


def _only(cases: Sequence[ElementTree.Element]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for case in cases:
        for each in case.iter("property"):
            if each.get("name") == "only":
                name = (case.get("name") or "").partition("[")[0]
                found.setdefault(each.get("value") or "", set()).add(name)
    return {why: sorted(names) for why, names in sorted(found.items())}


def closing_lines(results: Sequence[Result], plane: str | None) -> list[str]:
    """Return what the reader should know: tiers that ran, what was skipped and why."""
    lines = [""]
    for result in results:
        state = "ok" if result.exit_code == 0 else "FAILED"
        lines.append(
            f"{result.tier:<12} {state:<7} {result.passed} passed, {result.failed} failed, "
            f"{sum(result.skipped.values())} skipped"
        )
        lines += [f"             skipped {n}: {why}" for why, n in result.skipped.items()]
        for why, names in result.only.items():
            lines += [f"             only {why}", *(f"                 {name}" for name in names)]
    if plane:
        lines.append(f"real control plane: skipped ({plane})")
    else:
        lines.append("real control plane: ran")
    total = [sum(r.passed for r in results), sum(r.failed for r in results)]
    skipped = sum(sum(r.skipped.values()) for r in results)
    lines.append(f"{total[0]} passed, {total[1]} failed, {skipped} skipped")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiers", default=",".join(TIERS), help="comma-separated")
    parser.add_argument("--require", default="", help="tiers that must run without a skip")
    parser.add_argument("--full", action="store_true", help="repeat what only repeats in full")
    parser.add_argument("extra", nargs="*", help="passed on to pytest, after --")
    options = parser.parse_args()
    tiers = [tier for tier in options.tiers.split(",") if tier]
    unknown = [tier for tier in tiers if tier not in TIERS]
    if unknown:
        parser.error(f"unknown tiers {', '.join(unknown)}; there are {', '.join(TIERS)}")
    reason = why_unavailable()
    results: list[Result] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for tier in tiers:
            if tier in NEEDS_CONTROL_PLANE and reason is None and SHARED not in os.environ:
                plane = stack.enter_context(control_plane(folder / "control-plane"))
                os.environ[SHARED] = str(plane.kubeconfig)
            told = [*TIERS[tier].options(full=options.full), *options.extra]
            results.append(run_tier(tier, folder / f"{tier}.xml", told))
    required = [tier for tier in options.require.split(",") if tier]
    unmet = [r.tier for r in results if r.tier in required and (r.skipped or not r.passed)]
    unmet += [tier for tier in required if tier not in tiers]
    print("\n".join(closing_lines(results, reason)))
    if unmet:
        print(f"required tiers with skips or no tests: {', '.join(unmet)}")
    sys.exit(1 if unmet or any(r.exit_code for r in results) else 0)


if __name__ == "__main__":
    main()
