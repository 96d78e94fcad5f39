"""What runs first in a role's process."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import setproctitle
import structlog

from beholden.model.errors import BeholdenError
from beholden.run import logs
from beholden.run.death import die_with_parent
from beholden.run.roles import RoleSpec

log = structlog.get_logger()

EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class Launch:
    """What a new process is given. It writes a byte to ``beats`` as a sign of life; the end of
    ``lifeline`` tells it to stop."""

    spec: RoleSpec
    data_dir: Path
    logs: str
    beats: Connection
    lifeline: Connection


def main(launch: Launch) -> None:
    """Run one role until it is told to stop; the exit code is 1 when it fails."""
    die_with_parent()
    setproctitle.setproctitle(f"beholden: {launch.spec.name}")
    logs.configure(launch.data_dir, launch.spec.name, launch.logs)
    stop = threading.Event()
    _listen_for_stop(launch.lifeline, stop)
    log.info("role started", role=launch.spec.name, pid=os.getpid())
    try:
        role = _find(launch.spec.target)
        role(*launch.spec.arguments, _heartbeat(launch.beats), stop)
    except BeholdenError as error:
        log.error("role failed", role=launch.spec.name, cause=str(error), code=error.code)
        raise SystemExit(EXIT_FAILED) from None
    except Exception as error:
        # The last frame of this process: whatever it was belongs in the log, with where it was,
        # and the supervisor starts the role again.
        log.exception("role failed", role=launch.spec.name, cause=repr(error))
        raise SystemExit(EXIT_FAILED) from None
    log.info("role stopped", role=launch.spec.name)


def _listen_for_stop(lifeline: Connection, stop: threading.Event) -> None:
    # Ctrl-C reaches the whole group; the supervisor alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())

    def wait_for_end() -> None:
        with contextlib.suppress(OSError, EOFError):
            lifeline.recv_bytes()
        stop.set()

    threading.Thread(target=wait_for_end, name="lifeline", daemon=True).start()


def _heartbeat(beats: Connection) -> Callable[[], None]:
    descriptor = beats.fileno()
    os.set_blocking(descriptor, False)

    def beat() -> None:
        # A full pipe means the supervisor is busy, a broken one that it is gone; a role waits for neither.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(descriptor, b".")

    return beat


def _find(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
