"""The catalog's writer: nothing waits for it, nothing is forgotten, order is kept."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import Catalog, gaps, journal, segments, spans
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.media import StreamFormat, VideoFormat
from beholden.model.segment import SegmentKey
from beholden.model.time import FakeClock
from beholden.record.fmp4 import build_init
from beholden.record.index import CloseGap, Index, IndexSegment, OpenGap
from beholden.record.outage import Outage

T0 = 1_795_472_104_250
SPS, PPS = (
    bytes.fromhex("6764001facd9405005bb011000000300100000030320f183196000"),
    bytes.fromhex("68ebe3cb22c0"),
)
FORMAT = StreamFormat(VideoFormat("h264", 1280, 720, (SPS, PPS)))
MAIN = StreamRole.MAIN


def item(number: int, camera: int = 1) -> IndexSegment:
    """A minute of footage."""
    start = T0 + number * 60_000
    key = SegmentKey(camera, MAIN, start)
    return IndexSegment(key, start + 60_000, 1000, 1, build_init(FORMAT), FORMAT, False, bytes(32), b"")


def eventually(condition: Callable[[], Any]) -> None:
    """Wait for something, generously."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A new catalog."""
    catalog = Catalog.open(tmp_path)
    yield catalog
    catalog.close()


@pytest.fixture
def index(catalog: Catalog) -> Iterator[Index]:
    """An index that writes quickly."""
    index = Index(catalog, FakeClock(), batch_seconds=0.01)
    yield index
    index.stop(30)


def test_facts_are_written_in_order(catalog: Catalog, index: Index) -> None:
    """Segments make rows, one span and journal entries; a gap opens and closes."""
    for number in range(5):
        index.put(item(number))
    index.put(OpenGap(1, MAIN, T0 + 300_000, GapCause.CAMERA_LOST, "gone"))
    index.put(CloseGap(1, MAIN, T0 + 400_000))
    assert index.flush(30)
    with catalog.read() as conn:
        assert spans.between(conn, 1, MAIN, 0, 1 << 62) == [(T0, T0 + 300_000)]
        (gap,) = gaps.between(conn, 1, MAIN, 0, 1 << 62)
        kinds = [entry.kind for entry in journal.entries(conn)]
    assert (gap.cause, gap.end_ms) == (GapCause.CAMERA_LOST, T0 + 400_000)
    assert kinds == ["segment_closed"] * 5 + ["gap_opened", "gap_closed"]


@pytest.mark.faults
def test_a_locked_catalog_delays_and_loses_nothing(catalog: Catalog, index: Index, tmp_path: Path) -> None:
    """Somebody holds the catalog beyond its patience: facts wait, putting never blocks, all arrive."""
    holder = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    slowest = 0.0
    for number in range(200):
        began = time.monotonic()
        index.put(item(number))
        slowest = max(slowest, time.monotonic() - began)
    eventually(lambda: index.trouble is not None)
    assert index.waiting == 200
    assert slowest < 5
    holder.execute("ROLLBACK")
    holder.close()
    assert index.flush(60)
    assert index.trouble is None
    with catalog.read() as conn:
        assert segments.count(conn) == 200


def test_one_refused_fact_stops_no_others(catalog: Catalog, index: Index) -> None:
    """A fact that the tables refuse is logged; those around it are written."""
    bad = IndexSegment(item(1).key, T0, 1, 1, b"init", FORMAT, False, None, b"")  # type: ignore[arg-type]
    for each in (item(0), bad, item(2), item(0)):
        index.put(each)
    assert index.flush(30)
    with catalog.read() as conn:
        assert segments.count(conn) == 2


def test_stopping_with_a_locked_catalog_ends(catalog: Catalog, tmp_path: Path) -> None:
    """A stop waits its time and no longer; what is left will be found on the disk."""
    index = Index(catalog, FakeClock(), batch_seconds=0.01)
    holder = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    index.put(item(0))
    assert not index.stop(0.2)
    holder.execute("ROLLBACK")
    holder.close()


