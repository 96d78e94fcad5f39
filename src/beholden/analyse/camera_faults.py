"""Whether the camera itself is in trouble: covered, turned away, out of focus, frozen.

The picture as a whole is held against what it usually looks like: how much detail there is, and where. A
reference is learned when watching begins and drifts with the hours; while something is wrong it stands still.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from beholden.analyse.onlooker import Small
from beholden.model.rule import CameraFault

EVERY_MS = 1000
_LEARN_MS = 20_000
_DRIFT_MS = 1_800_000.0
_NEW_NORMAL_MS = 3_600_000  # a fault that lasts an hour is how it looks from now on
_FROZEN_MS = 60_000  # not a single grey level moves: no sensor is so quiet, no clock so slow
_GRID = (32, 18)
_LEAST_DETAIL = 3.0  # a reference with less tells nothing
_COVERED_DETAIL = 0.15  # of the usual detail
_COVERED_SPREAD = 0.4  # of the usual range of brightness
_SOFT_DETAIL = 0.35  # of the usual curvature
_SAME_SCENE = 0.7  # correlation of the coarse picture
_OTHER_SCENE = 0.35  # correlation of where the edges are
_SURE_TIMES = 3  # looks in a row


@dataclass(frozen=True, slots=True)
class _Look:
    detail: float  # edge strength
    fine: float  # curvature: what a picture loses first when it goes out of focus
    spread: float  # standard deviation of brightness
    coarse: NDArray[np.float32]  # the picture at 32 x 18
    edges: NDArray[np.float32]  # edge strength at 32 x 18


class CameraFaults:
    """One camera. All times are those of its pictures."""

    def __init__(self) -> None:
        self._reference: _Look | None = None
        self._first_ms = 0
        self._last_ms = 0
        self._before: Small | None = None
        self._changed_ms = 0
        self._times: dict[CameraFault, int] = {}
        self._since_ms: int | None = None

    def look(self, at_ms: int, small: Small) -> Set[CameraFault] | None:
        """What is wrong in this picture [height, width]; None when it comes too soon after the last one."""
        if self._last_ms and 0 <= at_ms - self._last_ms < EVERY_MS:
            return None
        seen = _look(small)
        if self._reference is None or self._reference.coarse.shape != seen.coarse.shape:
            self._begin(seen, at_ms)
        step, self._last_ms = at_ms - self._last_ms, at_ms
        frozen = self._is_frozen(small, at_ms)
        if at_ms - self._first_ms < _LEARN_MS:
            self._drift(seen, 0.3)
            return {CameraFault.FROZEN} if frozen else frozenset()
        found = self._sure(self._compare(seen))
        self._learn(seen, found, at_ms, step)
        return found | {CameraFault.FROZEN} if frozen else found

    def _begin(self, seen: _Look, at_ms: int) -> None:
        self._reference, self._first_ms, self._last_ms = seen, at_ms, at_ms
        self._before, self._changed_ms = None, at_ms
        self._times, self._since_ms = {}, None

    def _is_frozen(self, small: Small, at_ms: int) -> bool:
        before, self._before = self._before, small.copy()
        if before is None or before.shape != small.shape or np.any(before != small):
            self._changed_ms = at_ms
        return at_ms - self._changed_ms >= _FROZEN_MS

    def _compare(self, seen: _Look) -> set[CameraFault]:
        usual = self._reference
        assert usual is not None
        if usual.detail < _LEAST_DETAIL:
            return set()
        detail, spread = seen.detail / usual.detail, seen.spread / max(usual.spread, 1.0)
        fine = seen.fine / max(usual.fine, 0.1)
        if detail < _COVERED_DETAIL and spread < _COVERED_SPREAD:
            return {CameraFault.COVERED}
        if fine < _SOFT_DETAIL and _alike(seen.coarse, usual.coarse) > _SAME_SCENE:
            return {CameraFault.DEFOCUSED}
        if fine >= _SOFT_DETAIL and _alike(seen.edges, usual.edges) < _OTHER_SCENE:
            return {CameraFault.TURNED}
        return set()

    def _sure(self, now: set[CameraFault]) -> set[CameraFault]:
        self._times = {fault: self._times.get(fault, 0) + 1 for fault in now}
        return {fault for fault, times in self._times.items() if times >= _SURE_TIMES}

    def _learn(self, seen: _Look, found: set[CameraFault], at_ms: int, step: int) -> None:
        if not self._times:
            self._since_ms = None
            self._drift(seen, min(1.0, max(0, step) / _DRIFT_MS))
            return
        self._since_ms = self._since_ms if self._since_ms is not None else at_ms
        if at_ms - self._since_ms > _NEW_NORMAL_MS and found:
            self._begin(seen, at_ms)

    def _drift(self, seen: _Look, share: float) -> None:
        old = self._reference
        assert old is not None
        self._reference = _Look(
            old.detail + (seen.detail - old.detail) * share,
            old.fine + (seen.fine - old.fine) * share,
            old.spread + (seen.spread - old.spread) * share,
            old.coarse + (seen.coarse - old.coarse) * np.float32(share),
            old.edges + (seen.edges - old.edges) * np.float32(share),
        )


def _look(small: Small) -> _Look:
    soft = cv2.GaussianBlur(small, (5, 5), 1.2)  # noise of the sensor is no detail
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3)
    strength = cv2.magnitude(across, down) / 4
    curved = cv2.Laplacian(soft, cv2.CV_32F)
    coarse = cv2.resize(small, _GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
    edges = cv2.resize(strength, _GRID, interpolation=cv2.INTER_AREA)
    spread = float(np.std(coarse))
    return _Look(_strength(strength), _strength(curved), spread, coarse, np.asarray(edges, np.float32))


def _strength(values: NDArray[np.float32] | cv2.typing.MatLike) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def _alike(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Correlation, -1..1; 0 when one of them is even."""
    a, b = first - first.mean(), second - second.mean()
    size = float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    return float(np.sum(a * b)) / size if size > 1e-6 else 0.0
