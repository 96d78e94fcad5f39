"""Retention: footage leaves when its days are over or room is needed; nothing held, never half unasked."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

import structlog
from sqlalchemy.exc import SQLAlchemyError

from beholden.catalog import Catalog, CatalogError, holds, keeping, usage
from beholden.catalog.keeping import Keeping
from beholden.catalog.segments import DAY_MS, Stored
from beholden.model.deletion import Reason
from beholden.model.errors import BeholdenError
from beholden.model.time import Clock
from beholden.record.doubt import FEWEST_TO_GAIN, Doubt
from beholden.record.due import Due, OnExpired
from beholden.record.oldest import Oldest, enough
from beholden.record.proof import certainly_before
from beholden.record.remove import BATCH, MARKED, Remover
from beholden.record.shelf import OpenStore, Shelf, below, open_volume, usable_shelves
from beholden.record.tier import Mover

log = structlog.get_logger()

PASS_SECONDS = 5.0
_CURSORS_SECONDS = 600.0
_DUE_SECONDS = 30.0
# Moving pauses for the other rules after so many bytes.
_MOVED_BYTES = 1 << 30
_EVER_MS = 1 << 62


class Retention:
    """Carries out the rules of all cameras and volumes, pass after pass. One at a time on a site.

    The order in which rules win: a hold, the hard maximum age, a camera's share, a volume's limit and floor,
    the days to keep (longer for parts with events).
    """

    def __init__(
        self,
        catalog: Catalog,
        clock: Clock,
        on_expired: OnExpired,
        *,
        open_store: OpenStore = open_volume,
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._open_store = open_store
        self._doubt = Doubt(catalog, clock)
        self._remover = Remover(catalog, clock)
        self._mover = Mover(catalog, clock)
        self._due_files = Due(catalog, clock, on_expired)
        self._oldest = Oldest([])
        self._oldest_at = float("-inf")
        self._spare: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._troubles: list[BeholdenError] = []
        self._looked_at = float("-inf")
        self._cleared: set[int] = set()
        self._busy = False

    @property
    def alarms(self) -> list[BeholdenError]:
        """What a person must look at, as of the last pass."""
        return [*self._troubles, *self._doubt.alarms, *self._mover.alarms]

    def run(self, stop: threading.Event) -> None:
        """Pass after pass until ``stop``; what fails is told and tried again."""
        while not stop.wait(0 if self._busy else PASS_SECONDS):
            self.run_once(stop)

    def run_once(self, stop: threading.Event) -> int:
        """One pass; returns how many files were deleted. A volume that cannot be used is left out."""
        deleted = 0
        self._busy = False
        try:
            shelves, troubles = usable_shelves(self._catalog, self._open_store)
            self._troubles = [error for _, error in troubles]
            self._begin(shelves)
            self._clear_copies(shelves)
            for shelf in shelves:
                deleted += self._remover.finish(shelf.store, shelf.row.id)
                self._mover.finish(shelf)
            deleted += self._by_days(shelves, stop)
            deleted += self._by_share(shelves, stop)
            for shelf in reversed(shelves):
                deleted += self._by_space(shelf, shelves, stop)
            for shelf in shelves:
                deleted += self._move_old(shelf, shelves, stop)
        except CatalogError as error:
            log.warning("retention waits for the catalog", cause=error.message)
        except SQLAlchemyError as error:
            log.error("the catalog refused what retention did", cause=type(error).__name__)
        except OSError as error:
            log.warning("retention could not finish", cause=str(error))
            self._troubles = [*self._troubles, _cannot_delete(error)]
        return deleted

    def _clear_copies(self, shelves: list[Shelf]) -> None:
        """Half copies that a crash left, once for each volume that turns up."""
        for shelf in shelves:
            if shelf.row.id not in self._cleared:
                shelf.store.clear_copies()
                self._cleared.add(shelf.row.id)

    def _begin(self, shelves: list[Shelf]) -> None:
        with self._catalog.read() as conn:
            standing = holds.standing(conn)
        now = self._clock.monotonic()
        if standing != list(self._oldest.standing) or now - self._oldest_at > _CURSORS_SECONDS:
            self._oldest, self._oldest_at = Oldest(standing), now
        self._doubt.begin([shelf.row for shelf in shelves])

    def _by_days(self, shelves: list[Shelf], stop: threading.Event) -> int:
        now = self._clock.monotonic()
        if now - self._looked_at < _DUE_SECONDS:
            return 0
        self._looked_at = now
        deleted = 0
        with self._catalog.read() as conn:
            rules = keeping.all_cameras(conn)
        usable = {shelf.row.id: shelf for shelf in shelves}
        for volume, reason, batches in _together(self._allowed(rules, usable)):
            if stop.is_set():
                return deleted
            deleted += self._delete(usable[volume], batches, reason)
        self._due_files.forget(rules, self._oldest.standing)
        return deleted

    def _allowed(
        self, rules: list[Keeping], usable: dict[int, Shelf]
    ) -> Iterator[tuple[int, Reason, list[Stored]]]:
        """What is due by age. Of a volume of which more than half would go, and nobody said so, only what is
        beyond its camera's hard maximum for certain."""
        certain: dict[int, int] = {}  # by camera: what ended by an instant is due without any doubt
        sure: Counter[int] = Counter()
        now_ms = self._clock.now_ms()
        with self._catalog.read() as conn:
            due = Counter(usage.files_up_to(conn, {each.camera: each.plain_cutoff(now_ms) for each in rules}))
        if self._is_much(usable, due):
            due, _ = self._due(rules, certain)
        if self._is_much(usable, due):
            certain = self._certain(rules, now_ms)
            due, sure = self._due(rules, certain)
        doubted = {
            number
            for number, shelf in usable.items()
            if self._doubt.doubts_due(shelf.row, due[number], sure[number])
        }
        for each in rules:
            for volume, reason, rows in self._due_files.leaving(each, self._oldest.standing):
                if volume in doubted:
                    rows = [row for row in rows if row.end_ms <= certain.get(each.camera, 0)]
                if volume in usable and rows:
                    yield volume, reason, rows

    def _is_much(self, usable: dict[int, Shelf], due: Counter[int]) -> bool:
        return any(self._doubt.is_much(shelf.row, due[number]) for number, shelf in usable.items())

    def _certain(self, rules: list[Keeping], now_ms: int) -> dict[int, int]:
        """By camera: what ended by this instant goes, even if more than half of all does. Everything that is
        due when a person set its days within the last one; what is beyond its hard maximum, if so much was
        recorded after it that no clock that jumped can have made it old."""
        found = {}
        with self._catalog.read() as conn:
            recorded = usage.recorded_by_day(conn)
            for each in rules:
                if keeping.days_set_since(conn, each.camera, now_ms - DAY_MS):
                    found[each.camera] = now_ms
                elif each.max_days is not None:
                    proven_ms = certainly_before(recorded, now_ms, round(each.max_days * DAY_MS))
                    found[each.camera] = min(proven_ms, each.hard_cutoff(now_ms))
        return found

    def _due(self, rules: list[Keeping], certain: dict[int, int]) -> tuple[Counter[int], Counter[int]]:
        """How many files of each volume are due: of the others, and of those that are so for certain."""
        due: Counter[int] = Counter()
        sure: Counter[int] = Counter()
        for each in rules:
            until_ms = certain.get(each.camera, 0)
            for volume, _, rows in self._due_files.leaving(each, self._oldest.standing):
                without_doubt = sum(row.end_ms <= until_ms for row in rows) if until_ms else 0
                sure[volume] += without_doubt
                due[volume] += len(rows) - without_doubt
        return due, sure

    def _by_share(self, shelves: list[Shelf], stop: threading.Event) -> int:
        """A camera's oldest footage goes beyond its ``max_bytes``."""
        deleted = 0
        usable = {shelf.row.id: shelf for shelf in shelves}
        for camera, over in self._due_files.over_share().items():
            while over > 0 and not stop.is_set():
                with self._catalog.read() as conn:
                    found = (r for r in self._oldest.of_camera(conn, camera) if r.volume in usable)
                    rows = enough(found, over, BATCH)
                if not rows:
                    break
                for volume in sorted({row.volume for row in rows}):
                    there = [row for row in rows if row.volume == volume]
                    deleted += self._delete(usable[volume], [there], Reason.CAMERA_SHARE)
                over -= sum(row.size for row in rows)
        return deleted

    def _by_space(self, shelf: Shelf, shelves: list[Shelf], stop: threading.Event) -> int:
        """Free what a volume's floor and limit ask for, and a little more, so that what is written until the
        next pass finds room: to the next tier while there is one, else for good."""
        margin = self._margin(shelf)
        if shelf.shortage <= -margin // 2:
            self._doubt.has_room(shelf.row)
            return 0
        lower = below(shelf, shelves)
        if lower is None:
            return self._free(shelf, shelf.shortage + margin, stop)
        deleted, moved = self._move(shelf, lower, shelf.shortage + margin, _EVER_MS, stop)
        is_full = shelf.store.free_bytes() < shelf.row.floor_bytes // 2
        if is_full or (not moved and shelf.limit_binds):
            # Moving is slower than recording, or not possible: rather the oldest footage than the newest.
            deleted += self._free(shelf, shelf.shortage, stop)
        return deleted

    def _move_old(self, shelf: Shelf, shelves: list[Shelf], stop: threading.Event) -> int:
        lower, days = below(shelf, shelves), shelf.row.move_after_days
        if lower is None or days is None:
            return 0
        before_ms = self._clock.now_ms() - round(days * DAY_MS)
        return self._move(shelf, lower, _MOVED_BYTES, before_ms, stop)[0]

    def _move(
        self, shelf: Shelf, lower: Shelf, needed: int, before_ms: int, stop: threading.Event
    ) -> tuple[int, int]:
        """Move the oldest footage that ended by an instant to the next tier, making room for it there; held
        footage too, for it is not deleted. Returns how many files had to go, and how many bytes moved."""
        with self._catalog.read() as conn:
            oldest = itertools.takewhile(
                lambda row: row.end_ms <= before_ms, Oldest([]).of_volume(conn, shelf.row.id)
            )
            rows = self._mover.movable(enough(oldest, min(needed, _MOVED_BYTES), BATCH))
        size = sum(row.size for row in rows)
        deleted = moved = 0
        if rows and lower.shortage + size > 0:
            deleted = self._free(lower, lower.shortage + size, stop)
        if rows and lower.shortage + size <= 0 and not stop.is_set():
            moved = self._mover.move(shelf, lower, rows, stop)
            self._busy = self._busy or moved >= _MOVED_BYTES
        return deleted, moved

    def _free(self, shelf: Shelf, needed: int, stop: threading.Event) -> int:
        deleted = freed = 0
        reason = Reason.VOLUME_LIMIT if shelf.limit_binds else Reason.SPACE
        while needed > freed and not stop.is_set():
            with self._catalog.read() as conn:
                rows = enough(self._oldest.of_volume(conn, shelf.row.id), needed - freed, FEWEST_TO_GAIN)
            if not rows or not self._doubt.may_free(shelf.row, len(rows)):
                break
            before = shelf.store.free_bytes()
            size = sum(row.size for row in rows)
            deleted += self._delete(shelf, [rows], reason)
            freed += size
            gained = shelf.store.free_bytes() - before
            if reason is Reason.SPACE and not self._doubt.gains(shelf.row, len(rows), size, gained):
                break
        return deleted

    def _delete(self, shelf: Shelf, batches: list[list[Stored]], reason: Reason) -> int:
        gone = self._remover.delete(shelf.store, batches, reason)
        shelf.used -= sum(row.size for row in gone)
        self._doubt.deleted(shelf.row, len(gone))
        return len(gone)

    def _margin(self, shelf: Shelf) -> int:
        """Twice what was written since the last pass, within a hundredth and a tenth of what there is."""
        if shelf.row.tier != 0:
            return 0  # what moves there makes its own room
        most = shelf.row.limit_bytes or shelf.store.total_bytes()
        grown = shelf.used - self._used.get(shelf.row.id, shelf.used)
        self._used[shelf.row.id] = shelf.used
        wanted = min(max(2 * grown, self._spare.get(shelf.row.id, 0) * 9 // 10), most // 10)
        self._spare[shelf.row.id] = wanted
        return wanted


def _together(
    due: Iterable[tuple[int, Reason, list[Stored]]],
) -> Iterator[tuple[int, Reason, list[list[Stored]]]]:
    """What follows each other for one reason on one volume, as much as is marked at once."""
    for (volume, reason), group in itertools.groupby(due, key=lambda each: each[:2]):
        batches: list[list[Stored]] = []
        for _, _, rows in group:
            if batches and len(batches[-1]) + len(rows) <= BATCH:
                batches[-1] = batches[-1] + rows
                continue
            if len(batches) == MARKED // BATCH:
                yield volume, reason, batches
                batches = []
            batches.append(rows)
        yield volume, reason, batches


def _cannot_delete(error: OSError) -> BeholdenError:
    return BeholdenError(
        "cannot_delete",
        f"Old footage cannot be deleted: {error.strerror or error}.",
        "Check the disk and its mount; deletion goes on by itself when it works again.",
    )
