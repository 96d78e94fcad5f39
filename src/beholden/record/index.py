"""The catalog's writer in a recorder: one thread, one transaction about a second, retried for ever."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from beholden.catalog import Catalog, CatalogError, gaps, segments
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.media import StreamFormat
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock

log = structlog.get_logger()

BATCH_SECONDS = 1.0
_LARGEST_BATCH = 500
_FIRST_RETRY, _LAST_RETRY = 0.25, 5.0
_MOST_ITEMS = 50_000


@dataclass(frozen=True, slots=True)
class IndexSegment:
    """A durable file to index."""

    key: SegmentKey
    end_ms: int
    size: int
    volume: int
    init: bytes
    stream_format: StreamFormat
    repaired: bool
    sha256: bytes
    fragments: bytes


@dataclass(frozen=True, slots=True)
class OpenGap:
    """Footage stopped; ``end_ms`` is given when it is known to be back already."""

    camera: int
    stream: StreamRole
    start_ms: int
    cause: GapCause
    detail: str
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CloseGap:
    """Footage is back."""

    camera: int
    stream: StreamRole
    end_ms: int


IndexItem = IndexSegment | OpenGap | CloseGap | Callable[[Connection, int], None]


class Index:
    """Takes facts from any thread without blocking and writes them in order.

    While the catalog is locked, full or gone the facts wait; footage goes on. When more than 50 000 wait,
    segments are let go first: their files are there, and the next start indexes them.
    """

    def __init__(self, catalog: Catalog, clock: Clock, *, batch_seconds: float = BATCH_SECONDS) -> None:
        self._catalog = catalog
        self._clock = clock
        self._batch_seconds = batch_seconds
        self._items: deque[IndexItem] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._abandoned = False
        self._busy = False
        self.trouble: CatalogError | None = None
        self.let_go = 0
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many facts are not written yet."""
        return len(self._items)

    def put(self, item: IndexItem) -> None:
        """Add a fact."""
        with self._changed:
            if isinstance(item, IndexSegment) and len(self._items) >= _MOST_ITEMS:
                self.let_go += 1
                return
            self._items.append(item)
            self._changed.notify()

    def flush(self, timeout: float) -> bool:
        """Wait until all is written; False when that takes longer."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._items or self._busy:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def stop(self, timeout: float) -> bool:
        """Write what waits, within the time, and end; False when some is left (files are found again)."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        done = self.flush(timeout)
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
        self._thread.join(0.1)
        return done

    def _run(self) -> None:
        retry = _FIRST_RETRY
        while (batch := self._next_batch()) is not None:
            if self._write(batch):
                retry = _FIRST_RETRY
                with self._changed:
                    for _ in batch:
                        self._items.popleft()
                    self._busy = False
                    self._changed.notify_all()
                continue
            with self._changed:
                self._busy = False
                self._changed.wait_for(lambda: self._abandoned, retry)
            retry = min(retry * 2, _LAST_RETRY)

    def _next_batch(self) -> list[IndexItem] | None:
        with self._changed:
            while not self._items and not self._stopping:
                self._changed.wait()
            if not self._items or self._abandoned:
                return None
            if not self._stopping and len(self._items) < _LARGEST_BATCH:
                self._changed.wait_for(lambda: self._stopping, self._batch_seconds)
            self._busy = True
            return [self._items[index] for index in range(min(len(self._items), _LARGEST_BATCH))]

    def _write(self, batch: list[IndexItem]) -> bool:
        """One transaction; False to try again later. A fact that the catalog refuses stops no others."""
        try:
            with self._catalog.write() as conn:
                for item in batch:
                    self._apply(conn, item)
        except CatalogError as error:
            self._tell(error)
            return False
        except SQLAlchemyError as error:
            log.error("the catalog refused a batch", cause=str(error.__cause__ or type(error).__name__))
            return self._write_singly(batch)
        self._told_all()
        return True

    def _write_singly(self, batch: list[IndexItem]) -> bool:
        for item in batch:
            try:
                with self._catalog.write() as conn:
                    self._apply(conn, item)
            except CatalogError as error:
                self._tell(error)
                return False
            except SQLAlchemyError as error:
                log.error("the catalog refused a fact", fact=type(item).__name__, cause=type(error).__name__)
        self._told_all()
        return True

    def _apply(self, conn: Connection, item: IndexItem) -> None:
        now_ms = self._clock.now_ms()
        if isinstance(item, IndexSegment):
            self._apply_segment(conn, now_ms, item)
        elif isinstance(item, OpenGap):
            gap = gaps.Gap(item.camera, item.stream, item.start_ms, item.end_ms, item.cause, item.detail)
            gaps.open_gap(conn, now_ms, gap)
        elif isinstance(item, CloseGap):
            gaps.close_gap(conn, now_ms, item.camera, item.stream, item.end_ms)
        else:
            item(conn, now_ms)

    def _apply_segment(self, conn: Connection, now_ms: int, item: IndexSegment) -> None:
        if segments.exists(conn, item.key):
            return  # written by an attempt whose answer was lost
        row = segments.Segment(
            item.key,
            item.end_ms,
            item.size,
            item.volume,
            segments.format_id(conn, media_format(item.init, item.stream_format)),
            item.repaired,
            item.sha256,
            item.fragments,
        )
        segments.close_segment(conn, now_ms, row)

    def _tell(self, error: CatalogError) -> None:
        if self.trouble is None:
            log.warning("the catalog cannot be written; footage goes on", cause=error.message)
        self.trouble = error

    def _told_all(self) -> None:
        if self.trouble is not None:
            log.info("the catalog can be written again", waiting=len(self._items))
        self.trouble = None


def media_format(init: bytes, stream_format: StreamFormat) -> segments.MediaFormat:
    """The catalog's row for an init segment (id 0: not stored yet)."""
    video, audio = stream_format.video, stream_format.audio
    return segments.MediaFormat(
        0,
        init,
        video.codec,
        video.codec_string,
        video.width,
        video.height,
        audio.codec if audio else None,
        audio.codec_string if audio else None,
        audio.rate if audio else None,
    )
