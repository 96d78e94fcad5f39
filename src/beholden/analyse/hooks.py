"""Where others join in: masks before seeing, motion in the middle, tracked frames after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from beholden.analyse.decode import Decoded
from beholden.analyse.mask import Polygon
from beholden.analyse.motion import Motion
from beholden.analyse.onlooker import Onlooker
from beholden.model.frame import TrackedFrame

log = structlog.get_logger()


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


def nothing_ignored(_: int) -> tuple[Polygon, ...]:
    """Motion counts everywhere."""
    return ()


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who joins in. ``mask`` is asked before each analysed picture with the camera's id, so it may change
    at any time; a mask that fails keeps its picture from being analysed. So is ``ignored``, for the parts in
    which motion does not count. What another raises is logged, and costs this picture only."""

    onlookers: Sequence[Onlooker] = ()
    motion: Sequence[MotionObserver] = ()
    mask: Callable[[int], Mask | None] = field(default=no_mask)
    ignored: Callable[[int], tuple[Polygon, ...]] = field(default=nothing_ignored)

    def masked(self, camera: int, picture: Decoded) -> Decoded | None:
        """The picture as it may be looked at; None when its mask could not be applied."""
        try:
            mask = self.mask(camera)
            return picture if mask is None else mask.apply(picture)
        except Exception as error:  # noqa: BLE001 - what cannot be hidden is not looked at
            log.warning("a picture was left out: its mask failed", camera=camera, cause=repr(error))
            return None

    def tell_motion(self, camera: int, picture: Decoded, motion: Motion) -> None:
        """Hand a picture on that was compared with the background."""
        for onlooker in self.onlookers:
            if motion.small is not None:
                _safely(camera, onlooker.pictured, camera, picture.at_ms, motion.small, picture)
        for observer in self.motion:
            _safely(camera, observer, camera, picture.at_ms, motion)

    def tell_frame(self, frame: TrackedFrame, picture: Decoded) -> None:
        """Hand on what is in view."""
        for onlooker in self.onlookers:
            _safely(frame.camera, onlooker.tracked, frame, picture)

    def tell_end(self, camera: int) -> None:
        """Say that a camera's tracks are over."""
        for onlooker in self.onlookers:
            _safely(camera, onlooker.ended, camera)


def _safely(camera: int, told: Callable[..., None], *arguments: object) -> None:
    try:
        told(*arguments)
    except Exception as error:  # noqa: BLE001 - seeing goes on whatever a listener does
        log.warning("a listener failed", camera=camera, listener=repr(told), cause=repr(error))
