"""Payloads and results on the command line. Pure but for reading a file."""

from pathlib import Path
from typing import Final

from hourglass_common.domain.errors import invalid

UNSIGNED: Final = bytes(65)
"""What stands in for a signature where the executor verifies none: it must not be empty."""

NOBODY: Final = "0x" + "0" * 40


def read_payload(text: str) -> bytes:
    """Return the payload: ``@file`` is a file's bytes, anything else the text itself, in UTF-8.

    The text is not decoded: ``0x4`` is sent as those three characters.
    """
    if not text.startswith("@"):
        return text.encode("utf-8")
    path = Path(text[1:])
    try:
        return path.read_bytes()
    except OSError as exc:
        raise invalid("--payload", f"{path} can not be read: {exc.strerror}") from exc


def shown(data: bytes) -> str:
    """Return a result for people: as text where it is printable ASCII, else in hexadecimal."""
    if data and all(0x20 <= byte < 0x7F for byte in data):
        return data.decode("ascii")
    return "0x" + data.hex()
