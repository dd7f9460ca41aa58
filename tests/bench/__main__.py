"""Run every benchmark, or those named: ``python -m tests.bench [router kube ...]``.

Each is a program of its own, ``<name>_bench.py``, that says its method at its top, prints one
JSON object and exits 1 where its goal is missed. Those that take minutes run when named.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ENDING = "_bench"
LONG = frozenset({"operator", "control", "executor", "promotion"})


def main(names: list[str]) -> int:
    """Return how many benchmarks missed their goals."""
    found = {path.stem.removesuffix(ENDING): path for path in sorted(FOLDER.glob(f"*{ENDING}.py"))}
    unknown = [name for name in names if name not in found]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(found)}")
    missed = 0
    for name in names or sorted(set(found) - LONG):
        print(f"{name}: ", end="", flush=True)
        missed += subprocess.run([sys.executable, found[name]], check=False).returncode != 0
    return missed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
