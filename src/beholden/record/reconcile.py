"""Catalog and volume compared both ways, in the background, slowly enough to be no load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import structlog
from sqlalchemy import Connection

from beholden.catalog import Catalog, gaps, segments
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock
from beholden.record.index import IndexItem
from beholden.record.recover import repair
from beholden.store.store import StoreError
from beholden.store.volume import Volume

log = structlog.get_logger()

PAGE = 500
FEWEST_TO_DOUBT = 100
# A file changed within this time may be one that is being written.
_QUIET_SECONDS = 120.0
_PAUSE_SECONDS = 0.05


class Reconciler:
    """One pass over one volume. ``owns(camera)`` says which cameras' files this shard looks after; rows are
    compared only by the shard that ``checks_rows``. ``alarm`` is set when a person must be asked."""

    def __init__(
        self,
        catalog: Catalog,
        volume: Volume,
        volume_id: int,
        clock: Clock,
        put: Callable[[IndexItem], None],
        owns: Callable[[int], bool],
    ) -> None:
        self._catalog = catalog
        self._volume = volume
        self._volume_id = volume_id
        self._clock = clock
        self._put = put
        self._owns = owns
        self.alarm: BeholdenError | None = None

    def repair(self, keys: list[SegmentKey], stop: threading.Event) -> int:
        """Repair and index files without rows; returns how many were indexed."""
        count = 0
        for key in keys:
            if stop.is_set():
                break
            try:
                item = repair(self._volume, self._volume_id, key)
            except OSError as error:
                log.warning("a file cannot be repaired now", path=key.path(), cause=str(error))
                continue
            if item is not None:
                self._put(item)
                count += 1
        return count

    def find_orphans(self, stop: threading.Event) -> int:
        """Files without rows, of any age: repaired and indexed, or set aside."""
        count = 0
        for page in _pages(key for key in self._volume.walk() if self._owns(key.camera)):
            if stop.wait(_PAUSE_SECONDS):
                break
            with self._catalog.read() as conn:
                orphans = [key for key in page if not segments.exists(conn, key)]
            count += self.repair([key for key in orphans if self._is_quiet(key)], stop)
        return count

    def find_missing(self, stop: threading.Event) -> int:
        """Rows without files become explained gaps, unless so many are missing that the volume itself must be
        in doubt: then nothing is changed and ``alarm`` is set (recorder rule 7)."""
        checked = 0
        missing: list[segments.Segment] = []
        after: SegmentKey | None = None
        while not stop.wait(_PAUSE_SECONDS):
            with self._catalog.read() as conn:
                page = segments.keys_on_volume(conn, self._volume_id, after=after, limit=PAGE)
            if not page:
                break
            checked += len(page)
            missing += [row for row in page if not self._volume.path_of(row.key).exists()]
            after = page[-1].key
        else:
            return 0
        self.alarm = self._doubt(checked, len(missing))
        if self.alarm is not None:
            log.error("rows are not touched", cause=self.alarm.message)
            return 0
        for row in missing:
            self._put(_forget(row))
        return len(missing)

    def _doubt(self, checked: int, missing: int) -> BeholdenError | None:
        try:
            if missing:
                self._volume.check()
        except StoreError as error:
            return error
        if checked < FEWEST_TO_DOUBT or missing * 2 <= checked:
            return None
        return BeholdenError(
            "footage_missing",
            f"{missing} of {checked} recorded files are not in {self._volume.path}; nothing is deleted.",
            "Mount the right disk there, or confirm that the footage is really gone.",
        )

    def _is_quiet(self, key: SegmentKey) -> bool:
        try:
            changed = self._volume.path_of(key).stat().st_mtime
        except OSError:
            return False
        return self._clock.now_ms() / 1000 - changed > _QUIET_SECONDS


def _forget(row: segments.Segment) -> Callable[[Connection, int], None]:
    def apply(conn: Connection, now_ms: int) -> None:
        key = row.key
        if not segments.exists(conn, key):
            return  # retention was faster
        segments.delete_segment(conn, now_ms, row, "file_missing", "recorder")
        detail = "The recorded file is no longer on the disk."
        gap = gaps.Gap(
            key.camera, StreamRole(key.stream), key.start_ms, row.end_ms, GapCause.FILE_MISSING, detail
        )
        gaps.open_gap(conn, now_ms, gap)

    return apply


def _pages(keys: Iterator[SegmentKey]) -> Iterator[list[SegmentKey]]:
    page: list[SegmentKey] = []
    for key in keys:
        page.append(key)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
