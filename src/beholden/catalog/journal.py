"""The journal: every fact about footage, appended in the transaction of the fact itself.

Only the functions in this package that write facts call ``append``. The table refuses UPDATE and
DELETE by trigger, so the sequence can be sealed later as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from beholden.catalog.tables import journal

_APPEND = journal.insert()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One fact. ``body`` is what was recorded about it; bytes are given as hex text."""

    seq: int
    at_ms: int
    kind: str
    camera: int | None
    body: dict[str, Any]


def append(conn: Connection, at_ms: int, kind: str, camera: int | None, body: Mapping[str, Any]) -> None:
    """Append one fact.

    Kinds: ``segment_closed``, ``segments_deleted``, ``gap_opened``, ``gap_closed``, ``camera_added``,
    ``camera_changed``, ``camera_removed``, ``volume_added``, ``volume_changed``, ``deletion_confirmed``,
    ``segments_moved``, ``hold_added``, ``hold_released``, ``site_changed``, ``still_deleted``,
    ``place_added``, ``place_changed``, ``place_removed``, ``ground_changed``, ``ground_removed``,
    ``rule_added``, ``rule_changed``, ``rule_removed``, ``site_mode``, ``verdict_given``,
    ``verdict_withdrawn``.
    """
    conn.execute(_APPEND, {"at_ms": at_ms, "kind": kind, "camera": camera, "body": canonical(body)})


def canonical(body: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: the same fact is always the same bytes."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def entries(
    conn: Connection, *, after: int = 0, limit: int = 1000, camera: int | None = None
) -> list[JournalEntry]:
    """Facts in order of writing, after a sequence number."""
    query = select(journal).where(journal.c.seq > after).order_by(journal.c.seq).limit(limit)
    if camera is not None:
        query = query.where(journal.c.camera == camera)
    return [JournalEntry(r.seq, r.at_ms, r.kind, r.camera, json.loads(r.body)) for r in conn.execute(query)]


def of_kind(conn: Connection, kind: str, camera: int | None) -> list[JournalEntry]:
    """All facts of one kind about one camera, or about none, in order."""
    query = select(journal).where(journal.c.camera == camera, journal.c.kind == kind).order_by(journal.c.seq)
    return [JournalEntry(r.seq, r.at_ms, r.kind, r.camera, json.loads(r.body)) for r in conn.execute(query)]
