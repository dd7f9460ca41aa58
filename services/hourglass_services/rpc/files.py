"""Files that others replace while we run: Kubernetes swaps a link, people write in place."""

from pathlib import Path

from hourglass_common.domain.errors import Code, HourglassError

_Stamp = tuple[int, int, int, int]


class FollowedFile:
    """The content of a file, read again when it was replaced or written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: _Stamp | None = None
        self._content = b""

    def read(self) -> bytes:
        """Return what the file holds now. OSError if it can not be read."""
        stat = self.path.stat()
        stamp = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if stamp != self._stamp:
            self._content = self.path.read_bytes()
            self._stamp = stamp
        return self._content


def read_file(path: Path, what: str) -> bytes:
    """Return the content of ``path``; FAILED_PRECONDITION says that it is ``what``."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"can not read {what} {path}: {exc.strerror or exc}",
            reason="FILE_UNREADABLE",
            hint="check the path and who may read it",
        ) from exc
