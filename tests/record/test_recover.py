"""What a start finds on the volume, what it never believes, and what retention may take."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import Catalog, cameras, events, gaps, journal, segments, volumes
from beholden.catalog.secrets import SecretBox
from beholden.catalog.segments import MediaFormat, Segment
from beholden.model.camera import StreamRole
from beholden.model.event import Box, ObjectClass
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.model.segment import SegmentKey, unpack_fragments
from beholden.model.time import FakeClock
from beholden.record.expire import expire_events
from beholden.record.fmp4 import FragmentWriter, build_init, walk
from beholden.record.index import Index
from beholden.record.reconcile import Reconciler
from beholden.record.recover import repair, survey
from beholden.record.retention import Retention
from beholden.store.fake import FakeStore
from beholden.store.store import StoreError

T0 = 1_795_472_104_250
MAIN = StreamRole.MAIN
SPS, PPS = (
    bytes.fromhex("6764001facd9405005bb011000000300100000030320f183196000"),
    bytes.fromhex("68ebe3cb22c0"),
)
FORMAT = StreamFormat(VideoFormat("h264", 1280, 720, (SPS, PPS)))
NEVER = threading.Event()


def footage(start_ms: int, fragments: int = 3) -> bytes:
    """A file of so many seconds."""
    writer, parts = FragmentWriter(), [build_init(FORMAT)]
    for index in range(fragments):
        ticks = (start_ms + index * 1000) * 90
        units = [AccessUnit(Track.VIDEO, ticks + n * 9000, n == 0, (b"12345",), 5, 0) for n in range(10)]
        parts += writer.fragment(units, (), ticks + 90_000).parts
    return b"".join(parts)


class Place:
    """A catalog and a volume."""

    def __init__(self, path: Path) -> None:
        self.catalog = Catalog.open(path)
        self.box = SecretBox.open(path)
        self.store = FakeStore(path / "footage")
        self.clock = FakeClock(T0 + 10 * 86_400_000)
        with self.catalog.write() as conn:
            self.volume_id = volumes.add(conn, 0, self.store.uuid, str(self.store.path))
            self.camera = cameras.add(
                conn, self.box, 0, cameras.NewCamera("a", "rtsp://127.0.0.1/a", keep_days=5)
            )
        self.index = Index(self.catalog, self.clock, batch_seconds=0.01)
        self.expired: list[tuple[int, int]] = []

    def key(self, start_ms: int = T0, camera: int | None = None) -> SegmentKey:
        return SegmentKey(camera or self.camera, MAIN, start_ms)

    def put_file(self, key: SegmentKey, data: bytes) -> None:
        path = self.store.path_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_row(self, key: SegmentKey, size: int = 1000, seconds: int = 3) -> None:
        with self.catalog.write() as conn:
            fmt = segments.format_id(
                conn, MediaFormat(0, b"init", "h264", "avc1.640028", 1280, 720, None, None, None)
            )
            row = Segment(
                key, key.start_ms + seconds * 1000, size, self.volume_id, fmt, False, bytes(32), b""
            )
            segments.close_segment(conn, 0, row)

    def put_both(self, count: int, step_ms: int = 3000) -> list[SegmentKey]:
        keys = [self.key(T0 + n * step_ms) for n in range(count)]
        for key in keys:
            self.put_file(key, b"x" * 1000)
            self.put_row(key)
        return keys

    def reconciler(self, owns: Callable[[int], bool] = lambda _: True) -> Reconciler:
        return Reconciler(self.catalog, self.store, self.volume_id, self.clock, self.index.put, owns)

    def retention(self, floor: int = 0) -> Retention:
        def expired(camera: int, cutoff: int) -> None:
            self.expired.append((camera, cutoff))

        return Retention(
            self.catalog, self.store, self.store.path, self.volume_id, floor, self.clock, expired
        )

    def rows(self) -> list[Segment]:
        assert self.index.flush(30)
        with self.catalog.read() as conn:
            return segments.between(conn, self.camera, MAIN, 0, 1 << 62)

    def gaps(self) -> list[gaps.Gap]:
        assert self.index.flush(30)
        with self.catalog.read() as conn:
            return gaps.between(conn, self.camera, MAIN, 0, 1 << 62)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place whose threads are ended."""
    place = Place(tmp_path)
    yield place
    place.index.stop(30)
    place.catalog.close()


