"""Segments with their spans and roll-ups, gaps, events."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings
from sqlalchemy import Connection, create_engine, select

from beholden.catalog import Catalog, events, gaps, journal, leaving, segments
from beholden.catalog import spans as catalog_spans
from beholden.catalog.events import EventFilter
from beholden.catalog.gaps import Gap
from beholden.catalog.segments import JOIN_MS, MediaFormat, Segment
from beholden.catalog.tables import metadata, usage_day
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason
from beholden.model.event import Box, ObjectClass
from beholden.model.gap import GapCause
from beholden.model.segment import SegmentKey

FORMAT = MediaFormat(0, b"init", "h264", "avc1.640028", 640, 360, "aac", "mp4a.40.2", 16000)
BOX = Box(0.1, 0.2, 0.3, 0.4)


def make(conn: Connection, start_ms: int, end_ms: int, camera: int = 1, size: int = 10) -> Segment:
    """Index a file covering [start_ms, end_ms)."""
    fmt = segments.format_id(conn, FORMAT)
    key = SegmentKey(camera, StreamRole.MAIN, start_ms)
    item = Segment(key, end_ms, size, 1, fmt, False, b"\0" * 32, b"")
    segments.close_segment(conn, end_ms, item)
    return item


def spans(conn: Connection) -> list[tuple[int, int]]:
    """All spans of camera 1."""
    return catalog_spans.between(conn, 1, StreamRole.MAIN, 0, 1 << 60)


def test_neighbours_make_one_span(catalog: Catalog) -> None:
    """Files that meet are one unbroken run; a real gap begins another."""
    with catalog.write() as conn:
        make(conn, 0, 60_000)
        make(conn, 60_001, 120_000)
        make(conn, 120_000 + JOIN_MS + 1, 180_000)
        assert spans(conn) == [(0, 120_000), (120_000 + JOIN_MS + 1, 180_000)]


def test_a_late_file_joins_two_spans(catalog: Catalog) -> None:
    """A repaired file between two runs makes them one."""
    with catalog.write() as conn:
        make(conn, 0, 10_000)
        make(conn, 20_000, 30_000)
        make(conn, 10_000, 20_000)
        assert spans(conn) == [(0, 30_000)]


def test_deleting_cuts_the_span(catalog: Catalog) -> None:
    """A deleted file leaves a hole and takes its bytes out of the roll-up, with the reason kept."""
    with catalog.write() as conn:
        make(conn, 0, 10_000)
        middle = make(conn, 10_000, 20_000)
        make(conn, 20_000, 30_000)
        leaving.forget(conn, 40_000, leaving.runs([middle]), Reason.SPACE, "retention")
        assert spans(conn) == [(0, 10_000), (20_000, 30_000)]
        kept = segments.kept(conn)[1]
        assert (kept.oldest_ms, kept.newest_ms, kept.footage_ms, kept.size, kept.segments) == (
            0,
            30_000,
            20_000,
            20,
            2,
        )
        facts = journal.entries(conn)[3:]
        (gap,) = gaps.between(conn, 1, StreamRole.MAIN, 0, 100_000)
    assert (gap.start_ms, gap.end_ms, gap.cause) == (10_000, 20_000, GapCause.DELETED)
    assert [fact.kind for fact in facts] == ["gap_opened", "gap_closed", "segments_deleted"]
    assert (facts[-1].body["cause"], facts[-1].body["by"], facts[-1].body["bytes"]) == (
        "space",
        "retention",
        10,
    )
    assert facts[-1].body["segments"] == [[10_000, 0]]
    assert facts[-1].body["sha256"] == middle.sha256.hex()


def test_every_closed_file_is_journalled_with_its_hash(catalog: Catalog) -> None:
    """The hash is in the journal in the same transaction as the row."""
    with catalog.write() as conn:
        item = make(conn, 0, 60_000)
    with catalog.read() as conn:
        (fact,) = journal.entries(conn)
    assert fact.kind == "segment_closed"
    assert fact.body["sha256"] == item.sha256.hex()
    assert fact.body["path"] == item.key.path()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), max_size=25))
def test_spans_and_usage_always_match_the_files(steps: list[tuple[int, int]]) -> None:
    """Whatever is added and deleted in whatever order, spans are the union of the files and the
    roll-up is their sum."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    kept: dict[int, Segment] = {}
    with engine.connect() as conn:
        for slot, verb in steps:
            if verb == 2 and slot in kept:
                leaving.forget(conn, 1, leaving.runs([kept.pop(slot)]), Reason.TOO_OLD, "test")
            elif verb != 2 and slot not in kept:
                kept[slot] = make(conn, slot * 10_000, slot * 10_000 + 10_000)
        expected: list[tuple[int, int]] = []
        for slot in sorted(kept):
            if expected and expected[-1][1] == slot * 10_000:
                expected[-1] = (expected[-1][0], slot * 10_000 + 10_000)
            else:
                expected.append((slot * 10_000, slot * 10_000 + 10_000))
        assert spans(conn) == expected
        rows = conn.execute(select(usage_day)).all()
        assert sum(row.bytes for row in rows) == 10 * len(kept)
        assert all(row.segments > 0 for row in rows)
    engine.dispose()


