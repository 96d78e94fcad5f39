"""Back-tests: what a rule would have reported on footage, resumed, cancelled, and from stored boxes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from beholden.analyse import seen_files
from beholden.analyse.backtest import CancelledError, Runner
from beholden.analyse.backtest_process import Bench, open_model, tidy, work
from beholden.analyse.detect.fake import FakeDetector
from beholden.catalog import Catalog, backtests, cameras, leaving, places, rules, segments, sites, volumes
from beholden.catalog.backtests import Backtest, Trial
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.catalog.segments import MediaFormat, Segment, Stored
from beholden.model.backtest import BacktestState
from beholden.model.boxes import pack_frames
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat
from beholden.model.place import Place, PlaceKind
from beholden.model.rule import Rule, RuleKind
from beholden.model.segment import SegmentKey
from beholden.model.time import TICKS_PER_MS, FakeClock, SystemClock
from beholden.record import fmp4
from beholden.store import sidecars
from beholden.store.sidecars import SideKind
from beholden.store.volume import Volume

from .conftest import START_MS, coded
from .test_analyser import see_bright

CLIP_MS = 9000
LEFT = Place(1, 1, PlaceKind.ZONE, "Left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), 1, 0)
FAR = Place(1, 1, PlaceKind.ZONE, "Corner", ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.0, 0.1)), 1, 0)


@dataclass
class Recorded:
    """A catalog with footage of a square that crosses the picture once in each file."""

    data: Path
    catalog: Catalog
    volume: Volume
    keys: list[SegmentKey]
    detector: FakeDetector
    made: int = 0  # detectors

    def make(self, model: str) -> FakeDetector:
        """The detector of a run."""
        assert model == ""
        self.made += 1
        return self.detector

    def ask(self, place: Place = LEFT, *, source: str = "") -> Backtest:
        """A back-test of "something comes into the place" over all of it."""
        rule = Rule(id=1, camera=1, name="In", kind=RuleKind.ENTER, place=1)
        end = START_MS + CLIP_MS * len(self.keys)
        with self.catalog.write() as conn:
            trial = Trial(rule, place, None, source=source)
            backtests.add(conn, end, 1, trial, START_MS, end, "test", stored=True)
            claimed = backtests.claim(conn, SystemClock().now_ms())
        assert claimed is not None
        return claimed

    def run(self, item: Backtest, going: list[bool] | None = None) -> Backtest:
        """Work on it; ``going`` says at each beat whether to go on (then always)."""
        left = list(going or [])
        runner = Runner(
            self.data, self.catalog, SystemClock(), self.make, lambda: left.pop(0) if left else True
        )
        runner.run(item)
        return self.now(item)

    def now(self, item: Backtest) -> Backtest:
        """As the catalog has it."""
        with self.catalog.read() as conn:
            return backtests.get(conn, item.id)

    def found(self, item: Backtest) -> list[tuple[int, int]]:
        """Start and end of what it found, in ms of the footage."""
        with self.catalog.read() as conn:
            found = backtests.found_in(conn, item.id)
        return [(each.start_ms - START_MS, each.end_ms - START_MS) for each in found]


@pytest.fixture
def recorded(tmp_path: Path, moving_square: Path) -> Iterator[Recorded]:
    """Three files of nine seconds, one after the other."""
    catalog = Catalog.open(tmp_path)
    volume = Volume.create(tmp_path / "footage")
    with catalog.write() as conn:
        sites.ensure(conn)
        cameras.add(conn, SecretBox.open(tmp_path), START_MS, NewCamera("gate", "rtsp://192.0.2.1/"))
        number = volumes.add(conn, START_MS, volume.uuid, str(volume.path))
    made = Recorded(tmp_path, catalog, volume, [], FakeDetector(see_bright))
    for turn in range(3):
        made.keys.append(write(made, number, moving_square, START_MS + turn * CLIP_MS))
    yield made
    catalog.close()


def write(
    made: Recorded,
    number: int,
    clip: Path,
    start_ms: int,
    sound: tuple[AudioFormat | None, list[AccessUnit]] = (None, []),
    *,
    indexed: bool = True,
) -> SegmentKey:
    """One file, as the recorder writes and indexes it."""
    stream, (form, heard) = coded(clip, start_ms, fps=10), sound
    writer = fmp4.FragmentWriter()
    init = fmp4.build_init(StreamFormat(stream.video, form))
    data = init
    for first in range(0, len(stream.units), 10):
        units = stream.units[first : first + 10]
        audio = heard[
            first * len(heard) // len(stream.units) : (first + 10) * len(heard) // len(stream.units)
        ]
        data += b"".join(writer.fragment(units, audio, units[0].pts + 1000 * TICKS_PER_MS).parts)
    key = SegmentKey(1, StreamRole.MAIN, start_ms)
    fd = made.volume.create_exclusive(key)
    made.volume.write(fd, data)
    os.close(fd)
    if not indexed:
        return key
    with made.catalog.write() as conn:
        shape = MediaFormat(0, init, "h264", "avc1", 320, 180, None, None, None)
        digest = hashlib.sha256(data).digest()
        end = start_ms + CLIP_MS
        item = Segment(key, end, len(data), number, segments.format_id(conn, shape), False, digest, b"")
        segments.close_segment(conn, end, item)
    return key


def test_footage_is_decoded_and_the_rule_run_over_it(recorded: Recorded) -> None:
    """The square comes in once in each file; progress, footage and source are told."""
    done = recorded.run(recorded.ask())
    assert (done.state, done.source, done.found) == (BacktestState.DONE, "decode", 3)
    assert done.footage_ms == 3 * CLIP_MS
    assert done.done_ms == done.to_ms
    for turn, (start, _) in enumerate(recorded.found(done)):
        assert turn * CLIP_MS + 1500 <= start <= turn * CLIP_MS + 3500


def test_another_zone_is_tried_without_decoding_again(recorded: Recorded) -> None:
    """What was seen is kept: only the rule runs anew, and sees something else."""
    recorded.run(recorded.ask())
    recorded.detector.answer = lambda _: pytest.fail("decoded again")  # type: ignore[assignment]
    again = recorded.run(recorded.ask(FAR))
    assert (again.state, again.found) == (BacktestState.DONE, 0)
    assert recorded.made == 1


def test_it_goes_on_where_it_was_and_finds_the_same(recorded: Recorded) -> None:
    """Stopped in the middle of the second file; the first is not looked at again by another process."""
    whole = recorded.found(recorded.run(recorded.ask()))
    for path, _ in list(seen_files.all_files(recorded.data)):
        path.unlink()
    item = recorded.ask()
    with pytest.raises(CancelledError):
        recorded.run(item, [True] * 12 + [False])
    assert len(list(seen_files.all_files(recorded.data))) == 1
    assert recorded.now(item).state is BacktestState.RUNNING
    done = recorded.run(item)
    assert done.state is BacktestState.DONE
    for (start, end), (first, last) in zip(recorded.found(done), whole, strict=True):
        assert abs(start - first) <= 400
        assert abs(end - last) <= 400


def test_a_worker_that_died_is_followed_by_another(recorded: Recorded) -> None:
    """Not while it beats, but when it is silent for long."""
    item = recorded.ask()
    now = SystemClock().now_ms()
    with recorded.catalog.write() as conn:
        assert backtests.claim(conn, now) is None
        taken = backtests.claim(conn, now + backtests.SILENT_MS + 1000)
    assert taken is not None
    assert taken.id == item.id
    with recorded.catalog.write() as conn:
        backtests.release(conn, item.id)
    assert work(recorded.data, recorded.catalog, SystemClock(), lambda: True, recorded.make) == 1
    assert recorded.now(item).state is BacktestState.DONE


def test_a_cancelled_one_stops(recorded: Recorded) -> None:
    """Its worker notices and leaves; it stays cancelled."""
    item = recorded.ask()
    with recorded.catalog.write() as conn:
        backtests.cancel(conn, 1, item.id)
    with pytest.raises(CancelledError):
        recorded.run(item)
    assert recorded.now(item).state is BacktestState.CANCELLED


def test_stored_boxes_are_used_instead_of_decoding(recorded: Recorded) -> None:
    """What live analysis kept beside the footage; decoding only when asked for."""
    key = recorded.keys[1]
    frames = [
        TrackedFrame(
            1,
            key.start_ms + number * 200,
            (TrackedObject(5, ObjectClass.CAR, 0.9, Box(0.9 - x, 0.2, 1 - x, 0.5), False),),
        )
        for number, x in enumerate(n / 40 for n in range(36))
    ]
    assert sidecars.append(
        recorded.volume.path, key, SideKind.BOXES, [(key.start_ms, pack_frames(key.start_ms, frames))]
    )
    done = recorded.run(recorded.ask())
    assert (done.source, done.found, recorded.made) == ("boxes", 1, 0)
    forced = recorded.run(recorded.ask(source="decode"))
    assert (forced.source, forced.found) == ("decode", 3)


def test_nothing_recorded_is_said(recorded: Recorded) -> None:
    """A sentence, not an empty success."""
    rule = Rule(id=1, camera=1, name="In", kind=RuleKind.ENTER)
    with recorded.catalog.write() as conn:
        backtests.add(conn, START_MS, 1, Trial(rule, None, None), 1000, 2000, "test", stored=True)
        item = backtests.claim(conn, START_MS)
    assert item is not None
    failed = recorded.run(item)
    assert failed.state is BacktestState.FAILED
    assert "no footage" in failed.reason


def test_what_was_seen_goes_with_its_footage(recorded: Recorded) -> None:
    """No box outlives the segment it was seen in."""
    recorded.run(recorded.ask())
    with recorded.catalog.write() as conn:
        gone = segments.get(conn, recorded.keys[0])
        assert gone is not None
        stored = Stored(gone.key, gone.end_ms, gone.size, gone.volume, gone.sha256)
        leaving.forget(conn, START_MS, [[stored]], Reason.TOO_OLD, "test")
    assert tidy(recorded.data, recorded.catalog) == 1
    assert [key for _, key in seen_files.all_files(recorded.data)] == recorded.keys[1:]


def test_a_damaged_file_of_what_was_seen_is_made_anew(recorded: Recorded) -> None:
    """Never trusted, never fatal."""
    recorded.run(recorded.ask())
    first, _ = next(seen_files.all_files(recorded.data))
    first.write_bytes(first.read_bytes()[:-7])
    assert recorded.run(recorded.ask()).found == 3


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    """Is named, and no path leads out of the folder of models."""
    for name in ("other", "../other", ".hidden"):
        with pytest.raises(BeholdenError) as caught:
            open_model(tmp_path, name)
        assert caught.value.code == "model_not_found"


def test_the_process_is_started_when_one_waits(recorded: Recorded) -> None:
    """By the analyser, in a process of its own, which is gone when nothing waits any more."""
    bench = Bench(recorded.data, FakeClock())
    bench.look(recorded.catalog)
    assert bench.pid is None
    rule = Rule(id=1, camera=1, name="In", kind=RuleKind.ENTER)
    with recorded.catalog.write() as conn:
        zone = places.add(conn, 1, 1, PlaceKind.ZONE, "Left", LEFT.points, "test")
        stored = rules.add(conn, 1, Rule(0, 1, "In", RuleKind.ENTER, zone.id), by="test")
        item = backtests.add(conn, START_MS, 1, Trial(rule, None, None), 1000, 2000, "test", stored=False)
    assert stored.id
    bench.look(recorded.catalog)
    assert bench.pid not in (None, os.getpid())
    bench.wait(60)
    assert recorded.now(item).state is BacktestState.FAILED
    bench.close()


def test_a_killed_process_loses_what_it_was_at_and_nothing_more(recorded: Recorded) -> None:
    """kill -9 in the middle: the next process keeps the files that were done and comes to the end."""
    rule = Rule(id=1, camera=1, name="In", kind=RuleKind.ENTER)
    end = START_MS + CLIP_MS * len(recorded.keys)
    with recorded.catalog.write() as conn:
        item = backtests.add(conn, end, 1, Trial(rule, None, None), START_MS, end, "test", stored=False)
    bench = Bench(recorded.data, FakeClock())
    bench.look(recorded.catalog)
    assert bench.pid is not None
    while not (done := list(seen_files.all_files(recorded.data))) and bench.alive:
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.kill(bench.pid, signal.SIGKILL)
    bench.wait(30)
    before = {path: path.stat().st_mtime_ns for path, _ in done}
    with recorded.catalog.write() as conn:  # as after half a minute of silence
        backtests.release(conn, item.id)
    bench.look(recorded.catalog)
    bench.wait(120)
    bench.close()
    now = recorded.now(item)
    assert (now.state, now.footage_ms) == (BacktestState.DONE, 3 * CLIP_MS)
    assert before
    assert {path: path.stat().st_mtime_ns for path in before} == before
