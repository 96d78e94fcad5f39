"""What was derived from footage goes with it: events and their stills."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from beholden.catalog import Catalog, events, holds, journal
from beholden.catalog.holds import Hold
from beholden.model.time import Clock
from beholden.store.stills import still_path

_BATCH = 500


def expire_events(
    catalog: Catalog, stills: Path, clock: Clock, camera: int, cutoff_ms: int, standing: Sequence[Hold]
) -> None:
    """Delete a camera's events that ended before an instant, stills first; those in held footage stay."""
    after = 0
    while True:
        with catalog.read() as conn:
            page = events.ended_before(conn, camera, cutoff_ms, _BATCH, after=after)
        if not page:
            return
        after = page[-1].id
        old = [e for e in page if not holds.covered(standing, camera, e.start_ms, e.end_ms or e.start_ms)]
        for event in old:
            still_path(stills, event.camera, event.start_ms, event.id).unlink(missing_ok=True)
        if not old:
            continue
        with catalog.write() as conn:
            now_ms = clock.now_ms()
            for event in old:
                if event.still_size:
                    body = {"event": event.id, "cause": "too old", "by": "retention"}
                    journal.append(conn, now_ms, "still_deleted", camera, body)
            events.delete_events(conn, [event.id for event in old])
