"""Structured logs: to standard error, and as JSON lines to a file that does not grow for ever."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path
from typing import Any

import structlog

DIRECTORY = "log"
FILE_BYTES = 5 * 1024**2
FILES_KEPT = 4


def configure(data_dir: Path, name: str, style: str) -> None:
    """Send this process's log to standard error (``style`` console or json) and to
    ``DIR/log/<name>.log``. Each process has its own file, since two cannot rotate one.

    A log file that cannot be written is no reason not to record: then standard error has to do.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(_formatter(shared, name, style))
    handlers: list[logging.Handler] = [console]
    try:
        handlers.append(_file_handler(data_dir, name, shared))
    except OSError as error:
        print(f"The log file of {name} cannot be written: {error.strerror}.", file=sys.stderr)  # noqa: T201
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    # These tell each request and each migration step; nobody needs them in a recorder's log.
    for chatty in ("alembic", "uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a full disk must not print a traceback per line


def _file_handler(data_dir: Path, name: str, shared: list[Any]) -> logging.Handler:
    directory = data_dir / DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{name.replace(' ', '-')}.log"
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"
    )
    handler.setFormatter(_formatter(shared, name, "json"))
    return handler


def _formatter(shared: list[Any], name: str, style: str) -> logging.Formatter:
    renderers: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        renderers += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        renderers.append(
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        )

    def add_role(_logger: Any, _method: str, event: Any) -> Any:
        event.setdefault("role", name)
        return event

    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[*shared], processors=[add_role, *renderers])
