"""Write the hashed lock files in requirements/; with --check, fail where they drifted.

A check resolves with the locked versions preferred, so that it fails when pyproject.toml asks
for something else, and not merely because the world has moved on.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS: dict[str, tuple[str, ...]] = {
    "runtime.txt": (),
    "dev.txt": ("--group", "dev", "-c", "requirements/runtime.txt"),
}


def compile_lock(name: str, extra: tuple[str, ...], target: Path, upgrade: bool) -> None:
    """Resolve one lock file to ``target``, starting from the versions it holds."""
    subprocess.run(
        [
            Path(sys.executable).parent / "uv",
            *("pip", "compile", "pyproject.toml", *extra, "-o", str(target), "--quiet"),
            *("--universal", "--python-version", "3.11", "--generate-hashes"),
            *("--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"),
            *(("--upgrade",) if upgrade else ()),
        ],
        cwd=ROOT,
        check=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, extra in LOCKS.items():
            kept = ROOT / "requirements" / name
            fresh = Path(folder) / name
            if kept.exists():
                shutil.copy(kept, fresh)
            compile_lock(name, extra, fresh, options.upgrade)
            if options.check:
                if not kept.exists() or kept.read_text() != fresh.read_text():
                    sys.exit(f"requirements/{name} does not match pyproject.toml: run `make lock`")
            else:
                shutil.copy(fresh, kept)


if __name__ == "__main__":
    main()
