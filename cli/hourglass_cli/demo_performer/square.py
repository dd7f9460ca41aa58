"""The demo's work: a number in, its square out. Pure.

A payload is a number, in one of two forms, and the answer comes back in the same one:

- hexadecimal text, ``0x4`` gives ``0x10``: an even number of digits, at least two;
- raw big-endian bytes, ``\\x04`` gives ``\\x10``: any payload with a byte that is not printable
  ASCII. Text that is no number is an error rather than a number by accident.
"""

import re
from typing import Final

from hourglass_common.domain.errors import HourglassError, invalid

MAX_PAYLOAD_BYTES: Final = 4096
_HEX = re.compile(rb"0[xX][0-9a-fA-F]+")
_SHOWN_BYTES = 32


def square(payload: bytes) -> bytes:
    """Return the square of the number in ``payload``; INVALID_ARGUMENT if there is none."""
    if not payload:
        raise _refused("it is empty")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise _refused(f"{len(payload)} bytes are more than the {MAX_PAYLOAD_BYTES} allowed")
    if _HEX.fullmatch(payload):
        return b"0x" + _bytes(int(payload, 16) ** 2).hex().encode("ascii")
    if all(0x20 <= byte < 0x7F for byte in payload):
        text = payload[:_SHOWN_BYTES].decode("ascii")
        raise _refused(f"{text!r} is not a hexadecimal number")
    return _bytes(int.from_bytes(payload, "big") ** 2)


def _bytes(number: int) -> bytes:
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def _refused(why: str) -> HourglassError:
    return invalid("payload", f"{why}; the demo performer squares a number such as 0x4")
