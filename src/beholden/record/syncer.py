"""Files that are being written are made durable every so often, beside the writing and never in its way."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import structlog

from beholden.model.segment import SegmentKey
from beholden.store.store import Store

log = structlog.get_logger()

_LAGS = 512
_SINGLY_SECONDS = 60.0


class OpenFile(Protocol):
    """What is needed of a file: ``unsure`` is set when the disk refused, for its writer to act on."""

    fd: int
    key: SegmentKey
    unsure: OSError | None


@dataclass(slots=True)
class _Waiting:
    file: OpenFile
    since: float  # monotonic: when its oldest byte that is not durable was written
    is_new: bool


class Syncer:
    """One thread a recorder. A power cut loses what was written since the last round: ``lag_ms`` says how
    long that was at most, of the newest rounds. With ``seconds`` 0 it does nothing.

    A round makes the whole file system durable at once where the store can do that; where it cannot, and for
    a minute after it took longer than ``seconds`` (somebody else fills this disk), each file singly. A disk
    slower than ``seconds`` is synced without a pause, round after round.
    """

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._waiting: dict[int, _Waiting] = {}
        self._syncing: dict[int, _Waiting] = {}  # of the round that makes all of them durable now
        self._singly_until = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._lags: deque[float] = deque(maxlen=_LAGS)
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        if seconds > 0:
            self._thread.start()

    def wrote(self, file: OpenFile, *, is_new: bool) -> None:
        """Bytes were appended. Called by the writer."""
        if self._seconds <= 0:
            return
        with self._lock:
            known = self._waiting.get(file.fd)
            if known is None:
                self._waiting[file.fd] = _Waiting(file, time.monotonic(), is_new)
            else:
                known.is_new = known.is_new or is_new

    def closing(self, file: OpenFile) -> None:
        """Its writer syncs and closes it now."""
        with self._lock:
            self._waiting.pop(file.fd, None)
            self._syncing.pop(file.fd, None)

    def lag_ms(self) -> float:
        """The longest time from a write until it was durable, of the newest syncs."""
        with self._lock:
            return round(1000 * max(self._lags, default=0.0), 1)

    def stop(self) -> None:
        """End; closing files is what makes the rest durable."""
        self._stop.set()

    def _run(self) -> None:
        pause = self._seconds
        while not self._stop.wait(pause):
            began = time.monotonic()
            try:
                self._sync_all(began)
            except OSError as error:  # no descriptor is left, say: the next round may have one
                log.error("cannot make footage durable", cause=str(error))
            pause = max(0.0, self._seconds - (time.monotonic() - began))

    def _sync_all(self, now: float) -> None:
        if now < self._singly_until or not self._sync_together(now):
            for number in list(self._waiting):
                self._sync(number)

    def _sync_together(self, now: float) -> bool:
        """Make all that waits durable with one call; False when it has to be done singly."""
        with self._lock:
            if len({os.fstat(number).st_dev for number in self._waiting}) != 1:
                return False  # nothing, or a volume that came back as another file system
            # The file opened first hears of every error since; and its number must stay its own meanwhile.
            fd = os.dup(min(self._waiting, key=lambda number: self._waiting[number].file.key.start_ms))
            self._syncing, self._waiting = self._waiting, {}
        done = False
        try:
            done = self._store.flush_all(fd)
        except OSError as error:
            log.warning("cannot make all footage durable at once", cause=str(error))
        finally:
            os.close(fd)
        ended = time.monotonic()
        if ended - now > self._seconds:
            self._singly_until = ended + _SINGLY_SECONDS
        with self._lock:
            if done:
                self._lags += [ended - waiting.since for waiting in self._syncing.values()]
            else:
                self._take_back()
            self._syncing = {}
        return done

    def _take_back(self) -> None:
        """What was not made durable waits again, with what was written since. The lock is held."""
        for number, waiting in self._syncing.items():
            newer = self._waiting.get(number)
            waiting.is_new = waiting.is_new or (newer is not None and newer.is_new)
            self._waiting[number] = waiting

    def _sync(self, number: int) -> None:
        with self._lock:
            waiting = self._waiting.pop(number, None)
            if waiting is None:
                return
            # The writer may close the file meanwhile, and its number be given to another.
            fd = os.dup(number)
        try:
            self._store.flush(fd)
            if waiting.is_new:
                self._store.sync_name(waiting.file.key)
        except OSError as error:
            # The system tells this once: whoever syncs the file later may hear that all is well.
            waiting.file.unsure = error
            log.error("cannot make footage durable", camera=waiting.file.key.camera, cause=str(error))
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)
        with self._lock:
            self._lags.append(time.monotonic() - waiting.since)
