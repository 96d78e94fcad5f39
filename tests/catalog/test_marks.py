"""Marks of what leaves: they cover exactly the files that were decided on, whatever comes and goes around."""

from __future__ import annotations

import itertools
from pathlib import Path

import hypothesis.strategies as st
import pytest
from alembic import command
from hypothesis import example, given, settings
from sqlalchemy import Connection, create_engine, select
from sqlalchemy.dialects import postgresql

from beholden.catalog import Catalog, journal, leaving, marks, segments, upgrade, usage
from beholden.catalog.catalog import FILE_NAME
from beholden.catalog.segments import MediaFormat, Segment, Stored
from beholden.catalog.tables import leaving as table
from beholden.catalog.tables import metadata, segment
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason
from beholden.model.segment import SegmentKey

FORMAT = MediaFormat(0, b"init", "h264", "avc1.640028", 640, 360, None, None, None)
Place = tuple[int, int, int]
"""(start, epoch, volume) of a file of camera 1."""


def put(conn: Connection, start_ms: int, epoch: int = 0, volume: int = 1) -> None:
    """Index a file of a second."""
    fmt = segments.format_id(conn, FORMAT)
    key = SegmentKey(1, StreamRole.MAIN, start_ms, epoch)
    item = Segment(key, start_ms + 1000, 10, volume, fmt, False, bytes(32), b"")
    segments.close_segment(conn, 0, item)


def stored(place: Place) -> Stored:
    """The same as those see it who delete it."""
    start_ms, epoch, volume = place
    key = SegmentKey(1, StreamRole.MAIN, start_ms, epoch)
    return Stored(key, start_ms + 1000, 10, volume, bytes(32))


def marked(conn: Connection) -> set[Place]:
    """What queries of files say leaves."""
    query = select(segment.c.start_ms, segment.c.epoch, segment.c.volume).where(marks.IS_MARKED)
    return {(row[0], row[1], row[2]) for row in conn.execute(query)}


