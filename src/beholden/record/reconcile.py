"""Catalog and volumes compared both ways, in the background, slowly enough to be no load."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator

import structlog
from sqlalchemy import Connection

from beholden.catalog import Catalog, leaving, segments, usage, volumes
from beholden.catalog.segments import Stored
from beholden.model.deletion import Reason, words
from beholden.model.errors import BeholdenError
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock
from beholden.record.compare import pairs
from beholden.record.doubt import FEWEST_TO_DOUBT
from beholden.record.index import IndexItem
from beholden.record.recover import repair
from beholden.record.shelf import OpenStore, Shelf, open_volume, usable_shelves
from beholden.store.store import FoundFile, Store, StoreError

log = structlog.get_logger()

PAGE = 500
# A file changed within this time may be one that is being written, or copied.
QUIET_MS = 120_000
_PAUSE_SECONDS = 0.05
_AGAIN_SECONDS = 60.0


class Reconciler:
    """Compares all volumes of a site. ``owns(camera)`` says whose files and rows this shard looks after.

    A volume is compared once, when it is first seen usable, and again every minute while a person is asked
    about it: ``alarms``. What is found is put into the index.
    """

    def __init__(
        self,
        catalog: Catalog,
        clock: Clock,
        put: Callable[[IndexItem], None],
        owns: Callable[[int], bool],
        *,
        open_store: OpenStore = open_volume,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._put = put
        self._owns = owns
        self._open_store = open_store
        self._pause_seconds = pause_seconds
        self._due: dict[int, float] = {}
        self._asked: dict[int, BeholdenError] = {}

    @property
    def alarms(self) -> list[BeholdenError]:
        """What a person is asked."""
        return list(self._asked.values())

    def run_due(self, stop: threading.Event) -> None:
        """Compare the volumes that are due. CatalogError and OSError as they come: then they stay due."""
        shelves, _ = usable_shelves(self._catalog, self._open_store)
        for shelf in shelves:
            number = shelf.row.id
            if stop.is_set() or self._due.get(number, 0.0) > self._clock.monotonic():
                continue
            self.compare(shelf, shelves, stop)
            again = _AGAIN_SECONDS if number in self._asked else float("inf")
            self._due[number] = self._clock.monotonic() + again

    def compare(self, shelf: Shelf, shelves: list[Shelf], stop: threading.Event) -> None:
        """One volume, both ways: files without rows are indexed or set aside, those left from a move removed,
        rows without files become explained gaps, unless so many are missing that the volume is in doubt."""
        missing = 0
        for page in self._pages(shelf, stop):
            missing += sum(file is None for _, file in page)
            extra = [file for row, file in page if row is None and file is not None]
            self.take_up(shelf, shelves, extra, stop)
        if stop.is_set() or not self.may_forget(shelf, missing):
            return
        if missing:
            for page in self._pages(shelf, stop):
                self.forget(shelf, shelves, [r for r, file in page if r is not None and file is None])

    def repair(self, store: Store, volume: int, keys: Iterable[SegmentKey], stop: threading.Event) -> int:
        """Repair and index files without rows; returns how many were indexed."""
        count = 0
        for key in keys:
            if stop.is_set():
                break
            try:
                item = repair(store, volume, key)
            except OSError as error:
                log.warning("a file cannot be repaired now", path=key.path(), cause=str(error))
                continue
            if item is not None:
                self._put(item)
                count += 1
        return count

    def take_up(
        self, shelf: Shelf, shelves: list[Shelf], files: Iterable[FoundFile], stop: threading.Event
    ) -> None:
        """Files that have no row on this volume: index them, or settle which of two copies counts."""
        quiet = [file for file in files if self._clock.now_ms() - file.changed_ms > QUIET_MS]
        if not quiet:
            return
        with self._catalog.read() as conn:
            known = segments.volumes_of(conn, [file.key for file in quiet])
        self.repair(shelf.store, shelf.row.id, [f.key for f in quiet if f.key not in known], stop)
        for file in quiet:
            if known.get(file.key, shelf.row.id) != shelf.row.id:
                self._settle(shelf, shelves, file)

    def forget(self, shelf: Shelf, shelves: list[Shelf], rows: Iterable[Stored], by: str = "recorder") -> int:
        """Rows without files go, each with a gap that says so; returns how many. One whose file lies whole on
        another volume follows it there."""
        gone = []
        for row in rows:
            if _has(shelf, row):
                continue
            place = next((other for other in shelves if _has(other, row)), None)
            if place is not None:
                self._put(_moving(row, place.row.id))
            else:
                gone.append(row)
        if gone:
            shelf.store.delete_many([row.key for row in gone])  # what was seen in them goes as well
            self._put(_forgetting(gone, by))
        return len(gone)

    def _pages(
        self, shelf: Shelf, stop: threading.Event
    ) -> Iterator[list[tuple[Stored | None, FoundFile | None]]]:
        with self._catalog.read() as conn:
            indexed = {camera for camera, _, _ in usage.streams_on(conn, shelf.row.id)}
        cameras = sorted(filter(self._owns, indexed | set(shelf.store.cameras())))
        found = itertools.chain.from_iterable(
            pairs(self._catalog, shelf.store, shelf.row.id, camera) for camera in cameras
        )
        while (page := list(itertools.islice(found, PAGE))) and not stop.wait(self._pause_seconds):
            yield page

    def may_forget(self, shelf: Shelf, missing: int) -> bool:
        """Whether so many rows without files may be believed: not when the volume is not the right one, nor
        when they are more than half of a hundred or more, unless a person confirmed it (rule 7)."""
        number = shelf.row.id
        with self._catalog.read() as conn:
            streams = usage.files_by_camera(conn, number)
        total = sum(count for camera, count in streams.items() if self._owns(camera))
        self._asked.pop(number, None)
        if not missing:
            return True
        try:
            shelf.store.check()
        except StoreError as error:
            self._asked[number] = error
            return False
        if total < FEWEST_TO_DOUBT or missing * 2 <= total:
            return True
        with self._catalog.read() as conn:
            if volumes.confirmed_by(conn, self._clock.now_ms(), number, "missing") is not None:
                return True
        self._asked[number] = BeholdenError(
            "footage_missing",
            f"{missing} of {total} recorded files are not in {shelf.row.path}; nothing is deleted.",
            f"Mount the right disk there. If they are really gone, confirm it in the settings or with "
            f"`beholden volume confirm {number} --missing`.",
        )
        log.error("rows are not touched", cause=self._asked[number].message)
        return False

    def _settle(self, shelf: Shelf, shelves: list[Shelf], file: FoundFile) -> None:
        """A crash while footage moved left two copies: the row's counts, unless only this one is there."""
        with self._catalog.read() as conn:
            row = segments.get(conn, file.key)
        other = next((each for each in shelves if row is not None and each.row.id == row.volume), None)
        if row is None or other is None or row.leaves:
            return  # its volume is not mounted, or it is being deleted: nothing is decided now
        here = Stored(row.key, row.end_ms, row.size, row.volume, row.sha256)
        if _has(other, here):
            log.info("removed a copy left from a move", path=str(shelf.store.path_of(file.key)))
            shelf.store.delete(file.key)
        elif file.size == row.size:
            self._put(_moving(here, shelf.row.id))


def _has(shelf: Shelf, row: Stored) -> bool:
    try:
        return shelf.store.path_of(row.key).stat().st_size == row.size
    except FileNotFoundError:
        return False


def _moving(row: Stored, volume: int) -> Callable[[Connection, int], None]:
    def apply(conn: Connection, now_ms: int) -> None:
        segments.move(conn, now_ms, [row], volume)

    return apply


def _forgetting(rows: list[Stored], by: str) -> Callable[[Connection, int], None]:
    def apply(conn: Connection, now_ms: int) -> None:
        # Retention may have been faster, and a move may have changed the volume.
        places = segments.volumes_of(conn, [row.key for row in rows])
        still = [row for row in rows if places.get(row.key) == row.volume]
        detail = words(Reason.LOST) if by == "recorder" else f"{words(Reason.LOST)} Found by {by}."
        leaving.forget(conn, now_ms, leaving.runs(still), Reason.LOST, by, detail=detail)

    return apply
