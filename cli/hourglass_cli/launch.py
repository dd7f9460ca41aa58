"""Runs one of the long-lived programs in this process: settings, logs, signals, exit code."""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

Run = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a program's parts are: ``run(settings, on_ready=)`` in ``main``, and its settings."""

    package: str
    model: str
    env_prefix: str
    other_prefixes: tuple[str, ...] = ()
    """Variables that are read as well, and count less."""

    def load(self) -> tuple[type[Any], Run]:
        """Import the program: the slow part of a start."""
        model = getattr(import_module(f"{self.package}.settings"), self.model)
        return model, import_module(f"{self.package}.main").run


_GARBAGE: Final = (50_000, 20, 50)
"""Decoded JSON makes containers by the thousand and no cycles: with Python's own thresholds half of
a burst's processor time goes into looking for some."""

ENTRIES: Final[Mapping[str, Entry]] = {
    "operator": Entry(
        package="hourglass_operator", model="OperatorSettings", env_prefix="HOURGLASS_OPERATOR__"
    ),
    "executor": Entry(
        package="hourglass_executor",
        model="ExecutorSettings",
        env_prefix="HOURGLASS_EXECUTOR__",
        other_prefixes=("EXECUTOR__",),  # the reference's
    ),
    "cluster": Entry(
        package="hourglass_devcluster",
        model="DevClusterSettings",
        env_prefix="HOURGLASS_DEVCLUSTER__",
    ),
}


def launch(
    name: str,
    *,
    config_path: Path | None = None,
    flags: Mapping[str, Any],
    before: Callable[[], None] = lambda: None,
    on_ready: Callable[[Any], None] = lambda _: None,
) -> int:
    """Run program ``name`` until SIGTERM or SIGINT; return its exit code.

    ``flags`` are settings by dotted path, None for those not given. ``before`` is called when
    everything is imported and the settings are known to be good, ``on_ready`` with the program's
    addresses when it serves.
    """
    entry = ENTRIES[name]
    model, run = entry.load()
    from hourglass_common.runtime.logs import configure_logs
    from hourglass_common.runtime.settings import load_settings

    settings = load_settings(
        model,
        config_path=config_path,
        flags=flags,
        env_prefix=entry.env_prefix,
        other_prefixes=entry.other_prefixes,
    )
    level = "debug" if getattr(settings, "debug", False) else "info"
    text = getattr(settings, "log_format", "json") == "text"
    configure_logs(getattr(settings, "log_level", level), "text" if text else "json")
    before()
    gc.set_threshold(*_GARBAGE)

    def ready(addresses: Any) -> None:
        gc.freeze()  # modules and first caches stay: there is nothing to look for in them
        on_ready(addresses)

    asyncio.run(_until_told(run(settings, on_ready=ready)))
    return 0


async def _until_told(running: Coroutine[Any, Any, None]) -> None:
    """Run the program; the first SIGTERM or SIGINT cancels it, which is its graceful stop."""
    program = asyncio.current_task()
    assert program is not None
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def stop() -> None:
        if not told.is_set():
            told.set()
            program.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        if not told.is_set():
            raise
