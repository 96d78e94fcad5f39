"""The storage directories footage is read from."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from beholden.catalog import Catalog, CatalogError, volumes
from beholden.store.volume import Volume

FRESH_SECONDS = 2.0


class KnownVolumes(Mapping[int, Volume]):
    """Every registered volume by id, looked up again every two seconds: more are added while this runs.

    They are not checked here: a disk that is missing now may be mounted later, its files are simply not
    found until then, and the health page says so. Safe to use from several threads; blocks for the catalog.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._known: dict[int, Volume] = {}
        self._at = float("-inf")

    def __getitem__(self, number: int) -> Volume:
        return self._now()[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[int, Volume]:
        with self._lock:
            if time.monotonic() - self._at >= FRESH_SECONDS:
                self._look()
            return self._known

    def _look(self) -> None:
        try:
            with self._catalog.read() as conn:
                rows = volumes.all_volumes(conn)
        except CatalogError:
            return  # whoever reads footage asks the catalog too, and says so
        self._known = {row.id: Volume(Path(row.path), row.uuid) for row in rows}
        self._at = time.monotonic()
