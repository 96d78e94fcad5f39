"""A stream's recording modes, from the pictures that came to the files and gaps that stay."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from beholden.ingest.source import FakeSource, SourceError
from beholden.model.camera import (
    CameraConfig,
    RecordingMode,
    RecordingWindow,
    StreamAddress,
    StreamRole,
    StreamState,
)
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track, VideoFormat
from beholden.model.time import FakeClock
from beholden.record.analysis_feed import FakeAnalysis
from beholden.record.disk import DiskWriter, SegmentFile
from beholden.record.fmp4 import read_units, walk
from beholden.record.index import CloseGap, IndexItem, OpenGap
from beholden.record.latch import Seeing
from beholden.record.stream import Means, StreamRecorder
from beholden.store.fake import FakeStore

UTC = ZoneInfo("UTC")
START_MS = 1_795_996_800_000  # a Monday, 00:00 UTC
FORMAT = StreamFormat(
    VideoFormat(
        "h264", 1280, 720, (bytes.fromhex("6764001facd9405005bb0110000003"), bytes.fromhex("68ebe3cb22c0"))
    )
)
GOP = 10  # pictures, ten a second
ADDRESS = StreamAddress("rtsp://h/")
CAMERA = CameraConfig(
    id=1, name="gate", main=ADDRESS, sub=None, enabled=True, record=True, record_audio=True, analyse="always",
    keep_days=14, shard=0, rev=1, created_ms=0, mode=RecordingMode.EVENTS, pre_seconds=3, post_seconds=4,
)  # fmt: skip


class Script:
    """Steps that a fake source plays, put in while it runs."""

    def __init__(self) -> None:
        self.steps: deque[Any] = deque()

    def __iter__(self) -> Script:
        return self

    def __next__(self) -> Any:
        return self.steps.popleft() if self.steps else []


class Rig:
    """One stream with ten pictures a second, on a fake clock, with everything it says about gaps."""

    def __init__(self, path: Path, **changes: Any) -> None:
        self.clock = FakeClock(START_MS)
        self.analysis = FakeAnalysis()
        self.analysis.says[1] = Seeing(well_ms=START_MS)
        self.store = FakeStore(path)
        self.closed: list[SegmentFile] = []
        self.items: list[IndexItem] = []
        self.disk = DiskWriter(self.store, self.closed.append)
        self.script = Script()
        self.number = 0
        self.held = False
        self.camera = replace(CAMERA, **changes)
        means = Means(self.clock, self.disk, self.items.append, self._source, None, self.analysis)
        self.stream = StreamRecorder(self.camera, StreamRole.MAIN, ADDRESS, means, UTC)
        self.script.steps.append([FORMAT])
        self.polled()

    def _source(self, _address: Any, sink: Any, clock: Any, *, after_pts: int = 0) -> FakeSource:
        return FakeSource(sink, clock, self.script)

    def polled(self) -> None:
        self.stream.session.poll(self.clock.monotonic())

    def play(self, seconds: float) -> None:
        """Pictures for so long, with a look at the rules each second; the disk keeps up."""
        for _ in range(round(seconds * 10)):
            now = self.clock.now_ms()
            unit = AccessUnit(Track.VIDEO, now * 90, self.number % GOP == 0, (bytes(500),), 500, now)
            self.script.steps.append([unit])
            self.polled()
            self.number += 1
            self.clock.advance(0.1)
            if self.number % 10 == 5:
                self.settle()
                self.stream.tick(self.clock.now_ms())
        self.settle()

    def settle(self) -> None:
        if self.held:
            return
        deadline = time.monotonic() + 30
        while self.disk.pending_bytes:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def hold(self) -> None:
        """The disk hangs from now on."""
        self.held = True
        self.store.hold()

    def release(self) -> None:
        """The disk answers again."""
        self.store.release()
        self.held = False
        self.settle()

    def lose(self) -> None:
        self.script.steps.append(
            SourceError(StreamState.OFFLINE, GapCause.CAMERA_LOST, "gone", "The connection broke.")
        )
        self.polled()

    def event(self, seconds: float) -> None:
        """Something lasts for so long."""
        began = self.clock.now_ms()
        self.analysis.says[1] = Seeing(lasting=True, start_ms=began, well_ms=began)
        self.stream.judge(began)
        self.play(seconds)
        self.analysis.says[1] = Seeing(
            start_ms=began, end_ms=self.clock.now_ms(), well_ms=self.clock.now_ms()
        )
        self.stream.judge(self.clock.now_ms())

    def finish(self) -> list[list[int]]:
        """Milliseconds since the start of each picture kept, by file."""
        self.stream.close(GapCause.RECORDER_STOPPED, "The recorder was stopped.")
        assert self.disk.stop(30)
        return [self._pictures(file) for file in self.closed]

    def _pictures(self, file: SegmentFile) -> list[int]:
        data = self.store.path_of(file.key).read_bytes()
        assert hashlib.sha256(data).digest() == file.hash.digest()
        fragments = [data[ref.offset : ref.offset + ref.size] for ref in walk(data).fragments]
        return [unit.pts // 90 - START_MS for data in fragments for unit in read_units(data)]

    def gaps(self) -> list[tuple[GapCause, int, int | None]]:
        """(cause, start, end) in ms since the start, as the catalog would have them."""
        found: list[tuple[GapCause, int, int | None]] = []
        for item in self.items:
            if isinstance(item, OpenGap):
                assert not found or found[-1][2] is not None, "one gap at a time"
                found.append((item.cause, item.start_ms - START_MS, None))
            elif isinstance(item, CloseGap) and found and found[-1][2] is None:
                found[-1] = (*found[-1][:2], item.end_ms - START_MS)
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """``rig(**camera settings)``; writer threads are ended."""
    made: list[Rig] = []

    def make(**changes: Any) -> Rig:
        made.append(Rig(tmp_path, **changes))
        return made[-1]

    yield make
    for each in made:
        each.disk.stop(30)


def _unbroken(pictures: list[int]) -> bool:
    return {b - a for a, b in itertools.pairwise(pictures)} <= {100}


def test_an_event_is_kept_with_the_time_before_and_after(rig: Callable[..., Rig]) -> None:
    """From the keyframe three seconds before it, or just before that, to the one four seconds after it,
    without a missing picture; what lies around is one gap with the rule as its cause, not a fault."""
    one = rig()
    one.play(20)
    assert one.stream.stats()["resting"] is True
    assert one.stream.stats()["reason"] == ""
    one.event(2.5)
    assert one.stream.stats()["resting"] is False
    one.play(20)
    files = one.finish()
    (kept,) = files[1:]  # the first is from the time before analysis was asked
    assert _unbroken(kept)
    assert kept[0] == 17_000
    assert 26_500 <= kept[-1] < 26_500 + 2100
    assert one.gaps() == [
        (GapCause.RULE_OFF, files[0][-1] + 100, 17_000),
        (GapCause.RULE_OFF, kept[-1] + 100, 42_500),
        (GapCause.RECORDER_STOPPED, 42_500, None),
    ]


def test_events_in_a_row_are_one_file_each_with_nothing_between_lost(rig: Callable[..., Rig]) -> None:
    """A second event right after the first one's end finds its pre-time on disk or in memory, unbroken."""
    one = rig(post_seconds=0)
    one.play(12)
    one.event(1)
    one.play(3)
    one.event(1)
    one.play(10)
    files = one.finish()
    kept = [picture for file in files[1:] for picture in file]
    assert _unbroken(kept)
    assert kept[0] <= 9000
    assert kept[-1] >= 16_900


