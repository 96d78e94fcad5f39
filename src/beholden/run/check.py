"""Holding the catalog against the files, at three costs. It reports; it changes nothing."""

from __future__ import annotations

import enum
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from beholden.catalog import Catalog, segments, volumes
from beholden.catalog.segments import Segment
from beholden.catalog.volumes import VolumeRow
from beholden.model.segment import SegmentKey
from beholden.store.store import StoreError
from beholden.store.volume import Volume

PAGE = 1000
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
    SIZE = "size"
    HASH = "hash"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``path`` is absolute; ``remedy`` says what would mend it."""

    fault: Fault
    path: Path
    detail: str
    remedy: str


@dataclass(slots=True)
class Tally:
    """What was looked at."""

    files: int = 0
    bytes: int = 0


def check(
    catalog: Catalog, depth: Depth, now_ms: int, tally: Tally, on_file: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    """What is wrong, as it is found. ``on_file`` is called for each file looked at; ``tally`` is filled."""
    with catalog.read() as conn:
        rows = volumes.all_volumes(conn)
    for row in rows:
        try:
            volume = Volume.open(Path(row.path), row.uuid)
        except StoreError as error:
            # Nothing of it can be judged: a missing disk is not a thousand missing files.
            yield Finding(Fault.VOLUME, Path(row.path), error.message, error.next_step)
            continue
        yield from _rows(catalog, row, volume, depth, tally, on_file)
        yield from _files(catalog, volume, now_ms)


def _rows(
    catalog: Catalog, row: VolumeRow, volume: Volume, depth: Depth, tally: Tally, on_file: Callable[[], None]
) -> Iterator[Finding]:
    after: SegmentKey | None = None
    while True:
        with catalog.read() as conn:
            page = segments.keys_on_volume(conn, row.id, after=after, limit=PAGE)
        for item in page:
            finding = _one(volume, item, depth)
            if finding is not None and _is_still_indexed(catalog, item):
                yield finding
            tally.files += 1
            tally.bytes += item.size
            on_file()
        if len(page) < PAGE:
            return
        after = page[-1].key


def _one(volume: Volume, item: Segment, depth: Depth) -> Finding | None:
    path = volume.path_of(item.key)
    try:
        size = path.stat().st_size
        digest = _digest(volume, item.key) if depth is Depth.HASH else item.sha256
    except FileNotFoundError:
        remedy = "The next start records a gap there."
        return Finding(Fault.MISSING, path, "It is in the catalog and not on the disk.", remedy)
    except OSError as error:
        detail = f"It cannot be read: {os.strerror(error.errno or 0)}."
        return Finding(Fault.UNREADABLE, path, detail, "Look at the disk's health.")
    if depth is not Depth.PRESENCE and size != item.size:
        detail = f"It has {size} bytes where {item.size} were recorded."
        return Finding(Fault.SIZE, path, detail, "It was changed after recording; restore it from a copy.")
    if digest != item.sha256:
        detail = "Its SHA-256 is not the one recorded when it was closed."
        return Finding(Fault.HASH, path, detail, "It was changed after recording; restore it from a copy.")
    return None


def _files(catalog: Catalog, volume: Volume, now_ms: int) -> Iterator[Finding]:
    for key in volume.walk():
        with catalog.read() as conn:
            if segments.exists(conn, key):
                continue
        path = volume.path_of(key)
        try:
            touched_ms = path.stat().st_mtime * 1000
        except FileNotFoundError:
            continue
        if now_ms - touched_ms > OPEN_MS:
            detail = "It is on the disk and not in the catalog."
            yield Finding(Fault.UNKNOWN, path, detail, "The next start indexes it.")


def _is_still_indexed(catalog: Catalog, item: Segment) -> bool:
    """Retention may have deleted it between our two looks."""
    with catalog.read() as conn:
        return segments.exists(conn, item.key)


def _digest(volume: Volume, key: SegmentKey) -> bytes:
    digest = hashlib.sha256()
    with os.fdopen(volume.open_read(key), "rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.digest()
