"""The one way in which footage is deleted: marked, file unlinked, folder synced, row gone (rule 6)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from beholden.catalog import Catalog, holds, leaving
from beholden.catalog.segments import Stored
from beholden.model.deletion import Reason
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock
from beholden.store.store import Store

log = structlog.get_logger()

BY = "retention"
# How many files are forgotten in one transaction: a recorder that wants to write waits for no more than that.
BATCH = 1500
# How many are marked in one: a mark is a narrow row for a thousand of them.
MARKED = 8 * BATCH
_THREADS = 2  # that unlink; they let go of the interpreter for whole folders (store/unlink.c)


class Remover:
    """Deletes files of volumes. Holds are read in the transaction that marks: they win over everything."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    def delete(self, store: Store, batches: Iterable[Sequence[Stored]], reason: Reason) -> list[Stored]:
        """Delete files of one volume, ``MARKED`` at most in batches of ``BATCH`` at most; returns those that
        went. What is held stays.

        OSError when the disk refuses: then they stay marked, and ``finish`` tries again.
        """
        marked = self._mark(batches, reason)
        self._remove(store, marked, reason)
        return [row for runs in marked for run in runs for row in run]

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

    def _mark(self, batches: Iterable[Sequence[Stored]], reason: Reason) -> list[list[leaving.Run]]:
        with self._catalog.write() as conn:
            standing = holds.standing(conn)
            found = [leaving.runs(holds.free(standing, batch)) for batch in batches]
            leaving.mark(conn, self._clock.now_ms(), itertools.chain.from_iterable(found), reason)
        return found

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
        kept = {row.key for row in held}
        going = [row for row in found.rows if row.key not in kept]
        self._remove(store, [leaving.runs(going)], found.reason)
        return len(going)

    def _remove(self, store: Store, batches: Sequence[Sequence[leaving.Run]], reason: Reason) -> None:
        """Batch by batch from the disk, which makes it durable, then from the catalog, while threads take the
        next from the disk. After an error what is not begun stays; nothing is under way on return."""
        with ThreadPoolExecutor(_THREADS, "unlink") as disk:
            try:
                under_way = [(runs, disk.submit(store.delete_many, _keys(runs))) for runs in batches if runs]
                for runs, unlinked in under_way:
                    unlinked.result()
                    with self._catalog.write(references=False) as conn:  # nothing refers to files
                        leaving.forget(conn, self._clock.now_ms(), runs, reason, BY)
                    log.info("footage deleted", cause=reason.value, segments=sum(map(len, runs)))
            finally:
                disk.shutdown(cancel_futures=True)


def _keys(runs: Sequence[leaving.Run]) -> list[SegmentKey]:
    return [row.key for run in runs for row in run]