def test_memory_holds_the_time_before_and_no_more(rig: Callable[..., Rig]) -> None:
    """Pre-event memory is bounded by the camera's setting, shown, and said when the time does not fit."""
    one = rig(memory_bytes=4_000_000)
    one.play(30)
    shown = one.stream.stats()
    assert shown["memory_limit_bytes"] == 4_000_000
    assert 8 * 10 * 500 <= shown["memory_bytes"] <= 10 * 10 * 500
    tight = rig(memory_bytes=20_000)
    tight.play(30)
    shown = tight.stream.stats()
    assert 0 < shown["memory_bytes"] <= 20_000
    assert "does not fit" in shown["reason"]
    assert shown["next_step"]


@pytest.mark.parametrize("analyse", ["always", "off"])
def test_when_analysis_is_sick_everything_is_kept(rig: Callable[..., Rig], analyse: str) -> None:
    """Fail open: also what memory holds since it was last well; a person is told while the camera is live."""
    one = rig(analyse=analyse)
    one.play(15)
    if analyse == "always":
        one.analysis.says[1] = Seeing(trouble="It hangs.", well_ms=START_MS + 13_000)
    one.play(10)
    shown = one.stream.stats()
    assert (shown["state"], shown["resting"], shown["recording"]) == ("live", False, True)
    assert "everything is kept" in shown["reason"].lower()
    files = one.finish()
    kept = files[-1]
    assert _unbroken(kept)
    assert kept[0] == (0 if analyse == "off" else 10_000)
    assert kept[-1] == 24_900


