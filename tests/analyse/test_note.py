"""A decoder that takes the process with it costs its own camera a pause, and no other."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from beholden.analyse.analyser import Analyser
from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.keeper import Keeper
from beholden.analyse.note import DecodingNote
from beholden.analyse.sink import FakeSink
from beholden.bus.fake import FakeBus
from beholden.model.time import FakeClock, SystemClock

from .conftest import coded
from .test_analyser import Rig, camera, paced

DYING = """
import os, signal, sys
from pathlib import Path
from beholden.analyse.note import DecodingNote
from beholden.model.time import SystemClock
with DecodingNote(Path(sys.argv[1]), SystemClock()).decoding(int(sys.argv[2])):
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def die(folder: Path, number: int) -> None:
    """A process that gets a segmentation fault while it decodes a camera."""
    done = subprocess.run([sys.executable, "-c", DYING, str(folder), str(number)], check=False)
    assert done.returncode == -signal.SIGSEGV


def test_a_crash_is_remembered_and_backed_off_from(tmp_path: Path) -> None:
    """Longer each time; reading the note does not make another crash of it."""
    clock = SystemClock()
    assert DecodingNote(tmp_path, clock).pauses() == {}
    die(tmp_path, 7)
    first = DecodingNote(tmp_path, clock).pauses()
    assert 0 < first[7] <= 10
    assert 0 < DecodingNote(tmp_path, clock).pauses()[7] <= first[7]
    die(tmp_path, 7)
    assert 50 < DecodingNote(tmp_path, clock).pauses()[7] <= 60
    die(tmp_path, 9)
    pauses = DecodingNote(tmp_path, clock).pauses()
    assert 0 < pauses[9] <= 10
    assert 7 in pauses


def test_an_end_in_good_order_leaves_nothing(tmp_path: Path) -> None:
    """Also when decoding raised."""
    note = DecodingNote(tmp_path, FakeClock(1000))

    def fail() -> None:
        with note.decoding(3):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    note.close()
    assert DecodingNote(tmp_path, FakeClock(1000)).pauses() == {}


def test_an_hour_without_a_crash_is_forgiven(tmp_path: Path) -> None:
    """The next one counts as the first."""
    die(tmp_path, 7)
    die(tmp_path, 7)
    later = FakeClock(SystemClock().now_ms() + 7_200_000)
    assert DecodingNote(tmp_path, later).pauses() == {7: 10.0}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"3": "x"}', '{"3": [0, 0]}'])
def test_damaged_strikes_are_done_without(tmp_path: Path, content: str) -> None:
    """The analyser starts whatever lies there."""
    (tmp_path / "decoding.strikes.json").write_text(content)
    (tmp_path / "decoding.note").write_bytes(b"xyz")
    assert DecodingNote(tmp_path, FakeClock(1000)).pauses() == {}


def test_the_camera_that_was_decoded_waits_and_others_go_on(tmp_path: Path, moving_square: Path) -> None:
    """After a crash: quarantined with the reason; its neighbour is seen as ever."""
    die(tmp_path, 1)
    buses: list[FakeBus] = []

    def connect(_: Path) -> FakeBus:
        buses.append(FakeBus())
        return buses[-1]

    sink, clock = FakeSink(), SystemClock()
    keeper = Keeper(tmp_path, sink, lambda _: None)
    note = DecodingNote(tmp_path, clock)
    note._strikes[1] = (3, clock.now_ms())  # ten minutes, so that a slow machine does not outlast them
    detector = FakeDetector()
    analyser = Analyser(detector, keeper, connect, lambda n: tmp_path / str(n), clock, note=note)
    rig = Rig(analyser, detector, sink, buses, [], tmp_path)
    analyser.configure([camera(1), camera(2)])
    paced(coded(moving_square), rig, 1)
    paced(coded(moving_square), rig, 2)
    rig.until(lambda: rig.row(2)["last_frame_ms"] is not None)
    assert rig.row(1)["state"] == "quarantined"
    assert "died while it decoded" in str(rig.row(1)["reason"])
    assert rig.row(1)["last_frame_ms"] is None
    assert rig.row(2)["state"] == "full_rate"
    analyser.close()
    keeper.close()