@pytest.mark.parametrize("tail", [b"", b"\0\0\1\0moof cut", b"garbage at the end"])
def test_a_file_without_row_is_cut_hashed_and_indexed(place: Place, tail: bytes) -> None:
    """What is whole is kept bit for bit; the row says repaired and agrees with the file."""
    data = footage(T0)
    place.put_file(place.key(), data + tail)
    item = repair(place.store, place.volume_id, place.key())
    assert item is not None
    kept = place.store.path_of(place.key()).read_bytes()
    assert kept == data
    assert item.repaired
    assert (item.sha256, item.size, item.end_ms) == (hashlib.sha256(data).digest(), len(data), T0 + 3000)
    assert list(unpack_fragments(item.fragments)) == [ref.entry for ref in walk(data).fragments]


def test_every_cut_of_a_file_is_repaired_or_set_aside(place: Place) -> None:
    """Cut at many places: never an exception, never a row without a whole fragment."""
    data = footage(T0, 2)
    for number, cut in enumerate(range(0, len(data), 23)):
        key = place.key(T0 + number)
        place.put_file(key, data[:cut])
        item = repair(place.store, place.volume_id, key)
        whole = [r for r in walk(data).fragments if r.offset + r.size <= cut]
        assert (item is not None) == bool(whole)
        assert place.store.path_of(key).exists() == bool(whole)
    assert list((place.store.path / "quarantine").iterdir())


def test_survey_finds_the_crash(place: Place) -> None:
    """Footage that ends without an open gap ended in a crash, where the last whole fragment ends."""
    place.put_row(place.key())
    place.put_file(place.key(), b"x")
    newer = place.key(T0 + 3000)
    place.put_file(newer, footage(T0 + 3000) + b"half")
    found = survey(place.catalog, place.store, [place.camera, 99])
    assert found.unindexed == [newer]
    (gap,) = found.gaps
    assert (gap.camera, gap.start_ms, gap.cause) == (place.camera, T0 + 6000, GapCause.RECORDER_CRASHED)


def test_survey_leaves_an_explained_end_alone(place: Place) -> None:
    """After an orderly stop a gap is open already."""
    place.put_row(place.key())
    with place.catalog.write() as conn:
        stopped = gaps.Gap(place.camera, MAIN, T0 + 3000, None, GapCause.RECORDER_STOPPED, "")
        gaps.open_gap(conn, 0, stopped)
    assert survey(place.catalog, place.store, [place.camera]).gaps == []


def test_survey_without_the_volume_still_tells_the_crash(place: Place) -> None:
    """An unmounted disk is no reason to be silent about the hole."""
    place.put_row(place.key())
    place.store.lost = True
    found = survey(place.catalog, place.store, [place.camera])
    assert found.unindexed == []
    assert found.gaps[0].start_ms == T0 + 3000


def test_orphans_of_any_age_are_indexed_by_their_shard(place: Place) -> None:
    """Old files without rows are found; another shard's and fresh ones are left alone."""
    place.put_file(place.key(), footage(T0))
    place.put_file(place.key(T0, camera=7), footage(T0))
    assert place.reconciler(lambda camera: camera == place.camera).find_orphans(NEVER) == 1
    assert [row.key for row in place.rows()] == [place.key()]
    place.clock = FakeClock(int(time.time() * 1000))
    place.put_file(place.key(T0 + 60_000), footage(T0 + 60_000))
    assert place.reconciler().find_orphans(NEVER) == 0, "it may still be written"


def test_missing_files_become_explained_gaps(place: Place) -> None:
    """A row whose file is gone: the row goes, a gap says so, the journal has it."""
    keys = place.put_both(4)
    place.store.path_of(keys[1]).unlink()
    assert place.reconciler().find_missing(NEVER) == 1
    assert [row.key for row in place.rows()] == [keys[0], keys[2], keys[3]]
    (gap,) = place.gaps()
    assert (gap.cause, gap.start_ms, gap.end_ms) == (GapCause.FILE_MISSING, T0 + 3000, T0 + 6000)
    with place.catalog.read() as conn:
        last = [e for e in journal.entries(conn) if e.kind == "segment_deleted"]
    assert [entry.body["cause"] for entry in last] == ["file_missing"]


def test_when_most_is_missing_nothing_is_believed(place: Place) -> None:
    """Over half of at least 100 rows without files: nothing is touched and a person is asked (rule 7)."""
    keys = place.put_both(120)
    for key in keys[:61]:
        place.store.delete(key)
    reconciler = place.reconciler()
    assert reconciler.find_missing(NEVER) == 0
    assert len(place.rows()) == 120
    assert reconciler.alarm is not None
    assert "61 of 120" in reconciler.alarm.message


def test_an_unmounted_volume_is_never_read_as_deleted(place: Place) -> None:
    """Few rows, all missing, identity gone: refused by the identity alone."""
    for key in place.put_both(3):
        place.store.delete(key)
    place.store.lost = True
    reconciler = place.reconciler()
    assert reconciler.find_missing(NEVER) == 0
    assert len(place.rows()) == 3
    assert reconciler.alarm is not None


