"""What a power cut leaves, and disks that refuse midway: what is not durable is never taken for safe."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.model.segment import SegmentKey
from beholden.model.time import ticks_to_ms
from beholden.record.disk import DiskTrouble, DiskWriter, SegmentFile
from beholden.record.fmp4 import walk
from beholden.record.recover import repair
from beholden.record.segment import SegmentWriter
from beholden.record.syncer import Syncer
from beholden.store.fake import FakeStore

START_MS = 1_795_472_104_250
SPS, PPS = (
    bytes.fromhex("6764001facd9405005bb011000000300100000030320f183196000"),
    bytes.fromhex("68ebe3cb22c0"),
)
FORMAT = StreamFormat(VideoFormat("h264", 1280, 720, (SPS, PPS)))


class Rig:
    """One stream on a store whose power can be cut; a picture each 100 ms, a keyframe each second."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.store = FakeStore(path)
        self.closed: list[SegmentFile] = []
        self.troubles: list[DiskTrouble] = []
        self.lost: list[SegmentFile] = []
        self.disk = DiskWriter(self.store, self.closed.append, **options)
        self.writer = SegmentWriter(1, StreamRole.MAIN, self.disk, self)
        self.writer.set_format(FORMAT)
        self.number = 0

    def file_begins(self, _kept_tick: int, _start_tick: int, _silent_ms: int) -> bool:
        return True

    def disk_troubled(self, trouble: DiskTrouble, _end_tick: int, _landed: bool) -> None:
        self.troubles.append(trouble)

    def file_landed(self, _file: SegmentFile) -> None:
        pass

    def file_lost(self, file: SegmentFile) -> None:
        self.lost.append(file)

    def feed(self, seconds: int) -> None:
        for _ in range(seconds * 10):
            pts = START_MS * 90 + self.number * 9000
            unit = AccessUnit(Track.VIDEO, pts, self.number % 10 == 0, (bytes(500),), 500, pts // 90)
            self.writer.add(unit)
            self.number += 1

    def written(self) -> int:
        """Bytes on the disk, durable or not."""
        return sum(self.store.path_of(key).stat().st_size for key in self.store.walk())

    def durable(self) -> int:
        """Bytes that a power cut leaves."""
        return sum(self.store.durable.values())


def eventually(condition: Callable[[], Any]) -> None:
    """Wait for something, generously."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(params=["singly", "together"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Synced every 10 ms, file by file or all at once."""
    rig = Rig(tmp_path, sync_seconds=0.01)
    rig.store.whole = request.param == "together"
    yield rig
    rig.store.release()
    rig.store.before = None
    rig.disk.stop(30)


def test_what_was_written_before_the_last_round_survives_a_power_cut(rig: Rig) -> None:
    """Every fragment that was on the disk when a round began is repaired from what is left, though the file
    was never closed; only the open fragment and what came since are gone."""
    rig.feed(5)
    eventually(lambda: rig.disk.pending_bytes == 0)
    eventually(lambda: rig.durable() == rig.written() > 0)
    rig.store.before = lambda step: time.sleep(60 if "flush" in step else 0)
    rig.feed(2)
    eventually(lambda: rig.disk.pending_bytes == 0)
    rig.store.cut_power()
    (key,) = rig.store.walk()
    item = repair(rig.store, 1, key)
    assert item is not None
    assert item.end_ms - START_MS == 4700, "the last three pictures were the open fragment"
    assert rig.disk.sync_lag_ms() > 0


def test_a_new_files_name_is_made_durable_with_its_first_bytes(tmp_path: Path) -> None:
    """Else the bytes are safe and nobody finds them. One call for all files does it for their names too."""
    rig = Rig(tmp_path, sync_seconds=0.01)
    named: list[Any] = []
    original = rig.store.sync_name
    rig.store.sync_name = lambda key: (named.append(key), original(key))  # type: ignore[method-assign,assignment]
    rig.feed(4)
    eventually(lambda: named)
    eventually(lambda: rig.durable() == rig.written())
    assert named == list(rig.store.walk()), "once"
    rig.writer.end_file()
    assert rig.disk.stop(30)


def test_without_syncing_only_closed_files_are_durable(tmp_path: Path) -> None:
    """sync_seconds 0: nothing is flushed until the end of the file, and then all of it is."""
    rig = Rig(tmp_path)
    rig.feed(5)
    eventually(lambda: rig.disk.pending_bytes == 0)
    assert rig.durable() == 0
    rig.writer.end_file()
    assert rig.disk.stop(30)
    assert rig.durable() == rig.written()
    assert rig.disk.sync_lag_ms() == 0
    assert "flush" not in rig.store.log


def test_a_sync_that_fails_beside_the_writing_is_never_forgotten(rig: Rig) -> None:
    """The system tells it once: the sync at the end of the file would hear that all is well. No row is made,
    the gap begins, and recording goes on in a new file when the disk works again."""
    fail = threading.Event()

    def refuse(step: str) -> None:
        if "flush" in step and fail.is_set():
            if step == "flush":
                fail.clear()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    rig.store.before = refuse
    rig.feed(3)
    fail.set()
    rig.feed(2)
    eventually(lambda: not fail.is_set())
    rig.feed(3)
    eventually(lambda: rig.disk.trouble is not None)
    assert rig.disk.trouble is not None
    assert rig.disk.trouble.cause is GapCause.DISK_ERROR
    rig.feed(10)
    eventually(lambda: len(list(rig.store.walk())) == 2)
    rig.writer.end_file()
    assert rig.disk.stop(30)
    first, second = rig.store.walk()
    assert [file.key for file in rig.closed] == [second]
    assert rig.troubles
    assert first.start_ms == START_MS


def test_what_could_not_be_synced_at_once_is_synced_singly(rig: Rig) -> None:
    """The one call does not say what failed: each file is asked, and those that are safe go on."""

    def refuse(step: str) -> None:
        if step == "flush all":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    rig.store.before = refuse
    rig.feed(5)
    eventually(lambda: rig.durable() == rig.written() > 0)
    assert "flush" in rig.store.log
    rig.writer.end_file()
    assert rig.disk.stop(30)
    assert (len(rig.closed), rig.troubles) == (1, [])


def test_a_file_that_ends_in_a_round_for_all_is_synced_by_its_writer(tmp_path: Path) -> None:
    """Its number may be another file's by the time the round fails: it must not be taken back."""
    rig = Rig(tmp_path, sync_seconds=0.01)
    rig.store.whole = True
    ended, under_way = threading.Event(), threading.Event()

    def hang(step: str) -> None:
        if step == "flush all":
            under_way.set()
            assert ended.wait(30)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if step == "flush":
            raise AssertionError("what is closed was synced again")

    rig.store.before = hang
    rig.feed(1)
    assert under_way.wait(30)
    rig.feed(2)
    rig.writer.end_file()
    eventually(lambda: rig.closed)
    ended.set()
    assert rig.disk.stop(30)
    assert rig.troubles == []


def test_after_a_round_for_all_that_took_long_files_are_synced_singly(tmp_path: Path) -> None:
    """Somebody else fills this disk: waiting for what is theirs would cost the promise of two seconds."""
    rig = Rig(tmp_path, sync_seconds=0.01)
    rig.store.whole = True
    rig.store.before = lambda step: time.sleep(0.05) if step == "flush all" else None
    rig.feed(2)
    eventually(lambda: "flush all" in rig.store.log and rig.durable() == rig.written() > 0)
    rig.feed(2)
    eventually(lambda: "flush" in rig.store.log and rig.durable() == rig.written())
    rig.writer.end_file()
    assert rig.disk.stop(30)
    assert rig.store.log.count("flush all") == 1


def test_files_on_two_file_systems_are_synced_singly(tmp_path: Path) -> None:
    """A volume that was mounted anew: the one call would leave out the files of before."""
    store = FakeStore(tmp_path)
    store.whole = True
    syncer = Syncer(store, 0.01)
    with (tmp_path / "here").open("wb") as here, tempfile.TemporaryFile(dir="/dev/shm") as there:
        if os.fstat(here.fileno()).st_dev == os.fstat(there.fileno()).st_dev:
            pytest.skip("there is only one file system")
        for number, file in enumerate((here, there)):
            syncer.wrote(_Open(file.fileno(), SegmentKey(1, StreamRole.MAIN, number)), is_new=False)
        eventually(lambda: store.log.count("flush") == 2 and syncer.lag_ms() > 0)
        syncer.stop()
    assert "flush all" not in store.log


def test_a_round_that_cannot_even_begin_is_not_the_last(tmp_path: Path) -> None:
    """As without a descriptor left: what waits is synced when there is one again."""
    store = FakeStore(tmp_path)
    syncer = Syncer(store, 0.01)
    with (tmp_path / "here").open("wb") as here:
        spoiled = _Open(1 << 30, SegmentKey(1, StreamRole.MAIN, 1))
        syncer.wrote(spoiled, is_new=False)
        syncer.wrote(_Open(here.fileno(), SegmentKey(1, StreamRole.MAIN, 2)), is_new=False)
        time.sleep(0.1)
        assert "flush" not in store.log
        syncer.closing(spoiled)
        eventually(lambda: "flush" in store.log)
        syncer.stop()


@dataclass
class _Open:
    fd: int
    key: SegmentKey
    unsure: OSError | None = None


def test_slow_syncing_does_not_hold_up_writing(rig: Rig) -> None:
    """A round that hangs: fragments go on to the disk, none is lost."""
    hang = threading.Event()
    rig.store.before = lambda step: hang.wait(30) if "flush" in step else None
    rig.feed(20)
    eventually(lambda: rig.disk.pending_bytes == 0)
    hang.set()
    rig.writer.end_file()
    assert rig.disk.stop(30)
    (file,) = rig.closed
    assert ticks_to_ms(file.end_tick) - START_MS == 20_000


def test_a_throttled_disk_keeps_everything_while_memory_lasts(tmp_path: Path) -> None:
    """Slower than the stream for a while: nothing is lost, and all of it is whole afterwards."""
    rig = Rig(tmp_path, sync_seconds=0.05)
    rig.store.slow_bytes = 400_000
    rig.feed(30)
    assert rig.disk.pending_bytes > 0
    rig.writer.end_file()
    assert rig.disk.stop(30)
    (file,) = rig.closed
    refs = walk(rig.store.path_of(file.key).read_bytes()).fragments
    assert sum(ref.entry.pictures for ref in refs) == 300
    assert rig.troubles == []


def test_a_disk_that_becomes_read_only_says_so_and_recovers(rig: Rig) -> None:
    """The gap's reason is the remount, what was whole is kept, and recording is back by itself."""
    rig.feed(3)
    eventually(lambda: rig.disk.pending_bytes == 0)
    rig.store.read_only = True
    rig.feed(2)
    eventually(lambda: rig.disk.trouble is not None)
    rig.feed(2)
    assert rig.troubles[0].cause is GapCause.DISK_ERROR
    assert "read-only" in rig.troubles[0].error.message
    rig.store.read_only = False
    rig.feed(10)
    eventually(lambda: len(list(rig.store.walk())) == 2)
    rig.writer.end_file()
    assert rig.disk.stop(30)
    assert len(list(rig.store.walk())) == 2
    assert rig.disk.trouble is None
