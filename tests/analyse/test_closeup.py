"""The main stream's keyframes: the newest, for its own moment, masked, and never a fault of the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beholden.analyse.closeup import CloseUp
from beholden.analyse.decode import Decoded
from beholden.analyse.feed import Lost
from beholden.analyse.hooks import Hooks
from beholden.analyse.mask import PictureMask
from beholden.model.media import AccessUnit

from .conftest import START_MS, Coded, blank, coded, decoded, write_clip


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Coded:
    """Two seconds of 640 x 360, a keyframe every second."""
    path = tmp_path_factory.mktemp("main") / "main.mp4"
    return coded(write_clip(path, (blank(360, 640, 90 + n) for n in range(20)), 10, 10))


def close_up(main: Coded, hooks: Hooks | None = None) -> CloseUp:
    """One that knows the stream's format."""
    made = CloseUp(1, hooks or Hooks())
    assert not made.put(main.video)
    return made


def look(at_ms: int, height: int = 180) -> Decoded:
    """A picture of the sub stream."""
    return decoded(blank(height, 320), START_MS + at_ms)


def test_keyframes_alone_are_kept_and_taken_once(main: Coded) -> None:
    """The newest of them, at its own resolution; what is in between asks for nothing."""
    sharp = close_up(main)
    assert [sharp.put(unit) for unit in main.units] == [unit.key for unit in main.units]
    sharp.step(wanted=True)
    picture = sharp.take(look(1100))
    assert picture is not None
    assert (picture.width, picture.at_ms) == (640, START_MS + 1000)
    assert sharp.take(look(1100)) is None


@pytest.mark.parametrize(("at_ms", "height", "fits"), [(0, 180, True), (500, 180, False), (0, 240, False)])
def test_another_moment_or_shape_is_not_taken(main: Coded, at_ms: int, height: int, fits: bool) -> None:
    """What shows another part of the world, or how it was before, would lead astray."""
    sharp = close_up(main)
    sharp.put(main.units[0])
    sharp.step(wanted=True)
    assert (sharp.take(look(at_ms, height)) is not None) is fits


def test_one_that_is_ahead_waits(main: Coded) -> None:
    """Looks at a replayed GOP lag behind: the picture is there when they have caught up."""
    sharp = close_up(main)
    sharp.put(main.units[10])
    sharp.step(wanted=True)
    assert sharp.take(look(200)) is None
    assert sharp.take(look(900)) is not None


def test_nothing_is_decoded_that_nobody_wants(main: Coded) -> None:
    """A quiet camera's are dropped as they come."""
    sharp = close_up(main)
    sharp.put(main.units[0])
    sharp.step(wanted=False)
    sharp.step(wanted=True)
    assert sharp.take(look(0)) is None


def test_the_mask_holds(main: Coded) -> None:
    """What is hidden in the sub stream is hidden here."""
    hidden = PictureMask([[(0, 0), (0.5, 0), (0.5, 1), (0, 1)]])
    sharp = close_up(main, Hooks(mask=lambda _: hidden))
    sharp.put(main.units[0])
    sharp.step(wanted=True)
    picture = sharp.take(look(0))
    assert picture is not None
    assert picture.luma()[:, :310].max() == 16
    assert picture.luma()[:, 330:].min() > 60


def test_a_damaged_one_is_left_out(main: Coded) -> None:
    """Garbage, and a stream that was lost, cost that picture only."""
    sharp = close_up(main)

    def broken() -> Iterator[AccessUnit]:
        for unit in main.units:
            wrong = bytes(len(unit.data()))
            yield AccessUnit(unit.track, unit.pts, unit.key, (wrong,), len(wrong), unit.arrival_ms)

    for unit in broken():
        sharp.put(unit)
        sharp.step(wanted=True)
        assert sharp.take(look(1000)) is None
    sharp.put(Lost(stream_ended=False))
    sharp.put(main.units[10])
    sharp.step(wanted=True)
    assert sharp.take(look(1000)) is not None
