"""The analyser with a bus that feeds it coded pictures, and a detector told what to see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from beholden.analyse.analyser import Analyser
from beholden.analyse.detect.detector import DetectorError, Picture
from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.keeper import Keeper
from beholden.analyse.sink import FakeSink
from beholden.bus.fake import FakeBus
from beholden.bus.messages import BusError
from beholden.model.camera import CameraConfig, StreamAddress, StreamRole
from beholden.model.event import Box, Detection, ObjectClass
from beholden.model.media import AccessUnit, StreamFormat
from beholden.model.time import SystemClock

from .conftest import Coded, blank, coded, write_clip


def camera(number: int = 1, **changes: object) -> CameraConfig:
    """A camera with a sub stream."""
    address = StreamAddress("rtsp://127.0.0.1/x")
    config = CameraConfig(
        id=number,
        name=f"camera {number}",
        main=address,
        sub=address,
        enabled=True,
        record=True,
        record_audio=False,
        analyse="always",
        keep_days=1,
        shard=0,
        rev=1,
        created_ms=0,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def see_bright(picture: Picture) -> list[Detection]:
    """Whatever is bright is a person."""
    bright = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) > 190
    if not bright.any():
        return []
    rows, columns = np.nonzero(bright.any(axis=1))[0], np.nonzero(bright.any(axis=0))[0]
    height, width = bright.shape
    box = Box(columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return [Detection(ObjectClass.PERSON, 0.9, box)]


@dataclass
class Rig:
    """An analyser and what it is connected to."""

    analyser: Analyser
    detector: FakeDetector
    sink: FakeSink
    buses: list[FakeBus]
    news: list[dict[str, object]]
    data_dir: Path

    def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.analyser.stats(), self.sink.told)
            time.sleep(0.01)

    def feed(self, stream: Coded, number: int = 1) -> None:
        """Relay a whole clip as fast as it is read."""
        self.until(lambda: self.buses and (number, StreamRole.SUB) in self.buses[-1].subscribed)
        bus = self.buses[-1]
        bus.push_format(number, StreamRole.SUB, StreamFormat(stream.video))
        for unit in stream.units:
            bus.push_unit(number, StreamRole.SUB, unit)

    def row(self, number: int = 1) -> dict[str, object]:
        """The stats of a camera."""
        return next(row for row in self.analyser.stats()["cameras"] if row["camera"] == number)

    def phases(self, number: int = 1) -> list[str]:
        """What was told of a camera's events."""
        return [phase for phase, _, change in self.sink.told if change.camera == number]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A running analyser without cameras."""
    buses: list[FakeBus] = []
    news: list[dict[str, object]] = []

    def connect(_: Path) -> FakeBus:
        buses.append(FakeBus())
        return buses[-1]

    detector, sink = FakeDetector(see_bright), FakeSink()
    keeper = Keeper(tmp_path, sink, lambda body: news.append(dict(body)))
    analyser = Analyser(detector, keeper, connect, lambda shard: tmp_path / f"{shard}.sock", SystemClock())
    yield Rig(analyser, detector, sink, buses, news, tmp_path)
    if analyser.alive:
        analyser.close()
        keeper.close()


def paced(stream: Coded, rig: Rig, number: int = 1) -> None:
    """Relay a clip a little faster than it was filmed, so that a look is rarely replaced by a newer one."""
    rig.until(lambda: rig.buses and (number, StreamRole.SUB) in rig.buses[-1].subscribed)
    rig.buses[-1].push_format(number, StreamRole.SUB, StreamFormat(stream.video))
    for unit in stream.units:
        rig.buses[-1].push_unit(number, StreamRole.SUB, unit)
        time.sleep(0.03)


def test_what_moves_becomes_one_event_with_a_still(rig: Rig, moving_square: Path) -> None:
    """A person crossing the picture: started, ended, its still on disk, news of it on the bus."""
    rig.analyser.configure([camera()])
    paced(coded(moving_square), rig)
    rig.until(lambda: "end" in rig.phases())
    assert rig.phases().count("start") == rig.phases().count("end") == 1
    change = rig.sink.told[-1][2]
    assert change.kind is ObjectClass.PERSON
    assert 1500 < (change.end_ms or 0) - change.start_ms < 4000
    stills = list(rig.data_dir.glob("stills/cam-1/2026-01-01/*.jpg"))
    assert len(stills) == 1
    assert rig.sink.still_sizes[1] == stills[0].stat().st_size
    rig.until(lambda: rig.news and rig.news[-1]["phase"] == "end")
    assert rig.news[0]["phase"] == "start"


def crossing(path: Path, size: tuple[int, int], grey: int, gop: int) -> Coded:
    """A square that crosses the picture after a second; the same way in any size."""
    width, height = size

    def pictures() -> Iterator[Picture]:
        for number in range(45):
            picture = blank(height, width)
            if number >= 12:
                left = (number - 12) * width // 40
                picture[height // 3 : height * 2 // 3, left : left + width // 8] = grey
            yield picture

    return coded(write_clip(path, pictures(), 10, gop))


def paced_both(rig: Rig, folder: Path) -> Coded:
    """Relay a sub stream in which something grey crosses and a main stream in which it is bright; returns the
    former."""
    sub = crossing(folder / "sub.mp4", (320, 180), 170, 10)
    main = crossing(folder / "main.mp4", (960, 540), 235, 1)
    rig.until(lambda: rig.buses and (1, StreamRole.SUB) in rig.buses[-1].subscribed)
    for role, stream in ((StreamRole.SUB, sub), (StreamRole.MAIN, main)):
        rig.buses[-1].push_format(1, role, StreamFormat(stream.video))
    for small, large in zip(sub.units, main.units, strict=True):
        rig.buses[-1].push_unit(1, StreamRole.MAIN, large)
        rig.buses[-1].push_unit(1, StreamRole.SUB, small)
        time.sleep(0.06)
    return sub


@pytest.mark.parametrize("asked", [True, False])
def test_what_only_the_main_stream_shows_is_told_where_it_was_asked_for(
    rig: Rig, tmp_path: Path, asked: bool
) -> None:
    """In the sub stream something moves that the detector does not know; the main stream's keyframes show
    what. Whoever did not ask does not even receive them."""
    rig.analyser.configure([camera(detect_main=asked)])
    sub = paced_both(rig, tmp_path)
    assert ((1, StreamRole.MAIN) in rig.buses[-1].subscribed) is asked
    rig.until(lambda: rig.row()["last_frame_ms"] == sub.units[-1].pts // 90)
    if asked:
        rig.until(lambda: "start" in rig.phases())
    rig.analyser.configure([])
    rig.until(lambda: not rig.analyser.stats()["cameras"])
    assert ("start" in rig.phases()) is asked


def test_a_close_up_that_the_detector_refuses_costs_itself_alone(rig: Rig, tmp_path: Path) -> None:
    """The small picture of that moment is looked at all the same, and the camera is not paused."""

    def refuse_bright(picture: Picture) -> list[Detection]:
        if picture.max() > 210:
            raise DetectorError("too bright")
        return see_bright(np.where(picture > 150, 255, 0).astype(np.uint8))

    rig.detector.answer = refuse_bright
    rig.analyser.configure([camera(detect_main=True)])
    paced_both(rig, tmp_path)
    rig.until(lambda: "start" in rig.phases())
    assert max(rig.detector.batches) > 1
    assert rig.row()["state"] != "quarantined"


def test_a_still_shows_the_whole_picture_undrawn(rig: Rig, moving_square: Path) -> None:
    """The still has the stream's size, and away from the object nothing but background."""
    rig.analyser.configure([camera()])
    paced(coded(moving_square), rig)
    rig.until(lambda: "end" in rig.phases())
    picture = cv2.imread(str(next(rig.data_dir.glob("stills/*/*/*.jpg"))))
    assert picture is not None
    assert picture.shape == (180, 320, 3)
    assert np.abs(picture[:50].astype(int) - 110).max() < 12


