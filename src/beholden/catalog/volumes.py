"""Volumes: storage directories tied to this catalog by the uuid in their identity file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from beholden.catalog import journal
from beholden.catalog.tables import journal as journal_table
from beholden.catalog.tables import volume
from beholden.model.errors import BeholdenError

DEFAULT_FLOOR_BYTES = 2 * 1024**3
DEFAULT_SYNC_SECONDS = 0.5
LEAST_BYTES = 100_000_000
MOST_TIER = 9
MOST_DAYS = 3650
MOST_SYNC_SECONDS = 60
CONFIRMED_MS = 86_400_000  # how long a person's answer counts

Question = Literal["missing", "deletion"]
"""What a person may confirm of a volume: that what is missing is really gone, or that so much deletion is
meant."""


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """A storage directory. ``floor_bytes`` is the free space kept on its file system, ``limit_bytes`` the
    most its footage may take (None: the floor alone). Recorders write to ``tier`` 0; footage older than
    ``move_after_days``, and what no longer fits, moves to the next tier. Files being written are made durable
    every ``sync_seconds``; 0: only when they are closed."""

    id: int
    uuid: str
    path: str
    floor_bytes: int
    tier: int = 0
    limit_bytes: int | None = None
    move_after_days: float | None = None
    sync_seconds: float = DEFAULT_SYNC_SECONDS


def add(
    conn: Connection,
    at_ms: int,
    uuid: str,
    path: str,
    floor_bytes: int = DEFAULT_FLOOR_BYTES,
    *,
    tier: int | None = None,
    limit_bytes: int | None = None,
    move_after_days: float | None = None,
    sync_seconds: float = DEFAULT_SYNC_SECONDS,
    by: str = "",
) -> int:
    """Register a storage directory and return its id. The first is tier 0, later ones tier 1 unless told
    otherwise; one of tier 0 takes the writing over from the volume that had it, which becomes tier 1.
    BeholdenError ``bad_value``, ``volume_taken``."""
    if tier is None:
        tier = 1 if all_volumes(conn) else 0
    values: dict[str, Any] = {
        "floor_bytes": floor_bytes,
        "tier": tier,
        "limit_bytes": limit_bytes,
        "move_after_days": move_after_days,
        "sync_seconds": sync_seconds,
    }
    _check(values)
    for row in all_volumes(conn):
        if uuid == row.uuid or path == row.path:
            raise BeholdenError("volume_taken", f"{path} is a volume already.", "Change that one instead.")
    if tier == 0:
        _step_down(conn, at_ms, None, by)
    statement = volume.insert().values(uuid=uuid, path=path, **values).returning(volume.c.id)
    number = int(conn.execute(statement).scalar_one())
    body = {"volume": number, "uuid": uuid, "path": path, **values, **_by(by)}
    journal.append(conn, at_ms, "volume_added", None, body)
    return number


def change(
    conn: Connection, at_ms: int, number: int, changes: Mapping[str, Any], *, by: str = ""
) -> VolumeRow:
    """Change some of: path, floor_bytes, tier, limit_bytes, move_after_days, sync_seconds.

    The volume that recorders write to stays tier 0 until another takes it. BeholdenError
    ``volume_not_found``, ``bad_value``, ``volume_taken``.
    """
    row = get(conn, number)
    _check(changes)
    tier = changes.get("tier", row.tier)
    if tier == 0 and row.tier != 0:
        _step_down(conn, at_ms, number, by)
    if tier != 0 and _first(conn) == number:
        raise BeholdenError(
            "bad_value",
            "Recorders write to this volume, so it is tier 0.",
            "Give tier 0 to another volume; this one becomes tier 1 by that.",
        )
    for other in all_volumes(conn):
        if other.id != number and other.path == changes.get("path"):
            raise BeholdenError(
                "volume_taken", f"{other.path} is a volume already.", "Change that one instead."
            )
    conn.execute(update(volume).where(volume.c.id == number).values(**changes))
    journal.append(conn, at_ms, "volume_changed", None, {"volume": number, **changes, **_by(by)})
    return get(conn, number)


def all_volumes(conn: Connection) -> list[VolumeRow]:
    """Every registered volume, the first (fast) tier first; recorders write to the first of them."""
    return [_row(row) for row in conn.execute(select(volume).order_by(volume.c.tier, volume.c.id))]


def get(conn: Connection, number: int) -> VolumeRow:
    """One of them; BeholdenError ``volume_not_found``."""
    row = conn.execute(select(volume).where(volume.c.id == number)).first()
    if row is None:
        raise _not_found(str(number))
    return _row(row)


def find(conn: Connection, name: str) -> VolumeRow:
    """One by its path or number; BeholdenError ``volume_not_found``."""
    for row in all_volumes(conn):
        if name in (row.path, str(row.id)):
            return row
    raise _not_found(name)


def confirm(conn: Connection, at_ms: int, number: int, question: Question, *, by: str) -> None:
    """A person says that what the recorder doubts is meant; it counts for a day. BeholdenError
    ``volume_not_found``."""
    get(conn, number)
    body = {"volume": number, "question": question, "by": by}
    journal.append(conn, at_ms, "deletion_confirmed", None, body)


def confirmed_by(conn: Connection, now_ms: int, number: int, question: Question) -> str | None:
    """Who confirmed it within the last day; None when nobody did."""
    query = (
        select(journal_table.c.body)
        .where(
            journal_table.c.camera.is_(None),
            journal_table.c.kind == "deletion_confirmed",
            journal_table.c.at_ms > now_ms - CONFIRMED_MS,
        )
        .order_by(journal_table.c.seq.desc())
    )
    for text in conn.execute(query).scalars():
        body = json.loads(text)
        if (body["volume"], body["question"]) == (number, question):
            return str(body["by"])
    return None


def limits_set(conn: Connection, now_ms: int, number: int) -> bool:
    """Whether a person set how much a volume may hold within the last day."""
    query = select(journal_table.c.body).where(
        journal_table.c.camera.is_(None),
        journal_table.c.kind == "volume_changed",
        journal_table.c.at_ms > now_ms - CONFIRMED_MS,
    )
    bodies = (json.loads(text) for text in conn.execute(query).scalars())
    return any(b["volume"] == number and {"limit_bytes", "floor_bytes"} & b.keys() for b in bodies)


def _first(conn: Connection) -> int:
    return all_volumes(conn)[0].id


def _step_down(conn: Connection, at_ms: int, but: int | None, by: str) -> None:
    for row in all_volumes(conn):
        if row.tier == 0 and row.id != but:
            conn.execute(update(volume).where(volume.c.id == row.id).values(tier=1))
            journal.append(conn, at_ms, "volume_changed", None, {"volume": row.id, "tier": 1, **_by(by)})


def _by(name: str) -> dict[str, str]:
    return {"by": name} if name else {}


def _check(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        verdict = _CHECKS.get(name)
        if verdict is not None and (said := verdict(value)):
            raise BeholdenError("bad_value", said)


def _within(least: float, most: float, said: str, *, empty: bool) -> Callable[[float | None], str]:
    def verdict(value: float | None) -> str:
        good = empty if value is None else math.isfinite(value) and least <= value <= most
        return "" if good else said

    return verdict


_CHECKS: dict[str, Callable[[Any], str]] = {
    "floor_bytes": _within(0, 1 << 53, "The free space to keep is 0 bytes or more.", empty=False),
    "tier": _within(0, MOST_TIER, f"A tier is 0 to {MOST_TIER}.", empty=False),
    "limit_bytes": _within(LEAST_BYTES, 1 << 53, "A limit is at least 100 MB.", empty=True),
    "move_after_days": _within(
        1 / 24, MOST_DAYS, f"Footage moves after an hour to {MOST_DAYS} days.", empty=True
    ),
    "sync_seconds": _within(
        0, MOST_SYNC_SECONDS, f"Syncing is every 0 (never) to {MOST_SYNC_SECONDS} seconds.", empty=False
    ),
}


def _not_found(name: str) -> BeholdenError:
    return BeholdenError(
        "volume_not_found", f"There is no volume {name!r}.", "`beholden volume list` shows them."
    )


def _row(row: Row[Any]) -> VolumeRow:
    return VolumeRow(
        row.id,
        row.uuid,
        row.path,
        row.floor_bytes,
        row.tier,
        row.limit_bytes,
        row.move_after_days,
        row.sync_seconds,
    )
