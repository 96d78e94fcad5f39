"""Of boxes that show the same thing the best is kept, within each class."""

from __future__ import annotations

import numpy as np
import pytest

from beholden.analyse.detect.overlap import overlaps, suppress


@pytest.mark.parametrize("seed", range(8))
def test_what_is_kept_overlaps_nothing_better_and_the_rest_does(seed: int) -> None:
    """By the definition: going down by score, a box stays unless one of its class that stays covers it."""
    random = np.random.default_rng(seed)
    corners = random.random((120, 2)) * 0.6
    boxes = np.concatenate([corners, corners + 0.05 + random.random((120, 2)) * 0.3], axis=1).astype(
        np.float32
    )
    scores = random.permutation(120).astype(np.float32) / 130 + 0.01
    classes = random.integers(0, 3, 120)
    expected: list[int] = []
    for index in np.argsort(-scores):
        known = [k for k in expected if classes[k] == classes[index]]
        if not known or overlaps(boxes[[index]], boxes[known]).max() <= 0.5:
            expected.append(int(index))
    assert suppress(boxes, scores, classes, 0.5) == expected
    assert 3 < len(expected) < 120


def test_nothing_is_kept_of_nothing() -> None:
    """A picture in which nothing was found."""
    none = np.zeros((0, 4), np.float32)
    assert suppress(none, np.zeros(0, np.float32), np.zeros(0, np.int64), 0.5) == []