def test_the_detector_rests_while_nothing_moves(rig: Rig, moving_square: Path) -> None:
    """After the background is known, pictures without motion never reach the detector."""
    stream = coded(moving_square)
    rig.analyser.configure([camera()])
    rig.until(lambda: rig.buses and rig.buses[-1].subscribed)
    paced(Coded(stream.video, stream.units[:20]), rig)
    rig.until(lambda: rig.row()["last_frame_ms"] is not None)
    before = len(rig.detector.batches)
    still = [again(unit, 2000 + 100 * n) for n, unit in enumerate(stream.units[:10])]
    for unit in still:
        rig.buses[-1].push_unit(1, StreamRole.SUB, unit)
        time.sleep(0.03)
    rig.until(lambda: rig.row()["last_frame_ms"] == still[-1].pts // 90)
    assert len(rig.detector.batches) == before


def again(unit: AccessUnit, after_ms: int) -> AccessUnit:
    """The same picture, so long after the clip's start."""
    base = 1_767_225_600_000 * 90
    return AccessUnit(unit.track, base + after_ms * 90, unit.key, unit.parts, unit.size, unit.arrival_ms)


def test_an_open_event_ends_when_the_recorder_is_lost(rig: Rig, moving_square: Path) -> None:
    """A recorder that dies leaves no event open, and the analyser connects again."""
    rig.analyser.configure([camera()])
    stream = coded(moving_square)
    paced(Coded(stream.video, stream.units[:40]), rig)
    rig.until(lambda: "start" in rig.phases())
    rig.buses[-1].hang_up()
    rig.until(lambda: "end" in rig.phases())
    rig.until(lambda: len(rig.buses) > 1 and rig.buses[-1].subscribed)


def test_an_open_event_ends_when_analysis_is_switched_off(rig: Rig, moving_square: Path) -> None:
    """Switching analysis off closes what is open and stops reading the stream."""
    rig.analyser.configure([camera()])
    stream = coded(moving_square)
    paced(Coded(stream.video, stream.units[:40]), rig)
    rig.until(lambda: "start" in rig.phases())
    rig.analyser.configure([camera(analyse="off", rev=2)])
    rig.until(lambda: "end" in rig.phases())
    rig.until(lambda: all(not bus.subscribed or bus.closed for bus in rig.buses))
    assert rig.analyser.stats()["cameras"] == []


def test_events_end_at_shutdown(rig: Rig, moving_square: Path) -> None:
    """A clean stop leaves no event open."""
    rig.analyser.configure([camera()])
    stream = coded(moving_square)
    paced(Coded(stream.video, stream.units[:40]), rig)
    rig.until(lambda: "start" in rig.phases())
    rig.analyser.close()
    rig.until(lambda: "end" in rig.phases())


def test_keyframes_mode_decodes_keyframes_only(rig: Rig, moving_square: Path) -> None:
    """In this mode a camera costs one picture a GOP, and says so."""
    rig.analyser.configure([camera(analyse="keyframes")])
    stream = coded(moving_square)
    paced(stream, rig)
    last_key = max(unit.pts for unit in stream.units if unit.key)
    rig.until(lambda: rig.row()["last_frame_ms"] == last_key // 90)
    assert rig.row()["mode"] == "keyframes"
    assert max(rig.detector.batches, default=0) <= 1
    assert sum(rig.detector.batches) <= sum(unit.key for unit in stream.units)


def test_keyframes_mode_still_makes_events(rig: Rig, moving_square: Path) -> None:
    """What is there on a keyframe and moved since is told."""
    rig.analyser.configure([camera(analyse="keyframes")])
    stream = coded(moving_square)
    more = [again(stream.units[0], 7000 + 1000 * n) for n in range(5)]
    paced(Coded(stream.video, stream.units + more), rig)
    rig.until(lambda: "end" in rig.phases())
    assert rig.phases().count("start") == 1


def test_garbage_pauses_one_camera_and_no_other(rig: Rig, moving_square: Path) -> None:
    """A stream that cannot be decoded is left alone with a reason; its neighbour goes on."""
    rig.analyser.configure([camera(1), camera(2)])
    stream = coded(moving_square)
    rig.until(lambda: rig.buses and (2, StreamRole.SUB) in rig.buses[-1].subscribed)
    rig.buses[-1].push_format(1, StreamRole.SUB, StreamFormat(stream.video))
    for unit in stream.units[:60]:
        junk = b"\x00\x00\xff\xff" + b"\x65junk" * 4
        rig.buses[-1].push_unit(
            1, StreamRole.SUB, AccessUnit(unit.track, unit.pts, True, (junk,), len(junk), unit.arrival_ms)
        )
    paced(stream, rig, 2)
    rig.until(lambda: "end" in rig.phases(2))
    assert rig.row(1)["state"] == "quarantined"
    assert "Decoding failed" in str(rig.row(1)["reason"])
    assert rig.row(2)["state"] == "full_rate"


def test_a_failing_detector_pauses_with_a_reason(rig: Rig, moving_square: Path) -> None:
    """A detector that fails does not end the analyser."""
    rig.detector.broken = True
    rig.analyser.configure([camera()])
    paced(coded(moving_square), rig)
    rig.until(lambda: rig.row()["state"] == "quarantined")
    assert "told to fail" in str(rig.row()["reason"])
    assert rig.analyser.alive


def test_a_change_of_name_does_not_touch_the_stream(rig: Rig, moving_square: Path) -> None:
    """Only what changed is touched: another name or mode keeps the subscription and the background."""
    rig.analyser.configure([camera()])
    paced(coded(moving_square), rig)
    rig.until(lambda: rig.row()["last_frame_ms"] is not None)
    rig.analyser.configure([camera(name="Gate", analyse="keyframes", rev=2)])
    assert rig.row()["last_frame_ms"] is not None
    assert rig.row()["mode"] == "keyframes"
    assert len(rig.buses) == 1


def test_a_camera_without_sub_stream_is_seen_on_its_main(rig: Rig) -> None:
    """The sub stream is preferred, the main one will do."""
    rig.analyser.configure([camera(1), camera(2, sub=None)])
    rig.until(lambda: rig.buses and len(rig.buses[-1].subscribed) == 2)
    assert rig.buses[-1].subscribed == {(1, StreamRole.SUB), (2, StreamRole.MAIN)}


def test_a_recorder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """The analyser may start before the recorder does."""
    tries = threading.Semaphore(0)

    def connect(_: Path) -> FakeBus:
        tries.release()
        raise BusError("bus_unreachable", "Nobody there.")

    keeper = Keeper(tmp_path, FakeSink(), lambda _: None)
    analyser = Analyser(FakeDetector(), keeper, connect, lambda _: tmp_path / "x.sock", SystemClock())
    analyser.configure([camera()])
    assert tries.acquire(timeout=20)
    assert tries.acquire(timeout=20)
    assert analyser.alive
    assert analyser.stats()["cameras"][0]["state"] == "waiting"
    analyser.close()
    keeper.close()


def test_a_camera_the_recorder_does_not_know_yet_is_asked_for_again(rig: Rig, moving_square: Path) -> None:
    """The recorder may learn of a new camera later than the analyser; the first subscription is then lost."""
    rig.analyser.configure([camera()])
    rig.until(lambda: rig.buses and len([r for r in rig.buses[-1].sent if r["op"] == "subscribe"]) >= 2)
    paced(coded(moving_square), rig)
    rig.until(lambda: rig.row()["last_frame_ms"] is not None)
    asked = len(rig.buses[-1].sent)
    time.sleep(2.5)
    assert len(rig.buses[-1].sent) == asked
