"""Doing what the remedies of a check say. Every repair is journalled as the recorder's own would be."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from beholden.catalog import Catalog, segments
from beholden.catalog.segments import Stored
from beholden.model.errors import BeholdenError
from beholden.model.time import Clock
from beholden.record.index import Index
from beholden.record.reconcile import Reconciler
from beholden.record.remove import Remover
from beholden.record.shelf import Shelf, open_volume, usable_shelves
from beholden.run.check import Fault, Finding, digest_of
from beholden.store.store import FoundFile

_INDEX_SECONDS = 60.0


def mend(catalog: Catalog, clock: Clock, findings: Sequence[Finding], by: str) -> list[Finding]:
    """Repair what can be; returns what is still wrong, with why not in its remedy.

    Files that are missing in a mass are left to a person's answer (rule 7). CatalogError as it is raised.
    """
    shelves = {shelf.row.id: shelf for shelf in usable_shelves(catalog, open_volume)[0]}
    index = Index(catalog, clock, batch_seconds=0.0)
    reconciler = Reconciler(catalog, clock, index.put, lambda _camera: True)
    left: list[Finding] = []
    try:
        for number, shelf in shelves.items():
            missing = [f for f in findings if f.volume == number and f.fault is Fault.MISSING]
            if missing and reconciler.may_forget(shelf, len(missing)):
                reconciler.forget(shelf, list(shelves.values()), _rows(catalog, missing), by)
            elif missing:
                left += [_still(finding, reconciler.alarms[-1]) for finding in missing]
        for finding in findings:
            if finding.fault is not Fault.MISSING and not _mend_one(
                catalog, clock, reconciler, shelves, finding
            ):
                left.append(finding)
        index.flush(_INDEX_SECONDS)
    finally:
        index.stop(_INDEX_SECONDS)
    return left


def _mend_one(
    catalog: Catalog, clock: Clock, reconciler: Reconciler, shelves: dict[int, Shelf], finding: Finding
) -> bool:
    shelf, key = shelves.get(finding.volume), finding.key
    if shelf is None or key is None:
        return False
    path = shelf.store.path_of(key)
    if finding.fault in (Fault.UNKNOWN, Fault.COPY):
        try:
            status = path.stat()
        except FileNotFoundError:
            return True
        file = FoundFile(key, status.st_size, int(status.st_mtime * 1000))
        reconciler.take_up(shelf, list(shelves.values()), [file], threading.Event())
        return True
    if finding.fault is Fault.LEAVING:
        Remover(catalog, clock).finish(shelf.store, shelf.row.id)
        return True
    if finding.fault is Fault.SIZE:
        return _cut(catalog, shelf, finding)
    return False


def _cut(catalog: Catalog, shelf: Shelf, finding: Finding) -> bool:
    """What was added to a file is cut off again, when what was recorded is still there."""
    assert finding.key is not None
    with catalog.read() as conn:
        row = segments.get(conn, finding.key)
    if row is None:
        return True
    try:
        longer = shelf.store.path_of(row.key).stat().st_size > row.size
        if not longer or digest_of(shelf.store, row.key, row.size) != row.sha256:
            return False
        shelf.store.truncate(row.key, row.size)
    except OSError:
        return False
    return True


def _rows(catalog: Catalog, findings: Sequence[Finding]) -> list[Stored]:
    rows = []
    with catalog.read() as conn:
        for finding in findings:
            row = segments.get(conn, finding.key) if finding.key is not None else None
            if row is not None:
                rows.append(Stored(row.key, row.end_ms, row.size, row.volume, row.sha256))
    return rows


def _still(finding: Finding, why: BeholdenError) -> Finding:
    return Finding(finding.fault, finding.path, finding.detail, why.next_step, finding.volume, finding.key)
