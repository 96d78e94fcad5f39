"""Fragments and files of one stream, and what a disk that is full, slow or broken may cost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.record.disk import DiskTrouble, DiskWriter, SegmentFile
from beholden.record.fmp4 import read_units, walk
from beholden.record.segment import SegmentWriter
from beholden.store.fake import FakeStore

START_MS = 1_795_472_104_250
STEP = 9000
SPS, PPS = (
    bytes.fromhex("6764001facd9405005bb011000000300100000030320f183196000"),
    bytes.fromhex("68ebe3cb22c0"),
)
FORMAT = StreamFormat(VideoFormat("h264", 1280, 720, (SPS, PPS)))
OTHER = StreamFormat(VideoFormat("h264", 640, 360, (SPS, PPS)))


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.begins: list[tuple[int, int]] = []
        self.troubles: list[tuple[DiskTrouble, int, bool]] = []
        self.landed: list[int] = []
        self.lost: list[SegmentFile] = []

    def file_begins(self, kept_tick: int, start_tick: int, silent_ms: int) -> bool:
        self.begins.append((kept_tick, start_tick))
        return True

    def disk_troubled(self, trouble: DiskTrouble, end_tick: int, landed: bool) -> None:
        self.troubles.append((trouble, end_tick, landed))

    def file_landed(self, file: SegmentFile) -> None:
        self.landed.append(file.key.start_ms)

    def file_lost(self, file: SegmentFile) -> None:
        self.lost.append(file)


class Rig:
    """A stream's writer on a store that can fail."""

    def __init__(self, path: Path, limit: int = 1_000_000) -> None:
        self.store = FakeStore(path)
        self.closed: list[SegmentFile] = []
        self.disk = DiskWriter(self.store, self.closed.append, limit_bytes=limit)
        self.owner = Owner()
        self.writer = SegmentWriter(1, StreamRole.MAIN, self.disk, self.owner)
        self.writer.set_format(FORMAT)
        self.number = 0

    def feed(self, count: int, gop: int = 10, size: int = 500) -> None:
        for _ in range(count):
            self.writer.add(picture(self.number, self.number % gop == 0, size))
            self.number += 1

    def settle(self) -> None:
        eventually(lambda: self.disk.pending_bytes == 0)

    def finish(self) -> None:
        self.store.release()
        self.writer.end_file()
        assert self.disk.stop(30)

    def pts(self, file: SegmentFile) -> list[int]:
        data = self.store.path_of(file.key).read_bytes()
        assert hashlib.sha256(data).digest() == file.hash.digest()
        refs = walk(data).fragments
        assert [ref.entry for ref in refs] == file.entries
        return [u.pts for ref in refs for u in read_units(data[ref.offset : ref.offset + ref.size])]


def tick(number: int) -> int:
    """The pts of a picture."""
    return START_MS * 90 + number * STEP


