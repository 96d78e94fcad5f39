"""`beholden events`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table
from beholden.model.errors import BeholdenError
from beholden.model.event import Disturbance, Event, EventKind, ObjectClass, event_kind
from beholden.model.rule import Severity
from beholden.model.time import NaiveDatetimeError, from_ms, parse_rfc3339, to_rfc3339

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy import Connection

    from beholden.catalog.events import EventFilter

UNIT_MS = {"s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
PAGE = 500


def events(
    data: Data,
    camera: Annotated[
        list[str] | None, typer.Option("--camera", metavar="CAMERA", help="Only of these cameras.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--class", metavar="CLASS", help="Only these classes, e.g. person.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only after this: RFC 3339, or 30min, 2h, 3d ago.")
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only alert, or only note.")] = None,
    rule: Annotated[
        list[int] | None, typer.Option("--rule", metavar="ID", help="Only what this rule reported.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 1000,
    json: Json = False,
) -> None:
    """List events, newest first."""
    import zoneinfo

    from beholden.catalog import cameras, rules, sites
    from beholden.catalog.events import EventFilter
    from beholden.cli import opening
    from beholden.model.time import SystemClock

    kinds = [_kind(word) for word in kind] if kind else None
    since_ms = parse_since(since, SystemClock().now_ms()) if since else None
    with opening.existing(data) as site, site.catalog.read() as conn:
        ids = [_camera(conn, word) for word in camera] if camera else None
        names = cameras.names(conn)
        zone = zoneinfo.ZoneInfo(sites.get(conn).time_zone)
        called = rules.names(conn)
        wanted = EventFilter(ids, kinds, since_ms, severity=severity, rules=rule or None)
        found = _newest(conn, wanted, limit)
    if json:
        print_json({"events": [_as_json(event, names, called) for event in found]})
        return
    print_table(
        (f"START ({zone.key})", "LASTED", "CAMERA", "CLASS", "SCORE", "RULE", "SEVERITY"),
        (
            (
                f"{from_ms(event.start_ms).astimezone(zone):%Y-%m-%d %H:%M:%S}",
                "still there" if event.end_ms is None else f"{(event.end_ms - event.start_ms) / 1000:.0f} s",
                names.get(event.camera, str(event.camera)),
                event.kind.value,
                f"{event.score:.2f}",
                "" if event.hit is None else called.get(event.hit.rule, str(event.hit.rule)),
                "" if event.hit is None else event.hit.severity,
            )
            for event in found
        ),
        empty="There are no such events.",
    )


def parse_since(text: str, now_ms: int) -> int:
    """Epoch ms of an RFC 3339 instant, or of so long before now; BeholdenError ``bad_time``."""
    ago = re.fullmatch(r"([0-9]{1,9})\s*([a-z]+)", text.strip())
    if ago and ago[2] in UNIT_MS:
        return max(now_ms - int(ago[1]) * UNIT_MS[ago[2]], 0)
    try:
        return parse_rfc3339(text.strip())
    except NaiveDatetimeError:
        raise BeholdenError(
            "bad_time", f"{text!r} has no time zone.", "Add one, as in 2026-11-23T22:15:00Z or …+01:00."
        ) from None
    except (ValueError, OverflowError):
        raise BeholdenError(
            "bad_time", f"{text!r} is not a time.", "Give one such as 2026-11-23T22:15:00Z, 30min, 2h or 3d."
        ) from None


def _kind(word: str) -> EventKind:
    try:
        return event_kind(word)
    except ValueError:
        known = ", ".join([*ObjectClass, *Disturbance])
        raise BeholdenError("bad_class", f"{word!r} is not a class.", f"Classes are {known}.") from None


def _camera(conn: Connection, word: str) -> int:
    """A camera by name or number; events of a removed camera are found by its number or last name."""
    from beholden.catalog import cameras

    try:
        return cameras.find(conn, word)
    except BeholdenError:
        for camera_id, name in cameras.names(conn).items():
            if word in (name, str(camera_id)):
                return camera_id
        raise


def _newest(conn: Connection, wanted: EventFilter, limit: int) -> list[Event]:
    from beholden.catalog import events as catalog_events

    found: list[Event] = []
    before = None
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        page = catalog_events.page(conn, wanted, before=before, limit=size)
        found += [item.event for item in page]
        if len(page) < size:
            break
        before = (found[-1].start_ms, found[-1].id)
    return found


def _as_json(event: Event, names: dict[int, str], called: dict[int, str]) -> dict[str, Any]:
    hit = event.hit
    return {
        "id": event.id,
        "camera": names.get(event.camera, str(event.camera)),
        "camera_id": event.camera,
        "class": event.kind.value,
        "start": to_rfc3339(event.start_ms),
        "end": None if event.end_ms is None else to_rfc3339(event.end_ms),
        "score": round(event.score, 4),
        "rule": called.get(hit.rule, str(hit.rule)) if hit is not None else None,
        "rule_id": hit.rule if hit is not None else None,
        "what": hit.what if hit is not None else None,
        "severity": hit.severity if hit is not None else "note",
        "detail": dict(hit.detail) if hit is not None else {},
    }
