"""`beholden volume list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table, size

if TYPE_CHECKING:
    from beholden.catalog.volumes import VolumeRow


def list_volumes(data: Data, json: Json = False) -> None:
    """List the storage directories, the one that recorders write to first, and whether they can be used."""
    from beholden.catalog import usage, volumes
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        used = usage.bytes_by_volume(conn)
        rows = volumes.all_volumes(conn)
    found = [_as_json(row, used.get(row.id, 0)) for row in rows]
    if json:
        print_json({"volumes": found})
        return
    print_table(
        ("", "TIER", "PATH", "FOOTAGE", "FREE", "FLOOR", "LIMIT", "MOVES AFTER", "STATE"),
        (
            (
                str(row["id"]),
                str(row["tier"]),
                row["path"],
                size(row["footage_bytes"]),
                size(row["free_bytes"]),
                size(row["floor_bytes"]),
                "-" if row["limit_bytes"] is None else size(row["limit_bytes"]),
                "-" if row["move_after_days"] is None else f"{row['move_after_days']:g} days",
                row["reason"] or "ok",
            )
            for row in found
        ),
        empty="There are no volumes yet; the first is made by `beholden run`.",
    )


def _as_json(row: VolumeRow, footage: int) -> dict[str, Any]:
    from pathlib import Path

    from beholden.store.store import StoreError
    from beholden.store.volume import Volume

    volume, reason, free = Volume(Path(row.path), row.uuid), "", 0
    try:
        volume.check()
        free = volume.free_bytes()
    except StoreError as error:
        reason = error.message
    return {
        "id": row.id,
        "path": row.path,
        "tier": row.tier,
        "floor_bytes": row.floor_bytes,
        "limit_bytes": row.limit_bytes,
        "move_after_days": row.move_after_days,
        "sync_seconds": row.sync_seconds,
        "footage_bytes": footage,
        "free_bytes": free,
        "reason": reason,
    }
