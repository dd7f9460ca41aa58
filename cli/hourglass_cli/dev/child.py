"""``python -m hourglass_cli.dev.child NAME JSON FD``: one program under ``hourglass dev``.

It imports while its siblings do, starts when its stdin says "go", writes a line to the descriptor
FD when it is Ready, and leaves when its stdin is at its end: then ``hourglass dev`` is gone, even
if it was killed. That works on Linux and on macOS.
"""

import json
import os
import signal
import sys
from pathlib import Path
from threading import Event, Thread

from hourglass_common.domain.errors import HourglassError

from hourglass_cli.launch import launch

STOP_SECONDS = 2.0
"""What an orphan gets for its graceful stop."""


class Lifeline:
    """A thread that reads stdin: its line is the permission to start, its end the order to go."""

    def __init__(self) -> None:
        self.go = Event()
        self._never = Event()
        Thread(target=self._read, name="lifeline", daemon=True).start()

    def wait_for_go(self) -> None:
        self.go.wait()

    def _read(self) -> None:
        while os.read(0, 64):
            self.go.set()
        os.kill(os.getpid(), signal.SIGTERM)
        self._never.wait(STOP_SECONDS)
        _kill_descendants()
        os._exit(1)


def _kill_descendants() -> None:
    import psutil

    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.Error:
            continue


def _say_ready(descriptor: int) -> None:
    os.write(descriptor, b"ready\n")
    os.close(descriptor)


def main() -> int:
    """Run the program named on the command line; return its exit code."""
    name, told, ready = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    lifeline = Lifeline()
    config_path = Path(told["config_path"]) if told.get("config_path") else None
    try:
        return launch(
            name,
            config_path=config_path,
            flags=told["flags"],
            before=lifeline.wait_for_go,
            on_ready=lambda _: _say_ready(ready),
        )
    except HourglassError as error:
        print(f"hourglass {name}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
