"""Rows and files of one camera on one volume, side by side in order: what only one of both has."""

from __future__ import annotations

from collections.abc import Iterator

from beholden.catalog import Catalog, segments
from beholden.catalog.segments import Stored
from beholden.model.segment import SegmentKey
from beholden.store.store import FoundFile, Store

PAGE = 2000

Pair = tuple[Stored | None, FoundFile | None]


def pairs(catalog: Catalog, store: Store, volume: int, camera: int) -> Iterator[Pair]:
    """Every row with its file; None where there is none. Files that are deleted, moved or closed meanwhile
    may show as different: ask again before believing it. CatalogError, and OSError as the disk raises."""
    rows, files = _rows(catalog, volume, camera), store.files(camera)
    row, file = next(rows, None), next(files, None)
    while row is not None or file is not None:
        if file is None or (row is not None and row.key < file.key):
            yield row, None
            row = next(rows, None)
        elif row is None or file.key < row.key:
            yield None, file
            file = next(files, None)
        else:
            yield row, file
            row, file = next(rows, None), next(files, None)


def _rows(catalog: Catalog, volume: int, camera: int) -> Iterator[Stored]:
    after: SegmentKey | None = None
    while True:
        with catalog.read() as conn:
            page = segments.on_volume(conn, volume, camera=camera, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].key
