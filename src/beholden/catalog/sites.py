"""The site: its name, its time zone, and whether people are expected."""

from __future__ import annotations

import uuid
import zoneinfo
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from beholden.catalog import journal
from beholden.catalog.tables import site
from beholden.model.errors import BeholdenError
from beholden.model.site import SiteMode

_THE_SITE = select(site)  # made once: recorders ask every second


@dataclass(frozen=True, slots=True)
class Site:
    """The one place this catalog belongs to. ``time_zone`` is an IANA name."""

    uuid: str
    name: str
    time_zone: str
    mode: SiteMode = SiteMode.HOME
    mode_ms: int = 0


def ensure(conn: Connection, *, name: str = "My site", time_zone: str = "UTC") -> Site:
    """The site row, made with these values when there is none."""
    row = conn.execute(_THE_SITE).first()
    if row is None:
        conn.execute(site.insert().values(id=1, uuid=str(uuid.uuid4()), name=name, time_zone=time_zone))
        row = conn.execute(_THE_SITE).one()
    return _site(row)


def find(conn: Connection) -> Site | None:
    """The site; None before the first start."""
    row = conn.execute(_THE_SITE).first()
    return _site(row) if row is not None else None


def get(conn: Connection) -> Site:
    """The site; raises when the catalog has none yet."""
    row = conn.execute(_THE_SITE).one()
    return _site(row)


def change(conn: Connection, at_ms: int, *, name: str, time_zone: str) -> None:
    """Rename the site or change its clock zone; BeholdenError for an unknown zone or empty name."""
    if not name.strip():
        raise BeholdenError("bad_name", "A site needs a name.")
    if time_zone not in zoneinfo.available_timezones():
        raise BeholdenError(
            "bad_time_zone", f"{time_zone!r} is not a time zone.", "Use a name such as Europe/Berlin."
        )
    conn.execute(update(site).values(name=name.strip(), time_zone=time_zone))
    journal.append(conn, at_ms, "site_changed", None, {"name": name.strip(), "time_zone": time_zone})


def set_mode(conn: Connection, at_ms: int, mode: SiteMode, by: str) -> Site:
    """Set the site to armed, home or away; rules that hold in some modes only follow within a second."""
    old = get(conn)
    if old.mode is not mode:
        conn.execute(update(site).values(mode=mode.value, mode_ms=at_ms))
        body = {"mode": mode.value, "before": old.mode.value, "by": by}
        journal.append(conn, at_ms, "site_mode", None, body)
    return get(conn)


def modes(conn: Connection) -> list[tuple[int, SiteMode]]:
    """What the site was set to: (from epoch ms on, mode), oldest first, beginning with instant 0."""
    facts = journal.of_kind(conn, "site_mode", None)
    first = SiteMode(facts[0].body["before"]) if facts else get(conn).mode
    return [(0, first), *((fact.at_ms, SiteMode(fact.body["mode"])) for fact in facts)]


def _site(row: Row[Any]) -> Site:
    return Site(row.uuid, row.name, row.time_zone, SiteMode(row.mode), row.mode_ms)
