"""Fail where the tree breaks a rule that no other tool checks.

* A source root must not be a package: ``operator/__init__.py`` would hide Python's own module.
* Modules stay under 400 lines of code (generated ones aside), or they lack a wall.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE_ROOTS = ("proto", "common", "services", "operator", "executor", "devcluster", "cli")
MAX_LINES = 450  # "about 400", docstrings included


def tracked_modules() -> list[Path]:
    """Return the Python files that git knows, or would know after an add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).exists()]


def problems() -> list[str]:
    """Return one sentence for each broken rule."""
    found = [
        f"{root}/__init__.py must not exist: source roots are folders, not packages"
        for root in SOURCE_ROOTS
        if (ROOT / root / "__init__.py").exists()
    ]
    for path in tracked_modules():
        if path.name.endswith(("_pb2.py", "_pb2_grpc.py")):
            continue
        lines = len(path.read_text().splitlines())
        if lines > MAX_LINES:
            name = path.relative_to(ROOT).as_posix()
            found.append(f"{name} has {lines} lines, more than {MAX_LINES}: split it")
    return found


if __name__ == "__main__":
    found = problems()
    if found:
        sys.exit("\n".join(found))