def test_keys_page_through_everything(catalog: Catalog) -> None:
    """Reconciliation sees every row once, in order."""
    with catalog.write() as conn:
        wanted = [
            make(conn, n * 1000, n * 1000 + 1000, camera=camera).key for camera in (1, 2) for n in range(5)
        ]
        seen: list[SegmentKey] = []
        while page := segments.on_volume(conn, 1, after=seen[-1] if seen else None, limit=3):
            seen += [item.key for item in page]
    assert seen == wanted


def test_the_first_cause_of_a_gap_counts(catalog: Catalog) -> None:
    """A camera that is lost and then refuses the login is one gap with the first cause."""
    with catalog.write() as conn:
        gaps.open_gap(conn, 1, Gap(1, StreamRole.MAIN, 1000, None, GapCause.CAMERA_LOST, "reset"))
        gaps.open_gap(conn, 2, Gap(1, StreamRole.MAIN, 2000, None, GapCause.LOGIN_REFUSED, "401"))
        gaps.close_gap(conn, 3, 1, StreamRole.MAIN, 5000)
        gaps.close_gap(conn, 4, 1, StreamRole.MAIN, 6000)
        (found,) = gaps.between(conn, 1, StreamRole.MAIN, 0, 10_000)
    assert (found.start_ms, found.end_ms, found.cause) == (1000, 5000, GapCause.CAMERA_LOST)
    with catalog.read() as conn:
        assert [fact.kind for fact in journal.entries(conn)] == ["gap_opened", "gap_closed"]


def test_a_gap_of_a_stopped_recorder_ends_where_another_cause_is_found(catalog: Catalog) -> None:
    """After a restart a camera that is gone is told as gone, not as a crash that is long over."""
    with catalog.write() as conn:
        gaps.open_gap(conn, 1, Gap(1, StreamRole.MAIN, 1000, None, GapCause.RECORDER_CRASHED, ""))
        gaps.open_gap(conn, 2, Gap(1, StreamRole.MAIN, 4000, None, GapCause.CAMERA_LOST, ""))
        found = gaps.between(conn, 1, StreamRole.MAIN, 0, 10_000)
    assert [(item.start_ms, item.end_ms, item.cause) for item in found] == [
        (1000, 4000, GapCause.RECORDER_CRASHED),
        (4000, None, GapCause.CAMERA_LOST),
    ]


def test_an_open_gap_is_found_in_any_later_range(catalog: Catalog) -> None:
    """A gap that lasts is shown until footage is back."""
    with catalog.write() as conn:
        gaps.open_gap(conn, 1, Gap(1, StreamRole.MAIN, 1000, None, GapCause.DISK_FULL, ""))
        assert gaps.between(conn, 1, StreamRole.MAIN, 50_000, 60_000)
        assert gaps.open_of(conn, 1, StreamRole.MAIN) is not None
        assert gaps.counts(conn) == {1: 1}


