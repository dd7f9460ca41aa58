"""Files that hold what performers write: one for each instance, none of them without an end."""

from collections.abc import Collection
from pathlib import Path

from .os_process import trim

MAX_LOG_BYTES = 16 << 20
MAX_LOG_FILES = 60


def log_file(folder: Path, name: str) -> Path:
    """Return the file of an instance."""
    return folder / f"{name}.log"


def trim_log(file: Path) -> None:
    """Cut it if it has outgrown ``MAX_LOG_BYTES``; its last quarter is kept in ``<file>.1``."""
    trim(file, MAX_LOG_BYTES)


def prune(folder: Path, in_use: Collection[Path], keep: int = MAX_LOG_FILES) -> None:
    """Remove the oldest logs of performers that are gone, beyond the newest ``keep`` files."""
    try:
        aged = sorted(
            ((file.stat().st_mtime, file) for file in folder.glob("performer-*.log*")),
            reverse=True,
        )
        for _, file in aged[keep:]:
            if file.with_suffix(".log") not in in_use and file not in in_use:
                file.unlink(missing_ok=True)
    except OSError:
        return  # the disk fails: logs are not worth more
