"""Put each bug of the catalogue into a copy of the sources, and see that a test finds it.

    python -m tests.mutants.run [--only TEXT] [--workers 2]

Exit status 0 when the tests pass without a change, and fail for each bug.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.mutants.catalogue import CATALOGUE
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("common", "operator", "services", "executor")
SECONDS = 180
Verdict = Literal["found", "MISSED", "BROKEN"]


@dataclass(frozen=True)
class Result:
    """``found``: a test failed. ``BROKEN``: the tests could not be run, which proves nothing."""

    mutant: Mutant
    verdict: Verdict
    seconds: float
    words: str


def try_out(mutant: Mutant, workplace: Path) -> Result:
    """Run a mutant's tests on a copy of the sources with its change in it."""
    began = time.monotonic()
    copy = Path(tempfile.mkdtemp(dir=workplace))
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    target = copy / mutant.file
    text = target.read_text()
    if text.count(mutant.old) != 1:
        return Result(mutant, "BROKEN", 0.0, f"{mutant.file} does not hold the text once")
    target.write_text(text.replace(mutant.old, mutant.new))
    code, out = run_tests([f"{mutant.suite}::{mutant.test}"], copy)
    shutil.rmtree(copy)
    verdict: Verdict = {0: "MISSED", 1: "found"}.get(code, "BROKEN")  # type: ignore[assignment]
    failed = [line.partition("::")[2] for line in out.splitlines() if line.startswith("FAILED")]
    words = failed[0] if verdict == "found" and failed else out[-400:]
    return Result(mutant, verdict, time.monotonic() - began, words)


def run_tests(tests: Sequence[str], copy: Path) -> tuple[int, str]:
    """Run tests with the sources of ``copy`` before those of the repository."""
    paths = os.pathsep.join(str(copy / folder) for folder in COPIED)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"FAILED ::no end within {SECONDS} s"
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="those whose name has this text in it")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    chosen = [mutant for mutant in CATALOGUE if options.only in mutant.name]
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(options.workers) as pool,
    ):
        unchanged = pool.submit(_unchanged, chosen, Path(folder))
        results = []
        for result in pool.map(lambda mutant: try_out(mutant, Path(folder)), chosen):
            results.append(result)
            print(f"{result.verdict:<7} {result.seconds:5.1f} s  {result.mutant.name}", flush=True)
            if result.verdict == "found":
                print(f"                 by {result.words}")
            else:
                print(result.words)
        code, words = unchanged.result()
    found = sum(result.verdict == "found" for result in results)
    print(f"{found} of {len(results)} bugs found")
    if code:
        print(f"the tests fail without any change:\n{words[-2000:]}")
    sys.exit(0 if found == len(results) and not code else 1)


def _unchanged(chosen: Sequence[Mutant], workplace: Path) -> tuple[int, str]:
    copy = Path(tempfile.mkdtemp(dir=workplace))
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    proof = (
        "import hourglass_operator as it, sys; "
        "sys.exit(0 if sys.argv[1] in it.__file__ else 'the copy is not what is tested')"
    )
    subprocess.run(
        [sys.executable, "-c", proof, str(copy)],
        env={**os.environ, "PYTHONPATH": str(copy / "operator")},
        check=True,
    )
    return run_tests(sorted({f"{mutant.suite}::{mutant.test}" for mutant in chosen}), copy)


if __name__ == "__main__":
    main()
