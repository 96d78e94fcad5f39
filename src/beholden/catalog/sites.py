"""The site: its name and time zone."""

from __future__ import annotations

import uuid
import zoneinfo
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from beholden.catalog import journal
from beholden.catalog.tables import site
from beholden.model.errors import BeholdenError


@dataclass(frozen=True, slots=True)
class Site:
    """The one place this catalog belongs to. ``time_zone`` is an IANA name."""

    uuid: str
    name: str
    time_zone: str


def ensure(conn: Connection, *, name: str = "My site", time_zone: str = "UTC") -> Site:
    """The site row, made with these values when there is none."""
    row = conn.execute(select(site)).first()
    if row is None:
        conn.execute(site.insert().values(id=1, uuid=str(uuid.uuid4()), name=name, time_zone=time_zone))
        row = conn.execute(select(site)).one()
    return Site(row.uuid, row.name, row.time_zone)


def get(conn: Connection) -> Site:
    """The site; raises when the catalog has none yet."""
    row = conn.execute(select(site)).one()
    return Site(row.uuid, row.name, row.time_zone)


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
