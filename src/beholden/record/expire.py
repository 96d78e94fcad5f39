"""What was derived from footage goes with it: events and their stills."""

from __future__ import annotations

from pathlib import Path

from beholden.catalog import Catalog, events, journal
from beholden.model.time import Clock
from beholden.store.stills import still_path

_BATCH = 500


def expire_events(catalog: Catalog, stills: Path, clock: Clock, camera: int, cutoff_ms: int) -> None:
    """Delete a camera's events that ended before an instant, stills first."""
    while True:
        with catalog.read() as conn:
            old = events.ended_before(conn, camera, cutoff_ms, _BATCH)
        if not old:
            return
        for event in old:
            still_path(stills, event.camera, event.start_ms, event.id).unlink(missing_ok=True)
        with catalog.write() as conn:
            now_ms = clock.now_ms()
            for event in old:
                if event.still_size:
                    body = {"event": event.id, "cause": "too old", "by": "retention"}
                    journal.append(conn, now_ms, "still_deleted", camera, body)
            events.delete_events(conn, [event.id for event in old])
