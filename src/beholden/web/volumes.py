"""The storage directories footage is read from."""

from __future__ import annotations

from pathlib import Path

from beholden.catalog import Catalog, volumes
from beholden.store.volume import Volume


def readable_volumes(catalog: Catalog) -> dict[int, Volume]:
    """Every registered volume by id.

    They are not checked here: a disk that is missing now may be mounted later, its files are simply not
    found until then, and the health page says so.
    """
    with catalog.read() as conn:
        rows = volumes.all_volumes(conn)
    return {row.id: Volume(Path(row.path), row.uuid) for row in rows}
