"""Those who listen in: masks come first, everybody gets the frames, and nobody who fails stops seeing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from beholden.analyse.analyser import Analyser
from beholden.analyse.decode import Decoded
from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.hooks import Hooks
from beholden.analyse.keeper import Keeper
from beholden.analyse.motion import Motion
from beholden.analyse.onlooker import FakeOnlooker, Small
from beholden.analyse.sink import FakeSink
from beholden.bus.fake import FakeBus
from beholden.model.event import ObjectClass
from beholden.model.frame import TrackedFrame
from beholden.model.time import SystemClock

from .conftest import coded, decoded
from .test_analyser import Rig, camera, paced, see_bright


class Blackout:
    """Hides the whole picture."""

    def apply(self, picture: Decoded) -> Decoded:
        """Grey everywhere."""
        grey = np.full((picture.height, picture.width, 3), 110, np.uint8)
        return decoded(grey, picture.at_ms)


class Broken:
    """Fails whatever it is asked."""

    def apply(self, picture: Decoded) -> Decoded:
        """Always fails."""
        raise RuntimeError("told to fail")

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:
        """Always fails."""
        raise RuntimeError("told to fail")

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:
        """Always fails."""
        raise RuntimeError("told to fail")

    def ended(self, camera: int) -> None:
        """Always fails."""
        raise RuntimeError("told to fail")


class Listener(FakeOnlooker):
    """Remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.motions: list[tuple[int, int, Motion]] = []
        self.lumas: list[int] = []

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:
        """One more; how much its brightness varies."""
        super().pictured(camera, at_ms, small, picture)
        self.lumas.append(int(np.ptp(picture.luma())))

    def motion(self, number: int, at_ms: int, motion: Motion) -> None:
        """One more."""
        self.motions.append((number, at_ms, motion))


@pytest.fixture
def listener() -> Listener:
    """Who listens to the rig."""
    return Listener()


@pytest.fixture
def hooks(listener: Listener) -> Hooks:
    """A listener behind one that fails."""
    return Hooks(onlookers=[Broken(), listener], motion=[Broken().apply, listener.motion])  # type: ignore[list-item]


@pytest.fixture
def rig(tmp_path: Path, hooks: Hooks) -> Iterator[Rig]:
    """A running analyser with listeners."""
    buses: list[FakeBus] = []

    def connect(_: Path) -> FakeBus:
        buses.append(FakeBus())
        return buses[-1]

    detector, sink = FakeDetector(see_bright), FakeSink()
    keeper = Keeper(tmp_path, sink, lambda _: None)
    analyser = Analyser(detector, keeper, connect, lambda n: tmp_path / f"{n}.sock", SystemClock(), hooks)
    yield Rig(analyser, detector, sink, buses, [], tmp_path)
    analyser.close()
    keeper.close()


def test_frames_carry_their_objects(rig: Rig, listener: Listener, moving_square: Path) -> None:
    """Each analysed picture is handed on in order, with what moves in it and one track for one object."""
    rig.analyser.configure([camera()])
    paced(coded(moving_square), rig)
    rig.until(lambda: "end" in rig.phases())
    times = [frame.at_ms for frame in listener.frames]
    assert times == sorted(times)
    objects = [item for frame in listener.frames for item in frame.objects]
    assert len({item.track for item in objects}) == 1
    assert {item.kind for item in objects} == {ObjectClass.PERSON}
    lefts = [item.box.left for item in objects]
    assert lefts == sorted(lefts)
    assert lefts[-1] - lefts[0] > 0.3
    assert listener.frames[-1].objects == ()  # it has left
    assert len(listener.pictures) > len(listener.frames)
    moved = [motion for _, _, motion in listener.motions if motion.grid().any()]
    assert len(moved) >= 5
    assert moved[0].grid().shape == (18, 32)


def test_an_end_is_told(rig: Rig, listener: Listener, moving_square: Path) -> None:
    """When analysis of a camera stops its tracks are over."""
    rig.analyser.configure([camera()])
    paced(coded(moving_square), rig)
    rig.until(lambda: listener.pictures)
    before = len(listener.endings)
    rig.analyser.configure([])
    rig.until(lambda: listener.endings[before:] == [1])


class TestMasked:
    """Everything hidden."""

    @pytest.fixture
    def hooks(self, listener: Listener) -> Hooks:
        """A mask over the whole picture."""
        return Hooks(onlookers=[listener], mask=lambda _: Blackout())

    def test_what_is_hidden_is_not_seen(self, rig: Rig, listener: Listener, moving_square: Path) -> None:
        """Neither motion nor the detector nor a listener gets what a mask hides."""
        rig.analyser.configure([camera()])
        paced(coded(moving_square), rig)
        rig.until(lambda: rig.row()["last_frame_ms"] == coded(moving_square).units[-1].pts // 90)
        assert rig.phases() == []
        assert max(listener.lumas) < 4
        assert listener.frames == []


class TestBrokenMask:
    """A mask that cannot be applied."""

    @pytest.fixture
    def hooks(self, listener: Listener) -> Hooks:
        """A mask that fails."""
        return Hooks(onlookers=[listener], mask=lambda _: Broken())

    def test_what_cannot_be_hidden_is_not_looked_at(
        self, rig: Rig, listener: Listener, moving_square: Path
    ) -> None:
        """The picture is left out rather than shown without its mask."""
        rig.analyser.configure([camera()])
        paced(coded(moving_square), rig)
        rig.until(lambda: rig.row()["last_frame_ms"] == coded(moving_square).units[-1].pts // 90)
        assert listener.pictures == []
        assert rig.detector.batches == []
        assert rig.analyser.alive
