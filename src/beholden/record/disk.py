"""The writer thread: the only place where a recorder waits for a disk."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat
from beholden.model.segment import FragmentEntry, SegmentKey
from beholden.model.time import ticks_to_ms
from beholden.record.fmp4 import Fragment
from beholden.record.syncer import Syncer
from beholden.store.store import Store, StoreError

log = structlog.get_logger()

DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024
_EPOCHS_TRIED = 100
_DELAYS = 4096
_MOST_KEPT = 4 * 1024 * 1024  # a buffer that grew beyond this is let go again


@dataclass(slots=True)
class QueuedFragment:
    """A fragment on its way to the disk. ``units`` are kept until it is written; then ``offset`` says where
    it lies and ``units`` is None. ``arrival_ms``: when its last picture came."""

    fragment: Fragment
    units: list[AccessUnit] | None
    arrival_ms: int
    offset: int = -1
    queued_at: float = 0.0


@dataclass(slots=True)
class Backlog:
    """How far one stream's footage is on its way to the disk; changed by the writer thread."""

    bytes: int = 0  # that wait; changed under the writer's lock
    written_ms: int = 0  # when the newest picture on the disk came; 0 before the first


class FileOwner(Protocol):
    """Who is told of a file's fate, in the writer thread; must not block."""

    def file_landed(self, file: SegmentFile) -> None:
        """The first fragment of a file with ``after_gap`` is on the disk."""
        ...

    def file_lost(self, file: SegmentFile) -> None:
        """The end of a file, from ``end_ms`` to ``lost_tick``, could not be kept, and nobody has noticed."""
        ...


@dataclass(slots=True)
class SegmentFile:
    """One file from its first fragment to its row. ``after_gap`` says that a gap may lie before it. Fields
    after that belong to the writer thread; ``failed`` is set by it and read by others."""

    key: SegmentKey
    stream_format: StreamFormat
    init: bytes
    owner: FileOwner
    after_gap: bool
    backlog: Backlog = field(default_factory=Backlog)
    fd: int = -1
    size: int = 0
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    entries: list[FragmentEntry] = field(default_factory=list)
    begun: bool = False
    last_start: int = 0
    end_tick: int = 0
    failed: DiskTrouble | None = None
    unsure: OSError | None = None  # set by the syncer: what was written may not be there
    lost_tick: int = 0  # the end of the newest fragment that could not be kept
    reported: bool = False  # set by the ingest thread when it has told of the loss itself

    @property
    def end_ms(self) -> int:
        """Where what is written ends; the start while nothing is."""
        return ticks_to_ms(self.end_tick) if self.entries else self.key.start_ms


@dataclass(frozen=True, slots=True)
class DiskTrouble:
    """Why footage cannot be kept now, for a gap and for a person."""

    cause: GapCause
    error: BeholdenError


OnFile = Callable[[SegmentFile], None]


