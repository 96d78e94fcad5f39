"""Footage leaves when it is too old or the disk needs room: oldest first, never half of it unasked."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy import select

from beholden.catalog import Catalog, cameras, segments
from beholden.catalog.segments import Segment
from beholden.catalog.tables import journal
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock
from beholden.store.store import Store

log = structlog.get_logger()

PASS_SECONDS = 30.0
DAY_MS = 86_400_000
_ASKED_MS = 60_000
FEWEST_TO_DOUBT = 100
_BATCH = 100
_MARK_NAME = ".beholden-deleting"

OnExpired = Callable[[int, int], None]
"""Called with (camera, cutoff_ms): what was derived from older footage must go too."""


class Retention:
    """One volume's retention. ``floor_bytes`` of free space are kept on its file system.

    Order of a deletion (recorder rule 6): keys are marked in a file on the volume, the files unlinked and
    their folders synced, the rows removed, the mark removed. A mark found at a start is finished.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        root: Path,
        volume_id: int,
        floor_bytes: int,
        clock: Clock,
        on_expired: OnExpired,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._mark = root / _MARK_NAME
        self._volume_id = volume_id
        self._floor_bytes = floor_bytes
        self._clock = clock
        self._on_expired = on_expired
        self._budget = 0
        self.alarm: BeholdenError | None = None

    def run(self, stop: threading.Event) -> None:
        """Pass after pass until ``stop``; what fails is told and tried again."""
        while not stop.wait(PASS_SECONDS):
            try:
                self.run_once(stop)
            except (BeholdenError, OSError) as error:
                log.warning("retention could not finish", cause=str(error))

    def run_once(self, stop: threading.Event) -> int:
        """One pass; returns how many files were deleted. StoreError when the volume is not the right one."""
        self._store.check()
        deleted = self._finish_marked()
        with self._catalog.read() as conn:
            total = segments.count(conn)
            keep = cameras.keep_days(conn)
        self._budget = total if total < FEWEST_TO_DOUBT else total // 2
        self.alarm = None
        for camera, days in keep.items():
            deleted += self._delete_old(camera, self._clock.now_ms() - round(days * DAY_MS), stop)
        return deleted + self._free_space(stop)

    def _delete_old(self, camera: int, cutoff_ms: int, stop: threading.Event) -> int:
        deleted = 0
        confirmed = self._is_confirmed(camera)
        while not stop.is_set():
            with self._catalog.read() as conn:
                rows = segments.ended_before(conn, camera, cutoff_ms, _BATCH)
            rows = [row for row in rows if row.volume == self._volume_id]
            if not rows:
                break
            if not confirmed and not self._may_delete(len(rows)):
                self._doubt(
                    "retention_asks",
                    "More than half of all footage would be deleted by age at once, so none more is.",
                    "Check this machine's clock and the days each camera keeps; saving those days confirms.",
                )
                return deleted
            # Nothing at all is to be kept: a person said so.
            asked_for = cutoff_ms > self._clock.now_ms() - _ASKED_MS
            self._delete(rows, "deletion asked for" if asked_for else "too old")
            deleted += len(rows)
        self._on_expired(camera, cutoff_ms)
        return deleted

    def _free_space(self, stop: threading.Event) -> int:
        deleted = 0
        while self._store.free_bytes() < self._floor_bytes and not stop.is_set():
            with self._catalog.read() as conn:
                rows = [row for row in segments.oldest(conn, limit=_BATCH) if row.volume == self._volume_id]
            rows = self._enough(rows)
            if not rows:
                return deleted
            if not self._may_delete(len(rows)):
                self._doubt(
                    "disk_used_by_others",
                    "Half of all footage was deleted and the disk is still too full: others fill it.",
                    "Free space on it; the rest of the footage is kept until then.",
                )
                return deleted
            self._delete(rows, "space needed")
            deleted += len(rows)
        return deleted

    def _enough(self, rows: list[Segment]) -> list[Segment]:
        needed = self._floor_bytes - self._store.free_bytes()
        chosen: list[Segment] = []
        for row in rows:
            if needed <= 0:
                break
            chosen.append(row)
            needed -= row.size
        return chosen

    def _may_delete(self, count: int) -> bool:
        if count > self._budget:
            return False
        self._budget -= count
        return True

    def _doubt(self, code: str, message: str, next_step: str) -> None:
        self.alarm = BeholdenError(code, message, next_step)
        log.error("retention stopped", cause=message)

    def _is_confirmed(self, camera: int) -> bool:
        """Whether a person set the days this camera keeps within the last day."""
        query = select(journal.c.body).where(
            journal.c.camera == camera,
            journal.c.kind == "camera_changed",
            journal.c.at_ms > self._clock.now_ms() - DAY_MS,
        )
        with self._catalog.read() as conn:
            return any("keep_days" in json.loads(body) for body in conn.execute(query).scalars())

    def _delete(self, rows: list[Segment], cause: str) -> None:
        self._write_mark(rows, cause)
        self._remove(rows, cause)

    def _remove(self, rows: list[Segment], cause: str) -> None:
        for row in rows:
            self._store.delete(row.key)
        now_ms = self._clock.now_ms()
        with self._catalog.write() as conn:
            for row in rows:
                if segments.exists(conn, row.key):
                    segments.delete_segment(conn, now_ms, row, cause, "retention")
        self._mark.unlink(missing_ok=True)
        log.info("footage deleted", cause=cause, segments=len(rows), bytes=sum(row.size for row in rows))

    def _write_mark(self, rows: list[Segment], cause: str) -> None:
        body = {"cause": cause, "keys": [_key_fields(row.key) for row in rows]}
        draft = self._mark.with_suffix(".new")
        with draft.open("w", encoding="ascii") as file:
            json.dump(body, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._mark)

    def _finish_marked(self) -> int:
        """Finish what a crash interrupted."""
        try:
            body = json.loads(self._mark.read_text(encoding="ascii"))
            keys = [SegmentKey(c, StreamRole(s), t, e) for c, s, t, e in body["keys"]]
            cause = str(body["cause"])
        except FileNotFoundError:
            return 0
        except (ValueError, KeyError, TypeError):
            self._mark.unlink(missing_ok=True)  # half written: nothing was deleted yet
            return 0
        with self._catalog.read() as conn:
            rows = [row for key in keys if (row := segments.get(conn, key)) is not None]
        self._remove(rows, cause)
        return len(rows)


def _key_fields(key: SegmentKey) -> tuple[int, int, int, int]:
    return key.camera, int(key.stream), key.start_ms, key.epoch
