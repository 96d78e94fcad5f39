"""`beholden backtest show`, and how back-tests are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beholden.cli.options import BacktestNumber, Data, Json
from beholden.cli.output import print_json, print_table, say
from beholden.model.time import from_ms, to_rfc3339

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from beholden.catalog.backtest_marks import Marked
    from beholden.catalog.backtests import Backtest


def show(data: Data, backtest: BacktestNumber, json: Json = False) -> None:
    """What a back-test found, next to what people marked."""
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        print_one(conn, backtest, as_json=json)


def print_one(conn: Connection, number: int, *, as_json: bool) -> None:
    """One back-test and what it found."""
    import zoneinfo

    from beholden.catalog import backtest_marks, backtests, sites

    item = backtests.get(conn, number)
    marked = backtest_marks.compare(conn, item)
    zone = zoneinfo.ZoneInfo(sites.get(conn).time_zone)
    if as_json:
        print_json({**summary(item), "marks": marked.summary(), "events": _events(marked)})
        return
    say(in_words(item))
    rows = [
        (
            f"{from_ms(each.start_ms).astimezone(zone):%Y-%m-%d %H:%M:%S}",
            f"{(each.end_ms - each.start_ms) / 1000:.0f} s",
            each.kind.value,
            f"{each.score:.2f}",
            " ".join(f"{name} {value}" for name, value in each.detail.items()),
            marked.event_at(each)[1] or "",
        )
        for each in marked.found
    ]
    heads = (f"START ({zone.key})", "LASTED", "CLASS", "SCORE", "MEASURED", "MARKED")
    print_table(heads, rows, empty="It would have reported nothing.")
    for word, both in marked.summary().items():
        if isinstance(both, dict) and both["marked"]:
            say(f"Of {both['marked']} marked {word} it reports {both['reported']}.")


def in_words(item: Backtest) -> str:
    """One sentence."""
    rule = item.trial.rule
    what = f"the rule {rule.name!r}" if rule is not None else "every object in view"
    found = f"{item.found} report" + ("" if item.found == 1 else "s")
    speed = f", {item.footage_ms / item.work_ms:.0f} times as fast as it was recorded" if item.work_ms else ""
    reason = f" {item.reason}" if item.reason else ""
    return f"Back-test {item.id} of {what}: {item.state.value}, {found}{speed}.{reason}"


def summary(item: Backtest) -> dict[str, Any]:
    """One as JSON, without what it found."""
    rule = item.trial.rule
    return {
        "id": item.id,
        "camera": item.camera,
        "rule": rule.name if rule is not None else None,
        "model": item.trial.model,
        "from": to_rfc3339(item.from_ms),
        "to": to_rfc3339(item.to_ms),
        "state": item.state.value,
        "source": item.source or None,
        "found": item.found,
        "footage_seconds": item.footage_ms / 1000,
        "work_seconds": item.work_ms / 1000,
        "reason": item.reason,
    }


def _events(marked: Marked) -> list[dict[str, Any]]:
    return [
        {
            "class": each.kind.value,
            "start": to_rfc3339(each.start_ms),
            "end": to_rfc3339(each.end_ms),
            "score": round(each.score, 4),
            "detail": dict(each.detail),
            "event": marked.event_at(each)[0],
            "verdict": marked.event_at(each)[1],
        }
        for each in marked.found
    ]
