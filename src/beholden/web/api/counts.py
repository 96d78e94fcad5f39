"""Counts by the hour or the day, from roll-ups: never a scan of events."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from beholden.access import rights
from beholden.catalog import counts, places, rules, sites
from beholden.model.errors import BeholdenError
from beholden.model.time import from_ms, to_ms, to_rfc3339
from beholden.web.context import Answer, Ctx, Who
from beholden.web.instants import Instant, parse
from beholden.web.number import Id

router = APIRouter()

_LONGEST_MS = 400 * 86_400_000
Key = tuple[Any, ...]


@router.get("/counts", response_model=None)
def get_counts(
    ctx: Ctx,
    who: Who,
    since: Annotated[Instant, Query(alias="from")],
    until: Annotated[Instant, Query(alias="to")],
    camera: Annotated[list[Id], Query()] = [],  # noqa: B006 (FastAPI copies it)
    by: Literal["class", "rule", "line"] = "class",
    step: Literal["hour", "day"] = "hour",
) -> Answer:
    """Of cameras whose past the account may see. Steps without anything are left out."""
    from_ms, to_ms_ = parse(since), parse(until)
    if not from_ms < to_ms_ <= from_ms + _LONGEST_MS:
        raise BeholdenError("bad_range", "Counts cover up to 400 days.", "Ask for a shorter time.")
    seen = rights.seen_past(ctx.catalog, who.user_id)
    asked = sorted(seen & set(camera) if camera else seen)
    with ctx.catalog.read() as conn:
        zone = zoneinfo.ZoneInfo(sites.get(conn).time_zone)
        if by == "line":
            drawn = places.names(conn)
            crossed = counts.of_lines(conn, asked, from_ms, to_ms_)
            series = _lines(crossed, drawn, step, zone)
        else:
            called = rules.names(conn)
            hours = counts.of_events(conn, asked, from_ms, to_ms_)
            series = _events(
                (item for item in hours if (item.rule is None) == (by == "class")), called, step, zone
            )
    return {"from": to_rfc3339(from_ms), "to": to_rfc3339(to_ms_), "step": step, "series": series}


def _events(
    hours: Iterable[counts.EventHour], called: dict[int, str], step: str, zone: zoneinfo.ZoneInfo
) -> list[Answer]:
    found: defaultdict[Key, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for item in hours:
        key = (item.camera, item.rule, item.kind.value)
        found[key][_begin(item.start_ms, step, zone)] += item.events
    return [
        {
            "camera": camera,
            "rule": rule,
            "rule_name": called.get(rule) if rule is not None else None,
            "kind": kind,
            "counts": [{"at": to_rfc3339(at), "count": many} for at, many in sorted(steps.items())],
        }
        for (camera, rule, kind), steps in sorted(
            found.items(), key=lambda pair: (pair[0][0], pair[0][1] or 0, pair[0][2])
        )
    ]


def _lines(
    hours: Iterable[counts.LineHour], drawn: dict[int, str], step: str, zone: zoneinfo.ZoneInfo
) -> list[Answer]:
    found: defaultdict[Key, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for item in hours:
        both = found[item.camera, item.place, item.kind.value][_begin(item.start_ms, step, zone)]
        both[0] += item.went_in
        both[1] += item.went_out
    return [
        {
            "camera": camera,
            "place": place,
            "place_name": drawn.get(place),
            "kind": kind,
            "counts": [
                {"at": to_rfc3339(at), "in": went_in, "out": went_out}
                for at, (went_in, went_out) in sorted(steps.items())
            ],
        }
        for (camera, place, kind), steps in sorted(found.items())
    ]


def _begin(start_ms: int, step: str, zone: zoneinfo.ZoneInfo) -> int:
    """When the hour, or the site's day it lies in, begins."""
    if step == "hour":
        return start_ms
    here = from_ms(start_ms).astimezone(zone)
    return to_ms(datetime(here.year, here.month, here.day, tzinfo=zone).astimezone(UTC))
