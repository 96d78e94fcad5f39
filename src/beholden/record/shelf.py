"""The volumes as they are during one pass: which can be used, how full they are, what lies below them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from beholden.catalog import Catalog, segments, usage, volumes
from beholden.catalog.volumes import VolumeRow
from beholden.model.camera import StreamRole
from beholden.store.store import Store, StoreError
from beholden.store.volume import Volume

log = structlog.get_logger()

OpenStore = Callable[[VolumeRow], Store]


@dataclass(slots=True)
class Shelf:
    """One usable volume. ``used`` is what its footage takes, files being written included; ``leaving`` what
    was moved away and is not unlinked yet."""

    row: VolumeRow
    store: Store
    used: int
    leaving: int = 0

    @property
    def shortage(self) -> int:
        """Bytes that must go for its floor and its limit; negative: bytes it may still take."""
        short = self.row.floor_bytes - self.store.free_bytes() - self.leaving
        if self.row.limit_bytes is not None:
            short = max(short, self.used - self.row.limit_bytes)
        return short

    @property
    def limit_binds(self) -> bool:
        """Whether its own limit, and not the disk, is what it reaches first."""
        limit = self.row.limit_bytes
        return limit is not None and self.used - limit == self.shortage


def open_volume(row: VolumeRow) -> Store:
    """The real one."""
    return Volume(Path(row.path), row.uuid)


def usable_shelves(
    catalog: Catalog, open_store: OpenStore
) -> tuple[list[Shelf], list[tuple[VolumeRow, StoreError]]]:
    """Usable volumes, fast tiers first, and why others cannot be used: a disk that is missing neither counts
    as empty nor stops the others."""
    with catalog.read() as conn:
        rows = volumes.all_volumes(conn)
        used = usage.bytes_by_volume(conn)
    shelves: list[Shelf] = []
    troubles: list[tuple[VolumeRow, StoreError]] = []
    for row in rows:
        store = open_store(row)
        try:
            store.check()
        except StoreError as error:
            troubles.append((row, error))
            continue
        shelf = Shelf(row, store, used.get(row.id, 0))
        if row.limit_bytes is not None and row.tier == 0:
            shelf.used += unindexed_bytes(catalog, store)
        shelves.append(shelf)
    return shelves, troubles


def unindexed_bytes(catalog: Catalog, store: Store) -> int:
    """What files take that are being written or wait for their row."""
    with catalog.read() as conn:
        ends = segments.newest_ends(conn, StreamRole.MAIN)
    total = 0
    for camera, end_ms in ends.items():
        for key in store.open_segments(camera, StreamRole.MAIN, end_ms - segments.JOIN_MS):
            try:
                total += store.path_of(key).stat().st_size
            except FileNotFoundError:
                continue  # an empty one that was removed again
    return total


def below(shelf: Shelf, shelves: list[Shelf]) -> Shelf | None:
    """The volume of the next usable tier with the most room; None for the last tier."""
    tiers = sorted({other.row.tier for other in shelves if other.row.tier > shelf.row.tier})
    if not tiers:
        return None
    return min((s for s in shelves if s.row.tier == tiers[0]), key=lambda s: s.shortage)


def by_id(shelves: list[Shelf]) -> Mapping[int, Shelf]:
    """The same by the number of their volume."""
    return {shelf.row.id: shelf for shelf in shelves}
