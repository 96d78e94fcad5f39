"""Where others join in: masks before seeing, motion in the middle, frames with their objects after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from beholden.analyse.decode import Decoded
from beholden.analyse.motion import Motion
from beholden.model.event import Box, ObjectClass

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Followed:
    """One object in one analysed picture.

    ``track`` tells objects of a camera apart for as long as they are followed, through short occlusions, and
    means nothing afterwards. ``stationary``: it has not moved for ten seconds, or it is known to stand here.
    """

    track: int
    kind: ObjectClass
    score: float
    box: Box
    stationary: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """One analysed picture and what is in it.

    ``at_ms`` is media time (epoch milliseconds). ``objects`` are those seen in this picture; when the
    detector was not shown it (``detected`` is False: nothing moved), there are none, and nothing is known
    to have left. ``interval_ms`` is the time since the picture analysed before.
    """

    camera: int
    at_ms: int
    interval_ms: int
    picture: Decoded
    motion: Motion
    detected: bool
    objects: tuple[Followed, ...]


class FrameObserver(Protocol):
    """Takes frames in order of time for each camera, all from one thread. What it raises is logged, and
    costs this frame only."""

    def frame(self, frame: Frame) -> None:
        """The next analysed picture."""
        ...

    def ended(self, camera: int) -> None:
        """Its stream ended or jumped in time, or is no longer analysed: its tracks are over."""
        ...


class Mask(Protocol):
    """Hides parts of a camera's pictures before anything looks at them."""

    def apply(self, picture: Decoded) -> Decoded:
        """A picture of the same size and time with those parts hidden. The one given holds the decoder's own
        buffer, on which later pictures build: it is copied, never written to."""
        ...


MotionObserver = Callable[[int, int, Motion], None]
"""Called with (camera, epoch milliseconds, motion) for each analysed picture, from the decoding thread."""


def no_mask(_: int) -> Mask | None:
    """No camera hides anything."""
    return None


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who listens. ``mask`` is asked before each analysed picture with the camera's id, so it may change
    at any time; a mask that fails keeps its picture from being analysed."""

    frames: Sequence[FrameObserver] = ()
    motion: Sequence[MotionObserver] = ()
    mask: Callable[[int], Mask | None] = field(default=no_mask)

    def masked(self, camera: int, picture: Decoded) -> Decoded | None:
        """The picture as it may be looked at; None when its mask could not be applied."""
        try:
            mask = self.mask(camera)
            return picture if mask is None else mask.apply(picture)
        except Exception as error:  # noqa: BLE001 - what cannot be hidden is not looked at
            log.warning("a picture was left out: its mask failed", camera=camera, cause=repr(error))
            return None

    def tell_frame(self, frame: Frame) -> None:
        """Hand a frame to all observers."""
        for observer in self.frames:
            try:
                observer.frame(frame)
            except Exception as error:  # noqa: BLE001 - seeing goes on whatever a listener does
                log.warning("a frame was not taken", camera=frame.camera, cause=repr(error))

    def tell_end(self, camera: int) -> None:
        """Tell all observers that a camera's tracks are over."""
        for observer in self.frames:
            try:
                observer.ended(camera)
            except Exception as error:  # noqa: BLE001
                log.warning("an end was not taken", camera=camera, cause=repr(error))

    def tell_motion(self, camera: int, at_ms: int, motion: Motion) -> None:
        """Hand a picture's motion to all observers."""
        for observer in self.motion:
            try:
                observer(camera, at_ms, motion)
            except Exception as error:  # noqa: BLE001
                log.warning("motion was not taken", camera=camera, cause=repr(error))
