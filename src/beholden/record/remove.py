"""The one way in which footage is deleted: row marked, file unlinked, folder synced, row gone (rule 6)."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from beholden.catalog import Catalog, holds, leaving
from beholden.catalog.segments import Stored
from beholden.model.deletion import Reason
from beholden.model.time import Clock
from beholden.store.store import Store

log = structlog.get_logger()

BY = "retention"
# Each is two short transactions; a recorder that wants to write waits for no more than one of them.
BATCH = 1500


class Remover:
    """Deletes files of volumes. Holds are read in the transaction that marks: they win over everything."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    def delete(self, store: Store, rows: Sequence[Stored], reason: Reason) -> list[Stored]:
        """Delete files of one volume; returns those that went. What is held stays.

        OSError when the disk refuses: then they stay marked, and ``finish`` tries again.
        """
        gone: list[Stored] = []
        for first in range(0, len(rows), BATCH):
            gone += self._delete_batch(store, rows[first : first + BATCH], reason)
        return gone

    def finish(self, store: Store, volume: int) -> int:
        """Finish what a crash or a failing disk interrupted; returns how many files."""
        count = 0
        while True:
            with self._catalog.read() as conn:
                found = leaving.marked(conn, volume, BATCH)
            if not found:
                return count
            for each in found:
                count += self._finish(store, each)

    def _delete_batch(self, store: Store, rows: Sequence[Stored], reason: Reason) -> list[Stored]:
        with self._catalog.write() as conn:
            standing = holds.standing(conn)
            going = [r for r in rows if not holds.covered(standing, r.key.camera, r.key.start_ms, r.end_ms)]
            runs = leaving.runs(going)
            leaving.mark(conn, self._clock.now_ms(), runs, reason)
        self._unlink(store, runs, reason)
        return going

    def _finish(self, store: Store, found: leaving.Leaving) -> int:
        with self._catalog.write() as conn:
            standing = holds.standing(conn)
            held = [
                row
                for row in found.rows
                if holds.covered(standing, row.key.camera, row.key.start_ms, row.end_ms)
                and store.path_of(row.key).exists()
            ]
            leaving.unmark(conn, held)
        going = [row for row in found.rows if row not in held]
        self._unlink(store, leaving.runs(going), found.reason)
        return len(going)

    def _unlink(self, store: Store, runs: Sequence[leaving.Run], reason: Reason) -> None:
        if not runs:
            return
        store.delete_many(row.key for run in runs for row in run)
        with self._catalog.write() as conn:
            leaving.forget(conn, self._clock.now_ms(), runs, reason, BY)
        log.info("footage deleted", cause=reason.value, segments=sum(map(len, runs)))
