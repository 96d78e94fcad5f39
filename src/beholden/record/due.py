"""What leaves by age: a camera's days, longer for parts with events, and never past its hard maximum."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from beholden.catalog import Catalog, gaps, holds, keeping, segments, spans, usage
from beholden.catalog.holds import Hold
from beholden.catalog.keeping import Keeping
from beholden.catalog.segments import DAY_MS, Stored
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason
from beholden.model.segment import SegmentKey
from beholden.model.time import Clock

_PAGE = 1500
_REMEMBERED_SECONDS = 600.0

OnExpired = Callable[[int, int, Sequence[Hold]], None]
"""Called with (camera, cutoff_ms, holds): what was derived from older footage must go too."""


class Due:
    """The old footage of all cameras. Remembers how far events and holds keep what would be due, so that
    no pass looks at it all again; that counts for ten minutes, and under the rules and holds it was seen
    with."""

    def __init__(self, catalog: Catalog, clock: Clock, on_expired: OnExpired) -> None:
        self._catalog = catalog
        self._clock = clock
        self._on_expired = on_expired
        self._kept_to: dict[tuple[int, StreamRole, bool], tuple[object, int]] = {}

    def leaving(self, rules: Keeping, standing: Sequence[Hold]) -> Iterator[tuple[int, Reason, list[Stored]]]:
        """(volume, reason, files) of a camera's footage that is due, oldest first, a page at a time. What a
        caller does not delete comes again with the next call. CatalogError as the catalog raises."""
        now_ms = self._clock.now_ms()
        plain_ms, final_ms = rules.plain_cutoff(now_ms), rules.final_cutoff(now_ms)
        for stream in StreamRole:
            pages = self._pages(rules, stream, standing, 0, final_ms, with_events=False)
            if final_ms < plain_ms:
                later = self._pages(rules, stream, standing, final_ms, plain_ms, with_events=True)
                pages = itertools.chain(pages, later)
            for page in pages:
                for (volume, reason), rows in _grouped(rules, page, now_ms).items():
                    yield volume, reason, rows

    def forget(self, rules: Sequence[Keeping], standing: Sequence[Hold]) -> None:
        """What was derived from footage that is gone goes too: events with their stills, and gaps that lie
        before all that is kept of a camera."""
        now_ms = self._clock.now_ms()
        for each in rules:
            self._on_expired(each.camera, each.final_cutoff(now_ms), standing)
        old: list[tuple[int, StreamRole, int]] = []
        with self._catalog.read() as conn:
            for each, stream in itertools.product(rules, StreamRole):
                oldest_ms = spans.oldest(conn, each.camera, stream)
                cutoff_ms = each.final_cutoff(now_ms)
                before_ms = cutoff_ms if oldest_ms is None else min(cutoff_ms, oldest_ms)
                if gaps.any_before(conn, each.camera, stream, before_ms):
                    old.append((each.camera, stream, before_ms))
        if old:
            with self._catalog.write() as conn:
                for camera, stream, before_ms in old:
                    gaps.forget_before(conn, camera, stream, before_ms)

    def over_share(self) -> dict[int, int]:
        """By how many bytes cameras are over their share of storage."""
        with self._catalog.read() as conn:
            shares = {r.camera: r.max_bytes for r in keeping.all_cameras(conn) if r.max_bytes is not None}
            used = usage.bytes_by_camera(conn) if shares else {}
        return {camera: used.get(camera, 0) - share for camera, share in shares.items()}

    def _pages(
        self,
        rules: Keeping,
        stream: StreamRole,
        standing: Sequence[Hold],
        ended_after_ms: int,
        before_ms: int,
        *,
        with_events: bool,
    ) -> Iterator[list[Stored]]:
        """What ended after one instant and by another, and is kept neither by a hold nor, when asked, by an
        event."""
        place = (rules.camera, stream, with_events)
        seen_with = (rules, tuple(standing), self._clock.monotonic() // _REMEMBERED_SECONDS)
        known_with, after_ms = self._kept_to.get(place, (None, 0))
        if known_with != seen_with:
            after_ms = 0
        only_kept = True
        while True:
            with self._catalog.read() as conn:
                rows = segments.oldest(
                    conn, rules.camera, stream, after_ms=after_ms, before_ms=before_ms, limit=_PAGE
                )
                spared = _spared(conn, rules, rows) if with_events else set()
            due = [row for row in rows if row.end_ms > ended_after_ms] if ended_after_ms else rows
            going = [row for row in due if row.key not in spared] if spared else due
            page = list(holds.free(standing, going))
            if only_kept and rows:
                only_kept = not page
                kept_to = page[0].key.start_ms if page else rows[-1].key.start_ms + 1
                self._kept_to[place] = (seen_with, kept_to)
            if page:
                yield page
            if len(rows) < _PAGE:
                return
            after_ms = rows[-1].key.start_ms + 1


def _spared(conn: Connection, rules: Keeping, rows: Sequence[Stored]) -> set[SegmentKey]:
    """Those that an event reaches into."""
    if not rows:
        return set()
    ranges = keeping.event_ranges(conn, rules, rows[0].key.start_ms, max(row.end_ms for row in rows))
    starts = [start for start, _ in ranges]
    # The latest end of all that began before each, so that one look finds whether any of them reaches in.
    ends = list(itertools.accumulate((end for _, end in ranges), max))
    spared = set()
    for row in rows:
        began_before = bisect.bisect_left(starts, row.end_ms)
        if began_before and ends[began_before - 1] > row.key.start_ms:
            spared.add(row.key)
    return spared


def _grouped(rules: Keeping, page: list[Stored], now_ms: int) -> dict[tuple[int, Reason], list[Stored]]:
    """A page by volume and reason. Nearly always it is one of each, which the ends of its times tell."""
    ends = [row.end_ms for row in page]
    first, last = _reason(rules, min(ends), now_ms), _reason(rules, max(ends), now_ms)
    volumes = {row.volume for row in page}
    if first is last and len(volumes) == 1:
        return {(volumes.pop(), first): page}
    groups: dict[tuple[int, Reason], list[Stored]] = {}
    for row in page:
        groups.setdefault((row.volume, _reason(rules, row.end_ms, now_ms)), []).append(row)
    return groups


def _reason(rules: Keeping, end_ms: int, now_ms: int) -> Reason:
    """Why what ended then leaves. Within what is due it changes once at most as time goes on."""
    if rules.keep_days <= 0:
        return Reason.ASKED
    if end_ms <= now_ms - round(rules.keep_days * DAY_MS):
        longer = max(rules.keep_days, rules.keep_event_days or 0.0)
        capped = rules.max_days is not None and rules.max_days < longer
        if not capped or end_ms > rules.final_cutoff(now_ms):
            return Reason.TOO_OLD
    return Reason.HARD_MAXIMUM