PLACES = st.tuples(st.integers(0, 5).map(lambda n: n * 1000), st.integers(0, 1), st.just(1))
_COPIES = {(0, 0, 1), (0, 1, 1), (1000, 0, 1)}  # two of one instant, and what follows
STEPS = st.tuples(st.sampled_from(["put", "mark", "unmark", "forget"]), st.sets(PLACES, min_size=1))


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=12))
@example([("put", _COPIES), ("mark", _COPIES), ("forget", {(0, 0, 1), (1000, 0, 1)})])
@example(
    [("put", _COPIES), ("mark", _COPIES), ("unmark", {(0, 1, 1)}), ("forget", {(0, 0, 1), (1000, 0, 1)})]
)
def test_exactly_what_was_decided_on_is_marked(steps: list[tuple[str, set[Place]]]) -> None:
    """Files are added, marked, unmarked and forgotten in any order and any selection: a file is marked if it
    was the last that was said of it, a new one never is, no mark overlaps another or covers nothing."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    there: set[Place] = set()
    leaves: set[Place] = set()
    with engine.connect() as conn:
        for verb, places in steps:
            rows = [stored(place) for place in places & there]
            if verb == "put":
                for start_ms, epoch, volume in places - there:
                    put(conn, start_ms, epoch, volume)
                there |= places
            elif verb == "mark":
                leaving.mark(conn, 0, leaving.runs(rows), Reason.SPACE)
                leaves |= places & there
            elif verb == "unmark":
                leaving.unmark(conn, rows)
                leaves -= places
            else:
                leaving.forget(conn, 0, leaving.runs(rows), Reason.SPACE, "test")
                there -= places
                leaves -= places
            assert marked(conn) == leaves
            assert {(r.key.start_ms, r.key.epoch, 1) for r in segments.on_volume(conn, 1)} == there - leaves
            found = leaving.marked(conn, 1, 100)
            assert {(r.key.start_ms, r.key.epoch, 1) for each in found for r in each.rows} == leaves
            ranges = conn.execute(select(table).order_by(table.c.from_ms, table.c.from_epoch)).all()
            bounds = [((r.from_ms, r.from_epoch), (r.to_ms, r.to_epoch)) for r in ranges]
            assert all(first[1] < second[0] for first, second in itertools.pairwise(bounds))
            covered = [sum(first <= place[:2] <= last for place in leaves) for first, last in bounds]
            assert all(covered)
    engine.dispose()


def test_a_day_is_one_mark(catalog: Catalog) -> None:
    """Files that follow each other are one row; a file of another volume in between is not in it."""
    with catalog.write() as conn:
        for start_ms in range(0, 60_000, 1000):
            put(conn, start_ms)
        put(conn, 30_000, 1, volume=2)
        rows = segments.on_volume(conn, 1)
        leaving.mark(conn, 7, leaving.runs(rows), Reason.TOO_OLD)
        (mark,) = conn.execute(select(table)).all()
        assert (mark.from_ms, mark.to_ms, mark.reason, mark.at_ms) == (0, 59_000, "too_old", 7)
        assert (segments.on_volume(conn, 1), len(segments.on_volume(conn, 2))) == ([], 1)
        leaving.forget(conn, 8, leaving.runs(rows[:20]), Reason.TOO_OLD, "retention")
        (mark,) = conn.execute(select(table)).all()
        assert (mark.from_ms, mark.from_epoch, mark.to_ms) == (19_000, 1, 59_000)  # after the twentieth
        assert [each.rows for each in leaving.marked(conn, 1, 100)] == [rows[20:]]
        leaving.forget(conn, 9, leaving.runs(rows[20:]), Reason.TOO_OLD, "retention")
        assert conn.execute(select(table)).all() == []


def test_forgetting_twice_is_forgetting_once(catalog: Catalog) -> None:
    """What somebody else was quicker to forget is neither subtracted nor journalled again."""
    with catalog.write() as conn:
        for start_ms in range(0, 5000, 1000):
            put(conn, start_ms)
        rows = segments.on_volume(conn, 1)
        leaving.forget(conn, 8, leaving.runs(rows[1:3]), Reason.LOST, "recorder")
        leaving.forget(conn, 9, leaving.runs(rows[:4]), Reason.SPACE, "retention")
        leaving.forget(conn, 9, leaving.runs(rows[:4]), Reason.SPACE, "retention")
        facts = [fact.body for fact in journal.entries(conn) if fact.kind == "segments_deleted"]
        assert [fact["segments"] for fact in facts] == [[[1000, 0], [2000, 0]], [[0, 0], [3000, 0]]]
        assert usage.files_by_volume(conn) == {1: 1}


def test_what_is_moved_into_a_marked_range_stays(catalog: Catalog) -> None:
    """It comes from another volume, and nobody decided that it leaves; what is marked does not move."""
    with catalog.write() as conn:
        for start_ms in (0, 1000, 3000, 4000):
            put(conn, start_ms)
        put(conn, 2000, volume=2)
        (moving,) = segments.on_volume(conn, 2)
        first, *_ = rows = segments.on_volume(conn, 1)
        marks.add(conn, 0, marks.between(1, rows[0].key, rows[-1].key), Reason.SPACE)
        assert segments.move(conn, 0, [moving], 1) == [moving]
        assert segments.move(conn, 0, [first], 2) == []
        assert [row.key for row in segments.on_volume(conn, 1)] == [moving.key]
        assert len(marked(conn)) == 4


def test_marks_of_an_older_catalog_are_taken_over(tmp_path: Path) -> None:
    """It had them in the rows of the files: what was being deleted when the new version came is finished."""
    engine = create_engine(f"sqlite:///{tmp_path / FILE_NAME}")
    config = upgrade._config()
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0005")
        conn.exec_driver_sql(
            "insert into media_format (id, sha256, init, video_codec, video_codec_string, width, height)"
            " values (1, x'00', x'00', 'h264', 'avc1', 1, 1)"
        )
        columns = "camera, stream, start_ms, epoch, end_ms, size, volume, format, repaired, sha256, fragments"
        for start_ms, mark in ((0, "null, null"), (1000, "5, 'space'")):
            conn.exec_driver_sql(
                f"insert into segment ({columns}, leaving_ms, leaving_reason)"
                f" values (1, 0, {start_ms}, 0, {start_ms + 1000}, 10, 1, 1, 0, x'00', x'', {mark})"
            )
    engine.dispose()
    catalog = Catalog.open(tmp_path)
    with catalog.read() as conn:
        (found,) = leaving.marked(conn, 1, 10)
        assert (found.reason, [row.key.start_ms for row in found.rows]) == (Reason.SPACE, [1000])
        assert [row.key.start_ms for row in segments.on_volume(conn, 1)] == [0]
        assert conn.execute(select(table.c.at_ms)).scalars().all() == [5]
    catalog.close()


@pytest.mark.parametrize("condition", [marks.WITHIN, marks.COVERS, ~marks.IS_MARKED])
def test_conditions_are_said_to_postgresql_too(condition: object) -> None:
    """The same expressions serve both databases."""
    statement = select(segment.c.camera).where(condition)  # type: ignore[arg-type]
    assert "(segment.start_ms, segment.epoch)" in str(statement.compile(dialect=postgresql.dialect()))
