"""Logs: one JSON object a line on stderr, or coloured text on a terminal.

A message is constant; what varies goes into fields. The standard library's loggers (aiohttp,
kubernetes, grpc) come out in the same form.
"""

import json
import logging
import sys
from typing import Any, Literal, TextIO

import orjson
import structlog

LogFormat = Literal["json", "text"]

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# Tracebacks without the values of variables: what callers send is among them.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logs(level: str = "info", log_format: LogFormat = "json") -> None:
    """Send every log of this process to stderr, from ``level`` up."""
    stream = sys.stderr
    form = _json_form() if log_format == "json" else _text_form(stream)
    # Ours do not pass through the standard library, which costs more than the rest of a line.
    structlog.configure(
        processors=[*_SHARED, *form],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name="": _Lines(str(name), stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *form],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _json_form() -> tuple[structlog.typing.Processor, ...]:
    return _TRACEBACKS, structlog.processors.JSONRenderer(serializer=_json)


def _text_form(stream: TextIO) -> tuple[structlog.typing.Processor, ...]:
    plain = structlog.dev.plain_traceback  # it shows no values either
    return (structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain),)


class _Lines:
    """Writes each message as a line; ``name`` is the module's that logs."""

    __slots__ = ("_stream", "name")

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()

    debug = info = warning = error = critical = exception = msg


def _json(event: Any, **_: Any) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # what it can not write: wide numbers, half a surrogate pair
        return json.dumps(event, default=repr)


def bind_to_logs(**fields: str) -> None:
    """Put ``fields`` into what this task, and those that it starts, log from now on."""
    structlog.contextvars.bind_contextvars(**fields)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module: ``log = get_logger(__name__)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
