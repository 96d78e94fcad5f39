"""Hearing analysis: events, their end, and every way in which it can fail to watch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.fake import FakeBus
from beholden.bus.messages import BusError
from beholden.model.analysis import AnalysisState
from beholden.model.time import FakeClock, SystemClock, to_rfc3339
from beholden.record.analysis_feed import AnalysisFeed, FakeAnalysis
from beholden.record.latch import Seeing


class Analyser:
    """Both ends: what the fake analyser answers, and the feed that listens to it."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.row: dict[str, Any] | None = {"state": "full_rate", "mode": "always", "events": 0}
        self.lag_ms = 0
        self.reachable = True
        self.news = threading.Event()
        self.bus = FakeBus()
        self.feed = AnalysisFeed(Path("analyser.sock"), self.clock, self.news.set, self.connect)

    def connect(self, _path: Path, _timeout: float) -> FakeBus:
        if not self.reachable:
            raise BusError("bus_unreachable", "Nothing answers.")
        self.bus = FakeBus({"stats": self.stats})
        return self.bus

    def stats(self, _request: Any) -> dict[str, Any]:
        newest = self.clock.now_ms() - self.lag_ms
        row = [] if self.row is None else [{"camera": 1, "last_frame_ms": newest, **self.row}]
        return {"kind": "stats", "cameras": row}

    def event(self, phase: str, number: int, start_ms: int, end_ms: int | None = None) -> None:
        end = None if end_ms is None else to_rfc3339(end_ms)
        event = {"id": number, "camera": 1, "start": to_rfc3339(start_ms), "end": end}
        self.bus.push_json({"kind": "event", "phase": phase, "event": event})

    def until(self, condition: Callable[[Seeing], bool]) -> Seeing:
        deadline = time.monotonic() + 30
        while not condition(seeing := self.feed.seeing(1)):
            assert time.monotonic() < deadline, seeing
            time.sleep(0.01)
        return seeing


@pytest.fixture
def analyser() -> Iterator[Analyser]:
    """One whose feed is stopped."""
    analyser = Analyser()
    yield analyser
    analyser.feed.stop()


def test_nobody_is_asked_unless_a_camera_needs_it(analyser: Analyser) -> None:
    """Without cameras that record on events there is no connection; a camera nobody asked for is unknown."""
    assert analyser.feed.seeing(1).trouble
    assert analyser.bus.sent == []
    analyser.feed.want({1})
    assert analyser.until(lambda seeing: not seeing.trouble).well_ms > 0
    assert {"op": "events"} in analyser.bus.sent
    analyser.feed.want(set())
    assert analyser.feed.seeing(1).trouble


def test_an_event_lasts_from_its_start_to_its_end(analyser: Analyser) -> None:
    """Two that overlap last as long as one of them; each news wakes the recorder."""
    analyser.feed.want({1})
    analyser.until(lambda seeing: not seeing.trouble)
    now = analyser.clock.now_ms()
    analyser.row = {"state": "full_rate", "mode": "always", "events": 2}
    analyser.event("start", 7, now - 2000)
    analyser.event("update", 8, now - 1000)
    assert analyser.until(lambda seeing: seeing.lasting).start_ms == now - 2000
    analyser.until(lambda seeing: seeing.lasting and analyser.news.is_set())
    analyser.event("end", 7, now - 2000, now + 10)
    assert analyser.until(lambda seeing: seeing.end_ms == now + 10).lasting
    analyser.row = {"state": "full_rate", "mode": "always", "events": 0}
    analyser.event("end", 8, now - 1000, now + 20)
    assert analyser.until(lambda seeing: not seeing.lasting).end_ms >= now + 20


def test_events_that_nobody_told_of_count(analyser: Analyser) -> None:
    """Those that began before the connection, or whose news were lost: the statistics know of them."""
    analyser.row = {"state": "full_rate", "mode": "always", "events": 1}
    analyser.feed.want({1})
    began = analyser.until(lambda seeing: seeing.lasting)
    assert 0 < began.start_ms <= analyser.clock.now_ms()
    analyser.row = {"state": "full_rate", "mode": "always", "events": 0}
    assert analyser.until(lambda seeing: not seeing.lasting).end_ms >= began.start_ms


@pytest.mark.parametrize(
    ("row", "lag_ms"),
    [
        (None, 0),
        *(({"state": state.value}, 0) for state in AnalysisState if not state.watches),
        ({"state": "of another version"}, 0),
        *(({"state": state.value}, 60_000) for state in AnalysisState if state.watches),
    ],
)
def test_every_way_not_to_watch_is_trouble(
    analyser: Analyser, row: dict[str, Any] | None, lag_ms: int
) -> None:
    """It is told in words, and over as soon as analysis watches again."""
    analyser.feed.want({1})
    analyser.until(lambda seeing: not seeing.trouble)
    analyser.row, analyser.lag_ms = row, lag_ms
    said = analyser.until(lambda seeing: bool(seeing.trouble)).trouble
    assert said.endswith(".")
    analyser.row, analyser.lag_ms = {"state": "keyframes", "mode": "keyframes"}, 6000
    analyser.until(lambda seeing: not seeing.trouble)


def test_a_quiet_camera_is_watched_between_its_keyframes(analyser: Analyser) -> None:
    """Nothing moves, so only keyframes are decoded, seconds apart: that is no reason to keep everything."""
    analyser.row, analyser.lag_ms = {"state": "quiet", "mode": "balanced"}, 6000
    analyser.feed.want({1})
    analyser.until(lambda seeing: not seeing.trouble)


def test_a_dead_analyser_is_trouble_until_it_answers(analyser: Analyser) -> None:
    """Its connection ends, nobody answers for a while, then a new one does; the open event is not trusted."""
    analyser.row = {"state": "full_rate", "mode": "always", "events": 1}
    analyser.feed.want({1})
    well_ms = analyser.until(lambda seeing: seeing.lasting and not seeing.trouble).well_ms
    analyser.reachable = False
    analyser.bus.hang_up()
    gone = analyser.until(lambda seeing: bool(seeing.trouble))
    assert (gone.lasting, gone.well_ms >= well_ms) == (False, True)
    analyser.reachable = True
    analyser.until(lambda seeing: not seeing.trouble and seeing.lasting)


def test_what_was_heard_long_ago_does_not_count() -> None:
    """If the listening thread itself died, cameras would still be kept."""
    row = {"camera": 1, "state": "full_rate", "last_frame_ms": 1 << 60}
    clock, bus = FakeClock(), FakeBus({"stats": {"kind": "stats", "cameras": [row]}})
    feed = AnalysisFeed(Path("a"), clock, lambda: None, lambda _path, _timeout: bus)
    feed.want({1})
    deadline = time.monotonic() + 30
    while feed.seeing(1).trouble and time.monotonic() < deadline:
        time.sleep(0.01)
    assert feed.seeing(1).trouble == ""
    bus.answers.clear()
    clock.advance(6)
    assert feed.seeing(1).trouble
    feed.stop()


def test_the_fake_says_what_it_is_told() -> None:
    """And is in trouble by itself, as the real one before it has heard anything."""
    fake = FakeAnalysis()
    fake.want([1])
    assert fake.wanted == {1}
    assert fake.seeing(1).trouble
    fake.says[1] = Seeing(well_ms=5)
    assert fake.seeing(1).well_ms == 5
