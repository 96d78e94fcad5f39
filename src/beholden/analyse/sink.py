"""Where events go: the catalog, or a list in tests."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection

from beholden.analyse.events import EventChange
from beholden.analyse.reports import Crossing
from beholden.catalog import Catalog, counts, events


class EventSink(Protocol):
    """The seam between the analyser and the catalog. Calls come in order, from one thread."""

    def start(self, change: EventChange) -> int:
        """Store a new event and return its id. BeholdenError when the catalog cannot be written."""
        ...

    def update(self, event_id: int, change: EventChange, still_size: int | None) -> None:
        """Store better knowledge; ``still_size`` in bytes when a new still was written."""
        ...

    def end(self, event_id: int, change: EventChange) -> None:
        """Store that it is over."""
        ...

    def crossed(self, crossing: Crossing) -> None:
        """Count an object that crossed a line."""
        ...

    def end_orphans(self) -> int:
        """End events left open by an analyser that died; returns how many."""
        ...


class CatalogSink:
    """Events in the catalog; each call is one short transaction."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def start(self, change: EventChange) -> int:
        with self._catalog.write() as conn:
            return events.start_event(
                conn,
                change.camera,
                change.kind,
                change.start_ms,
                change.score,
                change.box,
                change.still_ms,
                change.hit,
            )

    def update(self, event_id: int, change: EventChange, still_size: int | None) -> None:
        with self._catalog.write() as conn:
            self._update(conn, event_id, change, still_size)

    def end(self, event_id: int, change: EventChange) -> None:
        assert change.end_ms is not None
        with self._catalog.write() as conn:
            events.update_event(conn, event_id, kind=change.kind, score=change.score)
            if change.hit is not None:
                events.detail_event(conn, event_id, change.hit.detail)
            events.end_event(conn, event_id, change.end_ms)

    def crossed(self, crossing: Crossing) -> None:
        with self._catalog.write() as conn:
            counts.add_crossing(conn, crossing.place, crossing.at_ms, crossing.kind, crossing.went_in)

    def end_orphans(self) -> int:
        with self._catalog.write() as conn:
            return events.end_orphans(conn)

    def _update(self, conn: Connection, event_id: int, change: EventChange, still_size: int | None) -> None:
        if change.hit is not None:
            events.detail_event(conn, event_id, change.hit.detail)
        if still_size is None:
            events.update_event(conn, event_id, kind=change.kind, score=change.score)
            return
        # box and time belong to the still, so they change with it
        events.update_event(
            conn,
            event_id,
            kind=change.kind,
            score=change.score,
            box=change.box,
            still_ms=change.still_ms,
            still_size=still_size,
        )


class FakeSink:
    """Events in a list: ``told`` holds (phase, id, change)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, EventChange]] = []
        self.still_sizes: dict[int, int] = {}
        self.orphans = 0
        self.crossings: list[Crossing] = []
        self._next = 0

    def start(self, change: EventChange) -> int:
        self._next += 1
        self.told.append(("start", self._next, change))
        return self._next

    def update(self, event_id: int, change: EventChange, still_size: int | None) -> None:
        self.told.append(("update", event_id, change))
        if still_size is not None:
            self.still_sizes[event_id] = still_size

    def end(self, event_id: int, change: EventChange) -> None:
        self.told.append(("end", event_id, change))

    def crossed(self, crossing: Crossing) -> None:
        self.crossings.append(crossing)

    def end_orphans(self) -> int:
        return self.orphans