def picture(number: int, key: bool, size: int = 500) -> AccessUnit:
    """A picture every 100 ms."""
    return AccessUnit(Track.VIDEO, tick(number), key, (bytes(size),), size, tick(number) // 90)


def eventually(condition: Callable[[], Any]) -> None:
    """Wait for something, generously."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A rig whose thread is ended."""
    rig = Rig(tmp_path)
    yield rig
    rig.store.release()
    rig.disk.stop(30)


@given(st.integers(1, 30), st.integers(1, 120))
@settings(max_examples=25, deadline=None)
def test_fragments_close_at_keyframes_and_within_a_second(
    tmp_path_factory: pytest.TempPathFactory, gop: int, count: int
) -> None:
    """Whatever the GOP: no picture is lost, none waits over two thirds of a second, GOPs are not crossed."""
    rig = Rig(tmp_path_factory.mktemp("r"))
    rig.feed(count, gop)
    rig.finish()
    (file,) = rig.closed
    assert rig.pts(file) == [tick(n) for n in range(count)]
    # GOPs of less than half a second go together: else nothing but keyframes would be a fragment each.
    together = gop * max(1, -(-5 // gop))
    assert all(entry.pictures <= min(7, together) for entry in file.entries)
    assert all(entry.pictures >= min(5, gop) for entry in file.entries[:-1] if together <= 7)
    assert file.key.start_ms == START_MS
    assert file.end_ms == tick(count) // 90 or count == 1


def test_it_says_when_the_open_fragment_is_due(rig: Rig) -> None:
    """Two thirds of a second after its first picture; nothing is due while none is open or kept."""
    assert rig.writer.due_ms == 0
    rig.feed(3)
    assert rig.writer.due_ms == START_MS + 666
    rig.feed(5)
    assert rig.writer.due_ms == START_MS + 700 + 666, "the seventh began the next"
    rig.writer.end_file()
    assert rig.writer.due_ms == 0


def test_regular_keyframes_are_waited_for(rig: Rig) -> None:
    """What ends with the next keyframe is due when that is expected; one that fails to come is let be."""
    rig.feed(21, gop=10)
    rig.feed(8, gop=100)
    assert rig.writer.due_ms == START_MS + 3000, "the length alone would be due at 3.366"
    rig.feed(3, gop=100)
    assert rig.writer.due_ms == START_MS + 2700 + 666


def test_a_file_ends_at_the_first_keyframe_after_a_minute(rig: Rig) -> None:
    """1300 pictures at 10 a second with GOPs of 7: files begin with keyframes, and nothing lies between."""
    rig.feed(1300, gop=7)
    rig.finish()
    assert [len(rig.pts(file)) for file in rig.closed] == [602, 602, 96]
    assert all(a.end_ms == b.key.start_ms for a, b in zip(rig.closed, rig.closed[1:], strict=False))
    assert [kept for kept, _ in rig.owner.begins][1:] == [start for _, start in rig.owner.begins][1:]
    assert len(rig.owner.landed) == 3


def test_a_new_format_begins_a_file_at_once(rig: Rig) -> None:
    """After a change of tracks the next keyframe begins a file with the new init segment."""
    rig.feed(25)
    rig.writer.set_format(FORMAT)
    rig.writer.set_format(OTHER)
    rig.feed(15)
    rig.finish()
    first, second = rig.closed
    assert (len(rig.pts(first)), second.stream_format) == (25, OTHER)
    assert rig.pts(second)[0] == tick(30), "pictures before the keyframe cannot be decoded"


def test_order_on_disk(rig: Rig) -> None:
    """Created, written, synced (recorder rule 6); the row is queued only then."""
    rig.feed(20)
    rig.finish()
    assert rig.store.log == ["create", *["write"] * 4, "sync"]


@pytest.mark.parametrize(("fault", "cause"), [("full", GapCause.DISK_FULL), ("broken", GapCause.DISK_ERROR)])
def test_a_failing_disk_is_a_gap_and_recording_returns(rig: Rig, fault: str, cause: GapCause) -> None:
    """What was written before stays and is indexed; footage stops with a cause; it comes back by itself."""
    rig.feed(35)
    rig.settle()
    setattr(rig.store, fault, True)
    rig.feed(20)
    rig.settle()
    rig.feed(1)
    trouble, end_tick, landed = rig.owner.troubles[0]
    assert (trouble.cause, landed) == (cause, True)
    assert trouble.error.next_step
    assert not rig.writer.recording
    setattr(rig.store, fault, False)
    rig.feed(60)
    rig.finish()
    assert rig.writer.trouble is None
    first, second = rig.closed
    assert rig.pts(first)[-1] + STEP == end_tick
    assert rig.pts(second)[0] >= tick(56 + 40)
    assert rig.owner.begins[-1] == (end_tick, rig.pts(second)[0])


def test_a_disk_that_fails_at_once_leaves_no_file(rig: Rig) -> None:
    """Nothing could be created: the trouble says that nothing landed, and no empty file stays."""
    rig.store.full = True
    rig.feed(10)
    rig.feed(2)
    rig.settle()
    rig.feed(1)
    (trouble, end_tick, landed) = rig.owner.troubles[0]
    assert (trouble.cause, end_tick, landed) == (GapCause.DISK_FULL, tick(0), False)
    assert list(rig.store.walk()) == []


def test_a_slow_disk_is_a_gap_and_memory_stays_bounded(tmp_path: Path) -> None:
    """Memory fills to its limit and no further; then a gap "disk slow"; nothing finished is dropped."""
    rig = Rig(tmp_path, limit=60_000)
    rig.store.hold()
    seen = []
    for _ in range(400):
        rig.feed(1)
        seen.append(rig.disk.pending_bytes)
    assert max(seen) <= 60_000
    trouble, end_tick, landed = rig.owner.troubles[0]
    assert (trouble.cause, landed) == (GapCause.DISK_SLOW, True)
    rig.store.release()
    rig.settle()
    rig.feed(30)
    rig.finish()
    first, second = rig.closed
    assert rig.pts(first)[-1] + STEP == end_tick, "all that was queued is on the disk"
    assert rig.pts(second)[0] > end_tick


def test_a_loss_nobody_noticed_is_told(rig: Rig) -> None:
    """The file had ended before its last fragments failed: the writer thread tells the range."""
    rig.feed(10)
    rig.settle()
    rig.store.hold()
    rig.feed(10)
    rig.writer.end_file()
    rig.store.full = True
    rig.store.release()
    rig.settle()
    eventually(lambda: rig.owner.lost)
    (lost,) = rig.owner.lost
    assert lost.failed is not None
    assert lost.failed.cause is GapCause.DISK_FULL
    assert lost.lost_tick > tick(10)


def test_a_file_that_cannot_be_synced_gets_no_row(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync failing means the bytes may not be there: no row, and the loss is told."""
    rig.feed(20)
    rig.settle()
    rig.store.broken = True
    rig.writer.end_file()
    eventually(lambda: rig.owner.lost)
    assert rig.closed == []


def test_the_same_millisecond_twice(rig: Rig) -> None:
    """A clock stepped back: the second file of the same instant gets another epoch and neither is lost."""
    rig.feed(10)
    rig.writer.end_file()
    rig.number = 0
    rig.feed(10)
    rig.finish()
    assert [file.key.epoch for file in rig.closed] == [0, 1]


@pytest.mark.parametrize("count", [5, 14, 25, 58])
def test_replay_gives_the_newest_gop(rig: Rig, count: int) -> None:
    """From disk, queue and memory together: every picture since the newest keyframe, once."""
    rig.feed(count, gop=50)
    rig.settle()
    newest = (count - 1) // 50 * 50
    assert [u.pts for u in rig.writer.replay()] == [tick(n) for n in range(newest, count)]


def test_a_cameras_own_bound_is_kept_whatever_the_shard_has(tmp_path: Path) -> None:
    """One camera on a hanging disk may not use the memory of all: its bound holds, and the gap says why."""
    rig = Rig(tmp_path, 100_000_000)
    rig.writer.limit_bytes = 20_000
    rig.store.hold()
    for _ in range(30):
        rig.feed(10)
        assert rig.writer.waiting_bytes + rig.writer.open_bytes <= 20_000 + 5000 + 20 * 256
    assert [trouble.cause for trouble, _, _ in rig.owner.troubles] == [GapCause.DISK_SLOW], "told once"
    rig.finish()
    assert rig.writer.waiting_bytes == 0


def test_written_fragments_leave_memory(rig: Rig) -> None:
    """However long the GOP, only what is not on the disk yet is held."""
    rig.feed(65, gop=1000)
    rig.settle()
    held = rig.writer._gop
    assert len(held) == 9
    assert all(queued.units is None and not queued.fragment.parts for queued in held)
    assert 2 * 500 <= rig.writer.open_bytes <= 2 * 1000


def test_what_waits_for_the_disk_is_not_called_kept(rig: Rig) -> None:
    """The newest fragment told of is the newest on the disk, not the newest handed to it."""
    rig.store.hold()
    rig.feed(25, gop=10)
    assert rig.writer.waiting_bytes > 0
    assert rig.writer.last_fragment_ms == 0
    rig.store.release()
    rig.settle()
    assert rig.writer.last_fragment_ms == picture(19, key=False).arrival_ms


def test_a_pause_is_flushed(rig: Rig) -> None:
    """What a camera sent before it paused does not wait in memory."""
    rig.feed(5)
    rig.writer.flush()
    rig.settle()
    (key,) = rig.store.walk()
    assert len(walk(rig.store.path_of(key).read_bytes()).fragments) == 1


def test_sound_before_the_first_picture_is_left_out(rig: Rig) -> None:
    """A file begins with a keyframe: sound and pictures before it have no place."""
    rig.writer.add(AccessUnit(Track.AUDIO, START_MS * 8, True, (b"x",), 1, START_MS, 160))
    rig.writer.add(picture(0, False))
    assert not rig.writer.recording
    assert rig.writer.open_bytes == 0


def test_a_new_viewer_waits_when_the_disk_gives_nothing_back(rig: Rig) -> None:
    """A GOP that lies on a disk that cannot be read, or was never written, is not replayed in part."""
    assert list(rig.writer.replay()) == []
    rig.feed(15, gop=1000)
    rig.settle()
    rig.store.path_of(next(iter(rig.store.walk()))).unlink()
    assert list(rig.writer.replay()) == []


def test_without_a_format_nothing_is_begun(tmp_path: Path) -> None:
    """Pictures that come before their tracks are known are no file."""
    rig = Rig(tmp_path)
    rig.writer = SegmentWriter(1, StreamRole.MAIN, rig.disk, rig.owner)
    rig.feed(15)
    rig.finish()
    assert rig.closed == []
    assert list(rig.store.walk()) == []


def test_pictures_that_all_claim_one_time_still_end_a_fragment(rig: Rig) -> None:
    """A camera whose clock stands still does not fill memory: what waits is bounded by bytes."""
    rig.feed(1)
    for _ in range(40_000):
        rig.writer.add(AccessUnit(Track.VIDEO, tick(0), False, (b"x",), 1, tick(0) // 90))
    assert rig.writer.open_bytes < 9 * 1024 * 1024
    assert rig.writer.waiting_bytes + rig.disk.pending_bytes + rig.store.log.count("write") > 0
