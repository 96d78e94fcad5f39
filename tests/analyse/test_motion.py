"""Motion: what moves is seen, noise and light are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from beholden.analyse.motion import MotionDetector
from beholden.model.event import Box

STEP = 200


def noisy(
    random: np.random.Generator, level: float, sigma: float, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """An even plane with sensor noise."""
    return random.normal(level, sigma, shape).clip(0, 255).astype(np.uint8)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(20, 235),
    st.floats(0, 8),
    st.sampled_from([(360, 640), (576, 704), (432, 768), (180, 320), (90, 160)]),
)
def test_noise_is_not_motion(seed: int, level: float, sigma: float, shape: tuple[int, int]) -> None:
    """A still scene with sensor noise has no motion, at any brightness and size."""
    random, motion = np.random.default_rng(seed), MotionDetector()
    for number in range(12):
        seen = motion.look(noisy(random, level, sigma, shape), number * STEP)
        assert seen.regions == ()


@settings(max_examples=20, deadline=None)
@given(st.integers(40, 560), st.integers(40, 280), st.integers(24, 60))
def test_what_appears_is_seen_where_it_is(x: int, y: int, size: int) -> None:
    """A bright square that appears is covered by the largest region, which is not much larger."""
    motion = MotionDetector()
    for number in range(8):
        motion.look(np.full((360, 640), 90, np.uint8), number * STEP)
    plane = np.full((360, 640), 90, np.uint8)
    plane[y : y + size, x : x + size] = 200
    seen = motion.look(plane, 8 * STEP)
    assert seen.regions
    box = seen.regions[0]
    assert box.left * 640 <= x + 3
    assert box.top * 360 <= y + 3
    assert box.right * 640 >= min(640, x + size) - 3
    assert box.bottom * 360 >= min(360, y + size) - 3
    assert (box.right - box.left) * 640 <= size + 20
    assert seen.grid().max() > 0
    assert seen.grid().shape == (18, 32)


@pytest.mark.parametrize("change", [-60, -25, 25, 60, 120])
def test_light_that_changes_everywhere_is_not_motion(change: int) -> None:
    """A lamp switched on gives no regions, neither at once nor after."""
    random, motion = np.random.default_rng(1), MotionDetector()
    scene = random.integers(70, 130, (45, 80)).repeat(8, axis=0).repeat(8, axis=1)
    for number in range(30):
        plane = scene + (change if number >= 10 else 0)
        seen = motion.look(plane.clip(0, 255).astype(np.uint8), number * STEP)
        assert seen.regions == ()


def test_slow_dusk_is_not_motion() -> None:
    """Light that fades over a minute is learned."""
    motion = MotionDetector()
    for number in range(300):
        assert motion.look(np.full((360, 640), 200 - number // 3, np.uint8), number * STEP).regions == ()


def test_a_whole_new_picture_settles_first() -> None:
    """After a cut nothing is reported until the background is known again, and then motion is."""
    motion, random = MotionDetector(), np.random.default_rng(2)
    scenes = [
        random.integers(0, 255, (45, 80)).repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8) for _ in "ab"
    ]
    for number in range(10):
        motion.look(scenes[0], number * STEP)
    assert motion.look(scenes[1], 10 * STEP).settling
    for number in range(11, 20):
        seen = motion.look(scenes[1], number * STEP)
    assert not seen.settling
    assert seen.regions == ()


def test_what_stays_becomes_background() -> None:
    """Something put down is motion at first and background after half a minute."""
    motion = MotionDetector()
    for number in range(10):
        motion.look(np.full((360, 640), 90, np.uint8), number * STEP)
    plane = np.full((360, 640), 90, np.uint8)
    plane[100:200, 100:200] = 180
    first = motion.look(plane, 10 * STEP)
    for number in range(11, 200):
        seen = motion.look(plane, number * STEP)
    assert first.regions
    assert seen.regions == ()


def test_another_size_begins_again() -> None:
    """A stream that changes its resolution does not break it."""
    motion = MotionDetector()
    motion.look(np.zeros((360, 640), np.uint8), 0)
    assert motion.look(np.zeros((720, 1280), np.uint8), 200).regions == ()
    assert motion.look(np.zeros((1, 1), np.uint8), 400).regions == ()


def test_regions_lie_within_the_picture() -> None:
    """Boxes are 0..1."""
    random, motion = np.random.default_rng(3), MotionDetector()
    for number in range(10):
        motion.look(np.full((99, 177), 90, np.uint8), number * STEP)
    plane = np.full((99, 177), 90, np.uint8)
    plane[random.integers(0, 99, 30), :] = 250
    for box in motion.look(plane, 2000).regions:
        assert isinstance(box, Box)
        assert 0 <= box.left < box.right <= 1
        assert 0 <= box.top < box.bottom <= 1
