"""The seam behind tracking: who wants to know what is in view (rules, side-cars of boxes, statistics)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from beholden.analyse.decode import Decoded
from beholden.model.frame import TrackedFrame

Small = NDArray[np.uint8]  # brightness [height, width], about 320 x 180


class Onlooker(Protocol):
    """Told by the analyser. Calls return at once; they may come from several threads, but those for one
    camera and one method come in order of time."""

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:
        """One picture was decoded and compared with the background; ``small`` is it, shrunk."""
        ...

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:
        """The objects in view in one picture."""
        ...

    def ended(self, camera: int) -> None:
        """The stream ended or jumped in time, or is not analysed any more: what was in view is forgotten."""
        ...


class Onlookers:
    """Several as one."""

    def __init__(self, onlookers: Sequence[Onlooker]) -> None:
        self._all = tuple(onlookers)

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:
        for each in self._all:
            each.pictured(camera, at_ms, small, picture)

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:
        for each in self._all:
            each.tracked(frame, picture)

    def ended(self, camera: int) -> None:
        for each in self._all:
            each.ended(camera)


class FakeOnlooker:
    """Remembers what it was told, for tests."""

    def __init__(self) -> None:
        self.pictures: list[tuple[int, int]] = []  # (camera, at_ms)
        self.frames: list[TrackedFrame] = []
        self.endings: list[int] = []

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:
        assert small.ndim == 2
        assert picture.at_ms == at_ms
        self.pictures.append((camera, at_ms))

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:
        assert picture.at_ms >= frame.at_ms
        self.frames.append(frame)

    def ended(self, camera: int) -> None:
        self.endings.append(camera)
