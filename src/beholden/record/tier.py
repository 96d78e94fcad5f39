"""Footage moves to the next tier: copied, synced, verified, indexed, and only then deleted (rule 14)."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence

import structlog

from beholden.catalog import Catalog, segments
from beholden.catalog.segments import Stored
from beholden.model.errors import BeholdenError
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock
from beholden.record.shelf import Shelf
from beholden.store import sidecars
from beholden.store.store import Store

log = structlog.get_logger()

_CHUNK = 1 << 20
# Moved files are indexed together: so many bytes at most, so that a crash repeats little.
_STEP_BYTES = 256 << 20


class Mover:
    """Moves files between two volumes of a site. A crash at any point leaves each file whole on one of them
    at least, and its row naming one that has it; what is left over is removed by the reconciler.

    A moved file stays where it was until the next pass, for those who play it from there just now.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._leaving: dict[int, list[tuple[Stored, Shelf]]] = {}
        self._damaged: dict[SegmentKey, str] = {}
        self._trouble: dict[int, BeholdenError] = {}

    @property
    def alarms(self) -> list[BeholdenError]:
        """Files that are not as they were recorded, and tiers that could not be written."""
        found = list(self._trouble.values())
        if self._damaged:
            path = next(iter(self._damaged.values()))
            found.append(
                BeholdenError(
                    "footage_damaged",
                    f"{len(self._damaged)} files are not as they were recorded and stay in place: {path}.",
                    "Look at that disk's health; `beholden check --depth hash` lists them.",
                )
            )
        return found

    def movable(self, rows: Sequence[Stored]) -> list[Stored]:
        """Those that can be moved: not known to be damaged."""
        return [row for row in rows if row.key not in self._damaged]

    def finish(self, shelf: Shelf) -> int:
        """Delete on this volume what a former pass moved away, if it is really there; returns how many."""
        left = self._leaving.pop(shelf.row.id, [])
        safe = [row for row, target in left if _has(target.store, row)]
        for row, target in left:
            if row in safe:
                continue
            # Its disk was unmounted or emptied meanwhile: the row names the one that has it.
            with self._catalog.write() as conn:
                here = Stored(row.key, row.end_ms, row.size, target.row.id, row.sha256)
                segments.move(conn, self._clock.now_ms(), [here], row.volume)
        shelf.store.delete_many(row.key for row in safe)
        return len(safe)

    def move(self, shelf: Shelf, lower: Shelf, rows: Sequence[Stored], stop: threading.Event) -> int:
        """Move files to another volume that has room for them; returns how many bytes went."""
        moved = 0
        step: list[Stored] = []
        for row in rows:
            if stop.is_set():
                break
            try:
                if self._copy(shelf.store, lower.store, row):
                    step.append(row)
                self._trouble.pop(lower.row.id, None)
            except OSError as error:
                self._trouble[lower.row.id] = _cannot_move(lower, error)
                log.error("footage cannot be moved", to=lower.row.path, cause=str(error))
                break
            if sum(each.size for each in step) >= _STEP_BYTES:
                moved += self._index(shelf, lower, step)
                step = []
        return moved + self._index(shelf, lower, step)

    def _copy(self, source: Store, target: Store, row: Stored) -> bool:
        """Copy, sync and verify one file and give it its name; False for one that is not as recorded."""
        try:
            reading = source.open_read(row.key)
        except FileNotFoundError:
            self._damaged[row.key] = f"{source.path_of(row.key)} is not there"
            return False
        try:
            writing = target.begin_copy(row.key)
            try:
                if _copy_bytes(target, reading, writing) != row.sha256:
                    self._damaged[row.key] = str(source.path_of(row.key))
                    return False
                os.fsync(writing)
                os.posix_fadvise(writing, 0, 0, os.POSIX_FADV_DONTNEED)  # verify the disk, not the memory
                if _hash(writing) != row.sha256:
                    raise OSError(5, "what was written does not read back the same")
            finally:
                os.close(writing)
        finally:
            os.close(reading)
        target.finish_copy(row.key)
        sidecars.copy(source.path, target.path, row.key)
        return True

    def _index(self, shelf: Shelf, lower: Shelf, step: Sequence[Stored]) -> int:
        if not step:
            return 0
        with self._catalog.write() as conn:
            moved = segments.move(conn, self._clock.now_ms(), step, lower.row.id)
        names = {row.key for row in moved}
        lower.store.delete_many(row.key for row in step if row.key not in names)  # deleted meanwhile
        self._leaving.setdefault(shelf.row.id, []).extend((row, lower) for row in moved)
        size = sum(row.size for row in moved)
        shelf.used, lower.used = shelf.used - size, lower.used + size
        shelf.leaving += size
        log.info("footage moved", to=lower.row.path, segments=len(moved), bytes=size)
        return size


def _copy_bytes(target: Store, reading: int, writing: int) -> bytes:
    digest, at = hashlib.sha256(), 0
    while data := os.pread(reading, _CHUNK, at):
        digest.update(data)
        target.write(writing, data)
        at += len(data)
    return digest.digest()


def _hash(fd: int) -> bytes:
    digest, at = hashlib.sha256(), 0
    while data := os.pread(fd, _CHUNK, at):
        digest.update(data)
        at += len(data)
    return digest.digest()


def _has(store: Store, row: Stored) -> bool:
    try:
        return store.path_of(row.key).stat().st_size == row.size
    except OSError:
        return False


def _cannot_move(lower: Shelf, error: OSError) -> BeholdenError:
    return BeholdenError(
        "cannot_move",
        f"Footage cannot be moved to {lower.row.path}: {error.strerror or error}.",
        "Check that disk; footage stays where it is until then, and leaves early when there is no more room.",
    )
