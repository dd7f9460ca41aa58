"""Loopback ports for pods, from below the range that outgoing connections take theirs from."""

import socket

from hourglass_common.domain.errors import Code, HourglassError

FIRST, LAST = 20_000, 31_999


class Ports:
    """Gives each port to one pod at a time; goes round, so that one is not given again soon.

    ``u`` in [0, 1) says where to begin: two dev clusters seldom try the same port.
    """

    def __init__(self, u: float) -> None:
        self._next = FIRST + int(u * (LAST - FIRST + 1))
        self._taken: set[int] = set()

    def take(self, wanted: int | None = None) -> int:
        """Return a port that nobody listens on, ``wanted`` if that is free.

        The caller gives ``wanted`` back first if it was its own. RESOURCE_EXHAUSTED if none is.
        """
        if wanted is not None and wanted not in self._taken and is_free(wanted):
            self._taken.add(wanted)
            return wanted
        for _ in range(LAST - FIRST + 1):
            port = self._next
            self._next = FIRST if port == LAST else port + 1
            if port not in self._taken and is_free(port):
                self._taken.add(port)
                return port
        raise HourglassError(
            Code.RESOURCE_EXHAUSTED, f"no loopback port from {FIRST} to {LAST} is free"
        )

    def give_back(self, port: int) -> None:
        self._taken.discard(port)


def is_free(port: int) -> bool:
    """Whether the loopback port can be listened on now."""
    with socket.socket() as probe:
        # As servers do: connections that linger after a restart do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