def test_who_cuts_the_cable_is_kept(rig: Callable[..., Rig]) -> None:
    """The seconds in memory go to the disk when the camera is lost, and the gap says that it was lost."""
    one = rig()
    one.play(20)
    one.lose()
    files = one.finish()
    assert files[-1][-1] == 19_900
    assert files[-1][0] <= 20_000 - 3000
    assert _unbroken(files[-1])
    assert one.gaps()[-1] == (GapCause.CAMERA_LOST, 20_000, None)


def test_a_camera_that_returns_rests_again(rig: Callable[..., Rig]) -> None:
    """It is kept from its first keyframe until analysis has had time to see it, then rests."""
    one = rig()
    one.play(20)
    one.lose()
    one.clock.advance(10)
    one.play(20)
    assert one.stream.stats()["resting"] is True
    one.finish()
    assert [cause for cause, _, _ in one.gaps()] == [
        GapCause.RULE_OFF,
        GapCause.CAMERA_LOST,
        GapCause.RULE_OFF,
        GapCause.RECORDER_STOPPED,
    ]


def test_a_schedule_keeps_its_windows_whole(rig: Callable[..., Rig]) -> None:
    """A window is covered from the keyframe before it to the keyframe after it; outside, nothing is kept, nor
    is a lost camera a loss."""
    window = RecordingWindow(0, 1, 2, RecordingMode.CONTINUOUS)
    one = rig(mode=RecordingMode.SCHEDULE, windows=(window,))
    one.play(30)
    assert one.stream.stats()["resting"] is True
    one.lose()
    one.clock.advance(3)
    one.play(117)
    kept = [picture for file in one.finish() for picture in file]
    assert _unbroken(kept)
    assert 59_000 <= kept[0] <= 60_000
    assert 119_900 <= kept[-1] <= 121_900
    assert [cause for cause, _, _ in one.gaps()] == [
        GapCause.RULE_OFF,
        GapCause.RULE_OFF,
        GapCause.RECORDER_STOPPED,
    ]


def test_a_camera_away_in_its_window_is_a_loss_from_its_beginning(rig: Callable[..., Rig]) -> None:
    """Lost while nothing was wanted: the gap turns from the rule's to the camera's when the window begins."""
    window = RecordingWindow(0, 1, 2, RecordingMode.CONTINUOUS)
    one = rig(mode=RecordingMode.SCHEDULE, windows=(window,))
    one.play(30)
    one.lose()
    for _ in range(40):
        one.clock.advance(1)
        one.stream.tick(one.clock.now_ms())
    one.finish()
    rule, lost, *_ = one.gaps()
    assert (rule[0], lost[0]) == (GapCause.RULE_OFF, GapCause.CAMERA_LOST)
    assert rule[2] == lost[1]
    assert 60_000 <= lost[1] <= 62_000


def test_changing_the_mode_loses_nothing_of_what_is_recorded(rig: Callable[..., Rig]) -> None:
    """Continuous to events and back within a file: what was recorded stays, what memory held joins it."""
    one = rig(mode=RecordingMode.CONTINUOUS)
    one.play(15.5)
    one.stream.configure(replace(one.camera, mode=RecordingMode.EVENTS), UTC)
    one.play(7)
    assert one.stream.stats()["resting"] is True
    one.stream.configure(one.camera, UTC)
    one.play(5)
    first, second = one.finish()
    assert (first[0], second[-1]) == (0, 27_400)
    assert _unbroken(first + second)
    assert first[-1] >= 15_400
    assert one.gaps()[0] == (GapCause.RULE_OFF, second[0], second[0])


