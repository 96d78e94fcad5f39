"""The process that works on back-tests: started when one waits, at the lowest priority, until none does."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from pathlib import Path

import psutil
import structlog

from beholden.analyse import seen_files
from beholden.analyse.backtest import CancelledError, Runner
from beholden.analyse.detect.choice import card_of
from beholden.analyse.detect.detector import Detector
from beholden.analyse.detect.network import Network
from beholden.catalog import Catalog, CatalogError, backtests, segments
from beholden.model.time import Clock, SystemClock

log = structlog.get_logger()
_CONTEXT = multiprocessing.get_context("spawn")  # never fork a process that has threads
_TIDY_SECONDS = 600.0


class Bench:
    """Kept by the analyser: starts the process when a back-test waits, and deletes what back-tests saw in
    footage that is gone."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._data_dir = data_dir
        self._clock = clock
        self._process: SpawnProcess | None = None
        self._tidied: float | None = None

    def look(self, catalog: Catalog) -> None:
        """Called about once a second; CatalogError."""
        self._tidy(catalog)
        if self.alive:
            return
        with catalog.read() as conn:
            waits = backtests.waiting(conn, self._clock.now_ms())
        if waits:
            self._process = _CONTEXT.Process(
                target=serve, args=(self._data_dir, os.getpid()), name="beholden back-test", daemon=True
            )
            self._process.start()

    @property
    def pid(self) -> int | None:
        """Of the process, once there was one."""
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    def wait(self, seconds: float) -> None:
        """Until the process has ended, or so long."""
        if self._process is not None:
            self._process.join(seconds)

    def close(self) -> None:
        """Stop the process; its work goes on after the next start."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)
            self._process.kill()

    def _tidy(self, catalog: Catalog) -> None:
        now = self._clock.monotonic()
        if self._tidied is not None and now - self._tidied < _TIDY_SECONDS:
            return
        self._tidied = now
        tidy(self._data_dir, catalog)


def tidy(data_dir: Path, catalog: Catalog) -> int:
    """Delete what back-tests saw in footage that is gone; how many files."""
    keys = [key for _, key in seen_files.all_files(data_dir)]
    if not keys:
        return 0
    with catalog.read() as conn:
        kept = [key for key in keys if segments.exists(conn, key)]
    return seen_files.tidy(data_dir, kept)


def serve(data_dir: Path, parent: int) -> None:
    """The life of the process: back-tests, one after the other, until none waits or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    yield_to_others()
    catalog = Catalog.open_existing(data_dir)
    try:
        work(data_dir, catalog, SystemClock(), lambda: not stopped and os.getppid() == parent)
    finally:
        catalog.close()


def work(
    data_dir: Path,
    catalog: Catalog,
    clock: Clock,
    going: Callable[[], bool],
    make: Callable[[str], Detector] | None = None,
) -> int:
    """Work on what waits; returns how many were worked on."""
    runner = Runner(data_dir, catalog, clock, make or (lambda model: open_model(data_dir, model)), going)
    count = 0
    while going():
        with catalog.write() as conn:
            item = backtests.claim(conn, clock.now_ms())
        if item is None:
            break
        count += 1
        try:
            runner.run(item)
        except CancelledError:
            with catalog.write() as conn:
                backtests.release(conn, item.id)
            log.info("back-test stopped", backtest=item.id)
        except CatalogError as error:
            log.warning("back-test interrupted", backtest=item.id, cause=str(error))
            time.sleep(1)
    return count


def yield_to_others() -> None:
    """Take the CPU and the disk only when nobody else wants them."""
    process = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):
        process.nice(19)
        process.ionice(psutil.IOPRIO_CLASS_IDLE)


def open_model(data_dir: Path, model: str) -> Detector:
    """The detector of that name. BeholdenError ``model_not_found``, or what is wrong with it."""
    return Network(card_of(data_dir, model))
