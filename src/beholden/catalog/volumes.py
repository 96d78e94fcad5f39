"""Volumes: storage directories tied to this catalog by the uuid in their identity file."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from beholden.catalog import journal
from beholden.catalog.tables import volume

DEFAULT_FLOOR_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """A storage directory. ``floor_bytes`` is the free space retention keeps on its file system."""

    id: int
    uuid: str
    path: str
    floor_bytes: int


def add(conn: Connection, at_ms: int, uuid: str, path: str, floor_bytes: int = DEFAULT_FLOOR_BYTES) -> int:
    """Register a storage directory and return its id."""
    statement = volume.insert().values(uuid=uuid, path=path, floor_bytes=floor_bytes).returning(volume.c.id)
    volume_id = int(conn.execute(statement).scalar_one())
    journal.append(conn, at_ms, "volume_added", None, {"uuid": uuid, "path": path})
    return volume_id


def all_volumes(conn: Connection) -> list[VolumeRow]:
    """Every registered volume, the first (fast) tier first."""
    rows = conn.execute(select(volume).order_by(volume.c.id))
    return [VolumeRow(row.id, row.uuid, row.path, row.floor_bytes) for row in rows]