class Facts:
    """Collects what an Outage puts."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.outage = Outage(1, MAIN, self.items.append)

    def begin(self, kept_ms: int, start_ms: int) -> bool:
        return self.outage.begin_file(kept_ms * 90, start_ms * 90, GapCause.CLOCK_STEPPED, "jump")


def test_the_first_cause_counts() -> None:
    """A second reason for the same outage adds nothing."""
    facts = Facts()
    facts.outage.open(T0, GapCause.CAMERA_LOST, "a")
    facts.outage.open(T0 + 5, GapCause.LOGIN_REFUSED, "b")
    assert [fact.cause for fact in facts.items] == [GapCause.CAMERA_LOST]


def test_the_first_file_of_a_run_ends_an_older_gap() -> None:
    """A gap that the last run left open ends with the first file on disk; later files end nothing."""
    facts = Facts()
    assert facts.begin(0, T0)
    facts.outage.landed(T0)
    assert facts.items == [CloseGap(1, MAIN, T0)]
    assert not facts.begin(T0 + 60_000, T0 + 60_000)


def test_an_unexplained_hole_gets_a_cause() -> None:
    """A file that begins later than the last ended is never silence."""
    facts = Facts()
    facts.begin(0, T0)
    facts.outage.landed(T0)
    assert facts.begin(T0 + 60_000, T0 + 65_000)
    facts.outage.landed(T0 + 65_000)
    hole = OpenGap(1, MAIN, T0 + 60_000, GapCause.CLOCK_STEPPED, "jump")
    assert facts.items[1:] == [hole, CloseGap(1, MAIN, T0 + 65_000)]


def test_a_new_outage_waits_for_the_end_of_the_last() -> None:
    """The camera is lost again before the disk wrote the file between: both gaps are told, in order."""
    facts = Facts()
    facts.outage.open(T0, GapCause.CAMERA_LOST, "a")
    facts.begin(T0, T0 + 1000)
    facts.outage.open(T0 + 2000, GapCause.CAMERA_LOST, "b")
    assert len(facts.items) == 1
    threading.Thread(target=facts.outage.landed, args=(T0 + 1000,)).start()
    eventually(lambda: len(facts.items) == 3)
    assert [type(fact).__name__ for fact in facts.items] == ["OpenGap", "CloseGap", "OpenGap"]


def test_a_file_that_never_landed_ends_no_gap() -> None:
    """The disk refused the file: the gap goes on, and the next file ends it."""
    facts = Facts()
    facts.outage.open(T0, GapCause.CAMERA_LOST, "a")
    facts.begin(T0, T0 + 1000)
    facts.outage.failed(T0 + 1000)
    facts.outage.open(T0, GapCause.DISK_FULL, "full")
    assert facts.begin(T0, T0 + 9000)
    facts.outage.landed(T0 + 9000)
    assert facts.items[-1] == CloseGap(1, MAIN, T0 + 9000)


def test_a_cause_can_turn_into_another() -> None:
    """Missing by rule becomes missing for a fault: one gap ends where the next begins."""
    facts = Facts()
    facts.begin(0, T0)
    facts.outage.landed(T0)
    facts.outage.turn(T0 + 1000, GapCause.RULE_OFF, "rule")
    facts.outage.turn(T0 + 9000, GapCause.CAMERA_LOST, "gone")
    assert facts.items[1:] == [
        OpenGap(1, MAIN, T0 + 1000, GapCause.RULE_OFF, "rule"),
        CloseGap(1, MAIN, T0 + 9000),
        OpenGap(1, MAIN, T0 + 9000, GapCause.CAMERA_LOST, "gone"),
    ]


@pytest.mark.parametrize("first_lands", [True, False])
def test_two_files_on_their_way_are_told_in_order(first_lands: bool) -> None:
    """A disk that hangs while the camera comes and goes: each gap ends where its file begins, whether or not
    the file before it could be written."""
    facts = Facts()
    facts.outage.open(T0, GapCause.CAMERA_LOST, "a")
    facts.begin(T0, T0 + 1000)
    facts.outage.open(T0 + 2000, GapCause.CAMERA_LOST, "b")
    facts.begin(T0 + 2000, T0 + 3000)
    facts.outage.open(T0 + 4000, GapCause.CAMERA_LOST, "c")
    if first_lands:
        facts.outage.landed(T0 + 1000)
        facts.outage.landed(T0 + 3000)
    else:
        facts.outage.landed(T0 + 3000)
        assert len(facts.items) == 1
        facts.outage.failed(T0 + 1000)
    told = [fact for fact in facts.items if isinstance(fact, OpenGap)]
    assert [fact.start_ms - T0 for fact in told] == [0, 2000, 4000]
    ends = [fact.end_ms - T0 for fact in facts.items if isinstance(fact, CloseGap)]
    assert ends == ([1000, 3000] if first_lands else [3000])
