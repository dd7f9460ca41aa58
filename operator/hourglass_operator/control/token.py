"""What a resume token says: how far each cache had got that a performer is shown from. Pure.

A cache is one kind in one of the namespaces that are followed by themselves, or in all. Its number
is the resourceVersion that was reached, by a list or by an event: they only grow, and mean the same
on every replica. The first number stands for what is followed. After a list the newest thing in it
may be older than the list; then both are told, as 1000-900: all is known up to 1000, and whoever
has seen 900 has nothing to wait for but what was deleted.
"""

import re
from dataclasses import dataclass

Versions = tuple[int, ...]
_NEWEST = re.compile(r"-[0-9]+")
_PART = re.compile(r"([0-9]{1,19})(?:-([0-9]{1,19}))?")


@dataclass(frozen=True, slots=True)
class Token:
    """``reached`` is what its holder knows of, ``newest`` what whoever goes on must have seen."""

    reached: Versions
    newest: Versions

    def __str__(self) -> str:
        return ".".join(
            str(reached) if newest >= reached else f"{reached}-{newest}"
            for reached, newest in zip(self.reached, self.newest, strict=True)
        )


def parse_token(text: str, kinds: int) -> Token | None:
    """Return the token of a text, None for one that is not ours."""
    found = [_PART.fullmatch(part) for part in text.split(".")]
    if len(found) != kinds or not all(found):
        return None
    parts = [match for match in found if match is not None]
    reached = tuple(int(match[1]) for match in parts)
    newest = tuple(int(match[2] or match[1]) for match in parts)
    return Token(reached, newest)


def is_as_far(one: str, other: str) -> bool:
    """Return whether two tokens say that the same was reached."""
    return one == other or _NEWEST.sub("", one) == _NEWEST.sub("", other)