class DiskWriter:
    """Writes fragments of many streams in order of arrival, from memory bounded in bytes.

    ``on_closed(file)`` is called in the writer thread when a file with a whole fragment is durable. What is
    being written is made durable every ``sync_seconds`` beside it; 0: only when a file is closed.
    """

    def __init__(
        self,
        store: Store,
        on_closed: OnFile,
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        sync_seconds: float = 0.0,
    ) -> None:
        self.store = store
        self._syncer = Syncer(store, sync_seconds)
        self.limit_bytes = limit_bytes
        self.trouble: DiskTrouble | None = None
        self._on_closed = on_closed
        self._jobs: deque[tuple[SegmentFile, QueuedFragment | None]] = deque()
        self._changed = threading.Condition()
        self._pending_bytes = 0
        self._joined = io.BytesIO()
        self._delays = array("f", bytes(4 * _DELAYS))  # seconds from queue to disk, of the newest fragments
        self._written = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
        self._thread.start()

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._pending_bytes

    def delay_ms(self, share: float = 0.99) -> float:
        """How long that share of the newest fragments waited at most until they were on the disk."""
        known = sorted(self._delays[: self._written])
        return round(1000 * known[min(int(share * len(known)), len(known) - 1)], 1) if known else 0.0

    def sync_lag_ms(self) -> float:
        """How long it took at most, of late, until what was written was durable; 0 without syncing."""
        return self._syncer.lag_ms()

    def has_room(self, size: int) -> bool:
        """Whether a fragment of this size fits."""
        return self._pending_bytes + size <= self.limit_bytes

    def write(self, file: SegmentFile, queued: QueuedFragment) -> None:
        """Queue a fragment; never blocks. The caller has asked ``has_room``."""
        queued.queued_at = time.monotonic()
        with self._changed:
            self._pending_bytes += queued.fragment.entry.size
            file.backlog.bytes += queued.fragment.entry.size
            self._jobs.append((file, queued))
            self._changed.notify()

    def close_file(self, file: SegmentFile) -> None:
        """Queue the end of a file."""
        with self._changed:
            self._jobs.append((file, None))
            self._changed.notify()

    def stop(self, timeout: float) -> bool:
        """Write all that is queued, then end; False when the disk took longer than that."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)
        self._syncer.stop()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._stopping:
                    self._changed.wait()
                if not self._jobs:
                    return
                file, queued = self._jobs.popleft()
            if queued is None:
                self._close(file)
                continue
            self._write(file, queued)
            self._delays[self._written % _DELAYS] = time.monotonic() - queued.queued_at
            self._written += 1
            with self._changed:
                self._pending_bytes -= queued.fragment.entry.size
                file.backlog.bytes -= queued.fragment.entry.size

    def _write(self, file: SegmentFile, queued: QueuedFragment) -> None:
        if file.failed is None:
            try:
                if file.unsure is not None:
                    raise file.unsure
                if file.fd < 0:
                    self._create(file)
                self._append(file, queued)
            except (OSError, StoreError) as error:
                self._fail(file, error)
        if file.failed is not None:
            file.lost_tick = queued.fragment.start + queued.fragment.entry.ticks
        queued.units = None
        queued.fragment.parts.clear()  # whoever keeps it for its offset must not keep its bytes

    def _create(self, file: SegmentFile) -> None:
        self.store.check()
        for epoch in range(_EPOCHS_TRIED):
            file.key = file.key._replace(epoch=epoch)
            try:
                file.fd = self.store.create_exclusive(file.key)
                return
            except FileExistsError:
                continue  # the clock was stepped back: another file began in this very millisecond
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), file.key.path())

    def _append(self, file: SegmentFile, queued: QueuedFragment) -> None:
        fragment = queued.fragment
        first = not file.entries
        size = self._write_parts(file, [file.init, *fragment.parts] if first else fragment.parts)
        if not first and 0 < fragment.start - file.last_start < 1 << 32:
            last = file.entries[-1]
            ticks = fragment.start - file.last_start
            file.entries[-1] = FragmentEntry(last.size, ticks, last.pictures, last.flags)
        file.entries.append(fragment.entry)
        file.last_start = fragment.start
        file.end_tick = fragment.start + fragment.entry.ticks
        queued.offset = file.size + size - fragment.entry.size
        file.size += size
        self._syncer.wrote(file, is_new=first)
        self.trouble = None
        file.begun = True
        file.backlog.written_ms = queued.arrival_ms
        if first and file.after_gap:
            file.owner.file_landed(file)

    def _write_parts(self, file: SegmentFile, parts: list[bytes]) -> int:
        # Joined in the same memory every time: it stays in the processor's cache for the write and the hash.
        joined = self._joined
        joined.seek(0)
        joined.writelines(parts)
        size = joined.tell()
        with joined.getbuffer() as whole, whole[:size] as data:
            self.store.write(file.fd, data)
            file.hash.update(data)
        if size > _MOST_KEPT:
            self._joined = io.BytesIO()
        return size

    def _fail(self, file: SegmentFile, error: OSError | StoreError) -> None:
        file.failed = self.trouble = explain(error)
        log.error("cannot write footage", camera=file.key.camera, cause=file.failed.error.message)
        if file.fd >= 0 and file.entries:
            try:
                os.ftruncate(file.fd, file.size)  # what was half written is cut off again
            except OSError as cut:
                log.warning("cannot cut a half-written fragment", camera=file.key.camera, cause=str(cut))

    def _close(self, file: SegmentFile) -> None:
        if file.fd >= 0:
            self._sync_and_close(file)
            if file.entries:
                self._on_closed(file)
            elif file.size == 0:
                self._discard(file)
        if file.failed is not None and not file.reported:
            file.owner.file_lost(file)

    def _sync_and_close(self, file: SegmentFile) -> None:
        self._syncer.closing(file)
        try:
            if file.unsure is not None:
                raise file.unsure
            if file.entries:
                self.store.sync(file.fd, file.key)
        except OSError as error:
            # The bytes may or may not be safe: no row now. The next start looks at the file and decides.
            file.failed = self.trouble = explain(error)
            file.lost_tick = max(file.lost_tick, file.end_tick)
            file.reported = False
            file.entries.clear()
            log.error("cannot make footage durable", camera=file.key.camera, cause=file.failed.error.message)
        finally:
            os.close(file.fd)
            file.fd = -1

    def _discard(self, file: SegmentFile) -> None:
        try:
            self.store.delete(file.key)
        except OSError as error:
            log.warning("cannot remove an empty file", camera=file.key.camera, cause=str(error))


def explain(error: OSError | StoreError) -> DiskTrouble:
    """The gap's cause and the sentence for a person."""
    if isinstance(error, StoreError):
        return DiskTrouble(GapCause.DISK_ERROR, error)
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = BeholdenError(
            "disk_full",
            "The storage disk is full, so nothing can be recorded.",
            "Free space, or keep footage for fewer days; recording goes on by itself then.",
        )
        return DiskTrouble(GapCause.DISK_FULL, text)
    if error.errno == errno.EROFS:
        text = BeholdenError(
            "disk_read_only",
            "The storage disk has become read-only, so nothing can be recorded.",
            "Look at the disk's health and mount it writable; recording goes on by itself then.",
        )
        return DiskTrouble(GapCause.DISK_ERROR, text)
    text = BeholdenError(
        "disk_error",
        f"The storage disk failed while writing footage: {reason}.",
        "Check the disk and its mount; recording goes on by itself when it works again.",
    )
    return DiskTrouble(GapCause.DISK_ERROR, text)


def too_slow() -> DiskTrouble:
    """The trouble of a disk that cannot keep up."""
    text = BeholdenError(
        "disk_slow",
        "The storage disk is too slow for these cameras, and the memory for waiting footage is used up.",
        "Use a faster disk or fewer cameras on it; recording goes on by itself when it catches up.",
    )
    return DiskTrouble(GapCause.DISK_SLOW, text)
