"""The log of a container: a file of bounded size, with the run before it beside it."""

from pathlib import Path
from typing import BinaryIO

LARGEST_BYTES = 10 << 20
"""Then the file is begun anew; what was in it is kept once, as ``.1``."""


def pod_folder(root: Path, namespace: str, pod: str, uid: str) -> Path:
    return root / f"{namespace}_{pod}_{uid}"


class LogFile:
    """Bytes in, bytes out: lines of any length and any content are taken as they come."""

    def __init__(self, path: Path, largest: int = LARGEST_BYTES) -> None:
        """Open ``path`` for a new run; what the run before wrote becomes ``.previous.log``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.replace(path.with_name(f"{path.stem}.previous.log"))
        self._path = path
        self._largest = largest
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Append ``chunk``. On a full disk it is lost: the process is not to suffer for it."""
        try:
            if self._size and self._size + len(chunk) > self._largest:
                self._file.close()
                self._path.replace(self._path.with_name(self._path.name + ".1"))
                self._file = self._path.open("wb", buffering=0)
                self._size = 0
            self._file.write(chunk)
        except OSError:
            return
        self._size += len(chunk)

    def close(self) -> None:
        self._file.close()