def test_events_page_newest_first(catalog: Catalog) -> None:
    """Pages follow each other without loss or repeat, also at equal times."""
    with catalog.write() as conn:
        for number in range(7):
            events.start_event(conn, 1, ObjectClass.PERSON, 1000 + number // 2, 0.5, BOX, 1000)
        seen: list[int] = []
        before = None
        while found := events.page(conn, EventFilter(), before=before, limit=3):
            seen += [item.event.id for item in found]
            before = (found[-1].event.start_ms, found[-1].event.id)
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_events_filter_and_review(catalog: Catalog) -> None:
    """Class, camera, time and reviewed state select; marking changes only what matches."""
    with catalog.write() as conn:
        person = events.start_event(conn, 1, ObjectClass.PERSON, 1000, 0.5, BOX, 1000)
        car = events.start_event(conn, 2, ObjectClass.CAR, 5000, 0.5, BOX, 5000)
        events.end_event(conn, person, 2000)
        assert events.count(conn, EventFilter(kinds=[ObjectClass.CAR])) == 1
        assert events.count(conn, EventFilter(cameras=[1])) == 1
        assert events.count(conn, EventFilter(since_ms=3000)) == 1
        assert events.count(conn, EventFilter(until_ms=3000)) == 1
        assert events.mark_reviewed(conn, 9000, 7, EventFilter(cameras=[1]), True, [person, car]) == 1
        assert events.count(conn, EventFilter(reviewed=False)) == 1


def test_orphans_end_at_what_was_last_known(catalog: Catalog) -> None:
    """After a crash no event lasts for ever."""
    with catalog.write() as conn:
        left = events.start_event(conn, 1, ObjectClass.PERSON, 1000, 0.5, BOX, 1800)
        assert events.end_orphans(conn) == 1
        found = events.get(conn, left)
    assert found is not None
    assert found.event.end_ms == 1800


def test_many_cameras_in_one_query_are_the_same_as_one_by_one(catalog: Catalog) -> None:
    """Spans and gaps, cameras without any included; nothing of others."""
    stream = StreamRole.MAIN
    with catalog.write() as conn:
        for camera in (1, 2, 3):
            make(conn, camera * 1000, camera * 1000 + 1000, camera=camera)
            make(conn, camera * 9000, camera * 9000 + 1000, camera=camera)
            gaps.open_gap(conn, 0, Gap(camera, stream, camera * 2000, 9000, GapCause.CAMERA_LOST, ""))
            gaps.open_gap(conn, 0, Gap(camera, stream, 50_000, None, GapCause.DISK_FULL, ""))
        for start, end in ((0, 100_000), (3500, 9500), (60_000, 61_000)):
            kept = catalog_spans.of_cameras(conn, [1, 3, 7], stream, start, end)
            lost = gaps.of_cameras(conn, [1, 3, 7], stream, start, end)
            assert kept == {c: catalog_spans.between(conn, c, stream, start, end) for c in (1, 3, 7)}
            assert lost == {c: gaps.between(conn, c, stream, start, end) for c in (1, 3, 7)}


def test_the_newest_end_is_of_what_is_kept(catalog: Catalog) -> None:
    """Of one stream, whatever came late, and of nothing when nothing is kept."""
    with catalog.write() as conn:
        late = [make(conn, at, at + 1000) for at in (9000, 0, 5000)]
        make(conn, 20_000, 21_000, camera=2)
        assert segments.newest_end(conn, 1, StreamRole.MAIN) == 10_000
        leaving.forget(conn, 0, leaving.runs(late[:1]), Reason.SPACE, "retention")
        assert segments.newest_end(conn, 1, StreamRole.MAIN) == 6000
        leaving.forget(conn, 0, leaving.runs(late[1:]), Reason.SPACE, "retention")
        assert segments.newest_end(conn, 1, StreamRole.MAIN) is None
        assert segments.newest_ends(conn, StreamRole.MAIN) == {2: 21_000}


def test_deletion_that_goes_on_is_one_gap(catalog: Catalog) -> None:
    """Steps that touch grow it; another reason, a hole, or a removed camera do not."""
    with catalog.write() as conn:
        rows = [make(conn, at, at + 1000) for at in range(0, 5000, 1000)]
        make(conn, 9000, 10_000)
        for row in rows[:3]:
            leaving.forget(conn, 0, leaving.runs([row]), Reason.SPACE, "retention")
        leaving.forget(conn, 0, leaving.runs(rows[3:4]), Reason.CAMERA_SHARE, "retention")
        found = gaps.between(conn, 1, StreamRole.MAIN, 0, 100_000)
        assert [(gap.start_ms, gap.end_ms) for gap in found] == [(0, 3000), (3000, 4000)]
        assert gaps.any_before(conn, 1, StreamRole.MAIN, 3000)
        assert gaps.forget_before(conn, 1, StreamRole.MAIN, 3000) == 1
        assert not gaps.any_before(conn, 1, StreamRole.MAIN, 3000)


def test_what_stays_between_is_not_taken(catalog: Catalog) -> None:
    """Two files leave, and another recorder's copy between them does not: its span and its row stay."""
    with catalog.write() as conn:
        rows = [make(conn, at, at + 1000) for at in (0, 1000, 2000)]
        runs = leaving.runs([rows[0], rows[2]])
        assert [len(run) for run in runs] == [1, 1]
        copy = make(conn, 500, 1500)
        run = leaving.runs([rows[0], rows[1]])
        leaving.mark(conn, 7, run, Reason.TOO_OLD)
        assert [row.key for row in segments.on_volume(conn, 1)] == [copy.key, rows[2].key]
        leaving.forget(conn, 7, run, Reason.TOO_OLD, "retention")
        assert [row.key for row in segments.on_volume(conn, 1)] == [copy.key, rows[2].key]
        assert gaps.between(conn, 1, StreamRole.MAIN, 0, 9000) == []
