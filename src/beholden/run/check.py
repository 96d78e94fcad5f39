"""Holding the catalog against the files of all volumes, at three costs. It reports; ``run.mend`` repairs."""

from __future__ import annotations

import enum
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from beholden.catalog import Catalog, segments, usage
from beholden.catalog.segments import Stored
from beholden.model.segment import SegmentKey
from beholden.record.compare import pairs
from beholden.record.shelf import Shelf, open_volume, usable_shelves
from beholden.store.store import FoundFile, Store

_READ_BYTES = 1024**2
# The file being written, and one whose row waits for the catalog, are not faults.
OPEN_MS = 180_000


class Depth(enum.StrEnum):
    """How much is read: names, sizes, or every byte."""

    PRESENCE = "presence"
    SIZE = "size"
    HASH = "hash"


class Fault(enum.StrEnum):
    """What can be wrong."""

    VOLUME = "volume"  # the storage directory is missing or another
    MISSING = "missing"  # a row without its file
    UNKNOWN = "unknown"  # a file without its row
    COPY = "copy"  # a file whose row names another volume: a move was interrupted
    LEAVING = "leaving"  # marked for deletion, and not deleted
    SIZE = "size"
    HASH = "hash"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``path`` is absolute; ``remedy`` says what would mend it. ``volume`` is where
    it was found, ``key`` which file it is (None for a whole volume)."""

    fault: Fault
    path: Path
    detail: str
    remedy: str
    volume: int = 0
    key: SegmentKey | None = None


@dataclass(slots=True)
class Tally:
    """What was looked at."""

    files: int = 0
    bytes: int = 0


def check(
    catalog: Catalog, depth: Depth, now_ms: int, tally: Tally, on_file: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    """What is wrong, as it is found. ``on_file`` is called for each file looked at; ``tally`` is filled."""
    shelves, troubles = usable_shelves(catalog, open_volume)
    for lost, trouble in troubles:
        # Nothing of it can be judged: a missing disk is not a thousand missing files.
        yield Finding(Fault.VOLUME, Path(lost.path), trouble.message, trouble.next_step, lost.id)
    for shelf in shelves:
        with catalog.read() as conn:
            indexed = {camera for camera, _, _ in usage.streams_on(conn, shelf.row.id)}
        for camera in sorted(indexed | set(shelf.store.cameras())):
            for row, file in pairs(catalog, shelf.store, shelf.row.id, camera):
                if row is not None:
                    tally.files += 1
                    tally.bytes += row.size
                    on_file()
                finding = _judge(catalog, shelf, row, file, depth, now_ms)
                if finding is not None:
                    yield finding


def _judge(
    catalog: Catalog, shelf: Shelf, row: Stored | None, file: FoundFile | None, depth: Depth, now_ms: int
) -> Finding | None:
    if row is None:
        return _without_row(catalog, shelf, file, now_ms) if file is not None else None
    finding = _without_file(shelf, row) if file is None else _compare(shelf, row, file, depth)
    if finding is None or _place(catalog, row.key) != (shelf.row.id, False):
        return None  # retention deleted it, or it moved, between our two looks
    return finding


def _without_file(shelf: Shelf, row: Stored) -> Finding | None:
    if shelf.store.path_of(row.key).exists():
        return None
    remedy = "A repair, or the next start, records a gap there."
    return _finding(shelf, Fault.MISSING, row.key, "It is in the catalog and not on the disk.", remedy)


def _compare(shelf: Shelf, row: Stored, file: FoundFile, depth: Depth) -> Finding | None:
    if depth is Depth.PRESENCE:
        return None
    if file.size != row.size:
        detail = f"It has {file.size} bytes where {row.size} were recorded."
        remedy = "It was changed after recording; restore it from a copy. A repair cuts what was added."
        return _finding(shelf, Fault.SIZE, row.key, detail, remedy)
    if depth is not Depth.HASH:
        return None
    try:
        digest = digest_of(shelf.store, row.key, row.size)
    except OSError as error:
        detail = f"It cannot be read: {os.strerror(error.errno or 0)}."
        return _finding(shelf, Fault.UNREADABLE, row.key, detail, "Look at the disk's health.")
    if digest != row.sha256:
        detail = "Its SHA-256 is not the one recorded when it was closed."
        remedy = "It was changed after recording; restore it from a copy."
        return _finding(shelf, Fault.HASH, row.key, detail, remedy)
    return None


def _without_row(catalog: Catalog, shelf: Shelf, file: FoundFile, now_ms: int) -> Finding | None:
    if now_ms - file.changed_ms <= OPEN_MS or not shelf.store.path_of(file.key).exists():
        return None
    place = _place(catalog, file.key)
    if place is None:
        detail, remedy = (
            "It is on the disk and not in the catalog.",
            "A repair, or the next start, indexes it.",
        )
        return _finding(shelf, Fault.UNKNOWN, file.key, detail, remedy)
    number, leaves = place
    if leaves:
        detail, remedy = "Its deletion was begun and not finished.", "A repair, or the recorder, finishes it."
        return _finding(shelf, Fault.LEAVING, file.key, detail, remedy)
    if number != shelf.row.id:
        detail = "The catalog finds it on another volume."
        return _finding(
            shelf, Fault.COPY, file.key, detail, "A repair, or the next start, keeps one of both."
        )
    return None


def _finding(shelf: Shelf, fault: Fault, key: SegmentKey, detail: str, remedy: str) -> Finding:
    return Finding(fault, shelf.store.path_of(key), detail, remedy, shelf.row.id, key)


def _place(catalog: Catalog, key: SegmentKey) -> tuple[int, bool] | None:
    """On which volume a file is indexed, and whether it is marked for deletion."""
    with catalog.read() as conn:
        row = segments.get(conn, key)
    return None if row is None else (row.volume, row.leaves)


def digest_of(store: Store, key: SegmentKey, size: int) -> bytes:
    """SHA-256 of the first ``size`` bytes of a file. OSError as the disk raises."""
    digest = hashlib.sha256()
    with os.fdopen(store.open_read(key), "rb") as file:
        while size > 0 and (block := file.read(min(size, _READ_BYTES))):
            digest.update(block)
            size -= len(block)
    return digest.digest()
