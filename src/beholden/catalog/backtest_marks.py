"""What a back-test found, held against what people marked on the same stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from beholden.catalog import backtests, events, verdicts
from beholden.catalog.backtests import Backtest, Trial
from beholden.catalog.drawing import contains
from beholden.catalog.events import EventFilter, Reviewable
from beholden.catalog.verdicts import Missed
from beholden.model.backtest import Found
from beholden.model.event import Box, EventKind
from beholden.model.place import PlaceKind
from beholden.model.rule import VEHICLES
from beholden.model.verdict import Verdict

SLACK_MS = 2000  # reports this far apart may be of the same thing
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Marked:
    """Everything known of one back-test's stretch."""

    found: Sequence[Found]
    real: Sequence[Reviewable]
    missed: Sequence[Missed]

    def event_at(self, item: Found) -> tuple[int | None, str | None]:
        """(the event reported then and there, what was said of it), preferring one somebody judged;
        ``"missed"`` where somebody drew a miss."""
        near = [each for each in self.real if _same(item, each)]
        judged = next((each for each in near if each.verdict is not None), None)
        chosen = judged or (near[0] if near else None)
        if chosen is not None:
            return chosen.event.id, chosen.verdict.value if chosen.verdict is not None else None
        drawn = any(_covers(item, each.at_ms) and _alike(item.kind, each.kind) for each in self.missed)
        return None, Verdict.MISSED.value if drawn else None

    def summary(self) -> dict[str, Any]:
        """Of the events people called right, wrong, or missed: how many it reports."""
        right = [each for each in self.real if each.verdict is Verdict.RIGHT]
        wrong = [each for each in self.real if each.verdict is Verdict.WRONG]
        drawn = [
            any(_covers(item, each.at_ms) and _alike(item.kind, each.kind) for item in self.found)
            for each in self.missed
        ]
        unmarked = sum(self.event_at(item)[1] is None for item in self.found)
        return {
            "right": {"marked": len(right), "reported": sum(self._reports(each) for each in right)},
            "wrong": {"marked": len(wrong), "reported": sum(self._reports(each) for each in wrong)},
            "missed": {"marked": len(drawn), "reported": sum(drawn)},
            "unmarked": unmarked,
        }

    def _reports(self, real: Reviewable) -> bool:
        return any(_same(item, real) for item in self.found)


def compare(conn: Connection, item: Backtest) -> Marked:
    """What it found beside the events of its camera: those of its rule when it has reported any in that time,
    else those of objects in view, of classes the rule is about and that stood in its zone. So with misses."""
    real = _all(conn, EventFilter(cameras=[item.camera], since_ms=item.from_ms, until_ms=item.to_ms))
    own = [each for each in real if each.event.hit is not None and each.event.hit.rule == item.rule]
    plain = [
        each
        for each in real
        if each.event.hit is None and _concerns(item.trial, each.event.kind, each.event.box)
    ]
    missed = verdicts.missed(conn, item.camera, item.from_ms, item.to_ms)
    return Marked(
        backtests.found_in(conn, item.id),
        sorted(own if item.rule is not None and own else plain, key=lambda each: each.event.start_ms),
        [each for each in missed if _concerns(item.trial, each.kind, each.box)],
    )


def _concerns(trial: Trial, kind: EventKind, box: Box) -> bool:
    if trial.rule is None:
        return True
    if trial.rule.classes and kind not in trial.rule.classes:
        return False
    place = trial.place
    if place is None or place.kind is not PlaceKind.ZONE:
        return True
    return contains(place.points, ((box.left + box.right) / 2, box.bottom))


def _alike(one: EventKind, other: EventKind) -> bool:
    """Whether they may be one object: a detector often takes a car for a truck."""
    return one is other or (one in VEHICLES and other in VEHICLES)


def _all(conn: Connection, wanted: EventFilter) -> list[Reviewable]:
    found: list[Reviewable] = []
    before = None
    while len(found) < _MOST:
        page = events.page(conn, wanted, before=before, limit=500)
        found += page
        if len(page) < 500:
            break
        before = (page[-1].event.start_ms, page[-1].event.id)
    return found


def _same(item: Found, real: Reviewable) -> bool:
    event = real.event
    end_ms = event.end_ms if event.end_ms is not None else event.start_ms
    return (
        _alike(item.kind, event.kind)
        and item.start_ms - SLACK_MS <= end_ms
        and event.start_ms <= item.end_ms + SLACK_MS
    )


def _covers(item: Found, at_ms: int) -> bool:
    return item.start_ms - SLACK_MS <= at_ms <= item.end_ms + SLACK_MS