def test_old_footage_goes_oldest_first_and_young_stays(place: Place) -> None:
    """keep_days is 5: files that ended before go, with rows and what was derived, journalled."""
    keys = place.put_both(10, step_ms=86_400_000)
    assert place.retention().run_once(NEVER) == 5
    assert [row.key for row in place.rows()] == keys[5:]
    assert sorted(place.store.walk()) == keys[5:]
    assert place.expired == [(place.camera, place.clock.now_ms() - 5 * 86_400_000)]
    with place.catalog.read() as conn:
        bodies = [e.body for e in journal.entries(conn) if e.kind == "segment_deleted"]
    assert {(body["cause"], body["by"]) for body in bodies} == {("too old", "retention")}


def test_space_is_freed_to_the_floor_and_no_further(place: Place) -> None:
    """With 2500 bytes too few, the three oldest files of 1000 go."""
    place.clock = FakeClock(T0 + 100_000)
    keys = place.put_both(10)
    place.store.free = lambda: 7500 - 1000 * len(list(place.store.walk())) + 10_000
    assert place.retention(floor=10_000).run_once(NEVER) == 3
    assert [row.key for row in place.rows()] == keys[3:]


def test_half_of_all_footage_is_never_deleted_unasked(place: Place) -> None:
    """A clock that jumps years ahead makes everything old: it stops at half, and asks; a person confirms."""
    place.put_both(150)
    retention = place.retention()
    deleted = retention.run_once(NEVER)
    assert deleted <= 75
    assert retention.alarm is not None
    assert retention.alarm.next_step
    with place.catalog.write() as conn:
        now = place.clock.now_ms()
        cameras.change(conn, place.box, now, place.camera, {"keep_days": 4})
    retention.run_once(NEVER)
    assert place.rows() == []
    assert retention.alarm is None


def test_a_disk_that_others_fill_does_not_cost_all_footage(place: Place) -> None:
    """Deleting does not help: it stops at half and says that something else fills the disk."""
    place.clock = FakeClock(T0 + 100_000)
    place.put_both(150)
    place.store.free = 0
    retention = place.retention(floor=10_000)
    retention.run_once(NEVER)
    assert len(place.rows()) >= 75
    assert retention.alarm is not None
    assert retention.alarm.code == "disk_used_by_others"


def test_retention_refuses_the_wrong_disk(place: Place) -> None:
    """No row goes while the volume is not there."""
    place.put_both(10, step_ms=86_400_000)
    place.store.lost = True
    with pytest.raises(StoreError):
        place.retention().run_once(NEVER)
    assert len(place.rows()) == 10


def test_an_interrupted_deletion_is_finished(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between unlink and row: the next pass finishes it with the right cause."""
    keys = place.put_both(10, step_ms=86_400_000)

    def die(key: SegmentKey) -> None:
        if key == keys[2]:
            raise KeyboardInterrupt

    original = place.store.delete
    monkeypatch.setattr(place.store, "delete", lambda key: (die(key), original(key)))
    with pytest.raises(KeyboardInterrupt):
        place.retention().run_once(NEVER)
    assert len(place.rows()) == 10
    monkeypatch.undo()
    place.retention().run_once(NEVER)
    assert [row.key for row in place.rows()] == keys[5:]
    assert place.gaps() == []


def test_events_and_stills_go_with_their_footage(place: Place, tmp_path: Path) -> None:
    """Old events and their stills go, journalled; young ones and lasting ones stay."""
    stills = tmp_path / "stills"
    ids: list[Any] = []
    with place.catalog.write() as conn:
        for start, end in ((T0, T0 + 10), (T0 + 9000, T0 + 9010), (T0, None)):
            box = Box(0, 0, 1, 1)
            event = events.start_event(conn, place.camera, ObjectClass.PERSON, start, 0.5, box, start)
            events.update_event(conn, event, still_size=5)
            if end is not None:
                events.end_event(conn, event, end)
            ids.append(event)
    still = stills / f"cam-{place.camera}" / "2026-11-23" / f"{ids[0]}.jpg"
    still.parent.mkdir(parents=True)
    still.write_bytes(b"jpeg!")
    expire_events(place.catalog, stills, place.clock, place.camera, T0 + 5000)
    assert not still.exists()
    with place.catalog.read() as conn:
        assert [events.get(conn, event) is not None for event in ids] == [False, True, True]
        assert [e.kind for e in journal.entries(conn)][-1] == "still_deleted"