def test_an_unchanged_mode_leaves_the_file_alone(rig: Callable[..., Rig]) -> None:
    """Other settings change without a cut."""
    one = rig(mode=RecordingMode.CONTINUOUS)
    one.play(5)
    one.stream.configure(replace(one.camera, keep_days=3, memory_bytes=8_000_000), UTC)
    one.play(5)
    (kept,) = one.finish()
    assert _unbroken(kept)
    assert one.stream.stats()["memory_limit_bytes"] == 8_000_000


def test_another_picture_format_empties_memory(rig: Callable[..., Rig]) -> None:
    """Pictures of two formats never share a file: pre-time begins anew with the format."""
    one = rig()
    one.play(20)
    one.script.steps.append([replace(FORMAT, video=replace(FORMAT.video, width=640, height=360))])
    one.polled()
    one.play(2)
    one.event(1)
    one.play(10)
    kept = one.finish()[-1]
    assert kept[0] == 20_000


def test_a_person_switches_recording_off_and_on_while_it_rests(rig: Callable[..., Rig]) -> None:
    """The gap by rule turns into one by a person, and back; nothing is written in between."""
    one = rig()
    one.play(15)
    one.stream.configure(replace(one.camera, record=False), UTC)
    one.play(5)
    assert one.stream.stats()["resting"] is False
    one.stream.configure(one.camera, UTC)
    one.play(3)
    assert [cause for cause, _, _ in one.gaps()][:3] == [
        GapCause.RULE_OFF,
        GapCause.RECORDING_OFF,
        GapCause.RULE_OFF,
    ]
    assert len(one.finish()) == 1


def test_a_pause_of_the_camera_leaves_nothing_in_memory(rig: Callable[..., Rig]) -> None:
    """What came before it goes to the disk though nothing follows."""
    one = rig(mode=RecordingMode.CONTINUOUS)
    one.play(1.3)
    assert one.stream.buffered_bytes > 0
    one.clock.advance(3)
    one.stream.tick(one.clock.now_ms())
    one.settle()
    assert one.stream.buffered_bytes == 0


def test_sound_can_be_left_out_at_any_time(rig: Callable[..., Rig]) -> None:
    """A file with sound ends, and one without begins at the next keyframe; no picture is lost at the cut."""
    one = rig(mode=RecordingMode.CONTINUOUS)
    one.script.steps.append([replace(FORMAT, audio=AudioFormat("pcmu", 8000, 1))])
    one.polled()
    one.play(3)
    one.stream.configure(replace(one.camera, record_audio=False), UTC)
    sound = AccessUnit(Track.AUDIO, one.clock.now_ms() * 8, True, (bytes(160),), 160, one.clock.now_ms(), 160)
    one.script.steps.append([sound])
    one.polled()
    one.play(3)
    first, second = one.finish()
    assert _unbroken(first + second)
    assert [file.stream_format.audio is None for file in one.closed] == [False, True]


def test_a_disk_that_fails_while_an_event_is_kept_is_a_gap_of_its_own(rig: Callable[..., Rig]) -> None:
    """Between two rests lies the disk's gap: what was wanted and could not be written is never the rule's."""
    one = rig()
    one.play(15)
    one.store.full = True
    one.event(3)
    one.play(2)
    assert one.stream.stats()["reason"]
    one.store.full = False
    one.play(20)
    assert one.stream.stats()["resting"] is True
    one.finish()
    assert GapCause.DISK_FULL in [cause for cause, _, _ in one.gaps()]


@pytest.mark.parametrize("begun", [True, False])
def test_a_file_that_fails_after_it_ended_is_a_gap_all_the_same(rig: Callable[..., Rig], begun: bool) -> None:
    """The camera was lost while the disk hung, and then the disk refused what waited: nobody was recording
    any more who could have noticed. What is missing is told, before the camera's own gap."""
    one = rig(mode=RecordingMode.CONTINUOUS)
    if begun:
        one.play(2)
    one.hold()
    one.play(2)
    one.lose()
    one.store.full = True
    one.release()
    one.finish()
    told = [item for item in one.items if isinstance(item, OpenGap)]
    (full,) = (gap for gap in told if gap.cause is GapCause.DISK_FULL)
    assert full.start_ms == (START_MS + 1700 if begun else START_MS)
    assert (full.end_ms is None) != begun
    assert GapCause.CAMERA_LOST in [gap.cause for gap in told]
