"""Recorded footage through the eyes of the analyser: decode gate, motion, detector and tracker, as live.

The same parts as in live analysis, driven by one thread and as fast as they go: nothing is dropped, since the
footage waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from beholden.analyse.camera_faults import CameraFaults
from beholden.analyse.decode import Decoded
from beholden.analyse.detect.crops import detect_in
from beholden.analyse.detect.detector import Detector
from beholden.analyse.feed import Feed
from beholden.analyse.geometry import overlap
from beholden.analyse.hooks import Hooks
from beholden.analyse.mailbox import Look
from beholden.analyse.mask import Masks
from beholden.analyse.onlooker import Small
from beholden.analyse.recorded import pieces
from beholden.analyse.tell import Teller
from beholden.analyse.watch import Watch
from beholden.model.frame import TrackedFrame
from beholden.model.media import Track
from beholden.model.rule import CameraFault
from beholden.model.time import TICKS_PER_SECOND, FakeClock

_SAME = 0.5


@dataclass(slots=True)
class Seen:
    """What was seen, or heard, in one recorded file, in order of time. ``sounds``: (begin of a second in
    epoch ms, its level in dB of full scale)."""

    frames: list[TrackedFrame] = field(default_factory=list)
    faults: list[tuple[int, tuple[CameraFault, ...]]] = field(default_factory=list)
    sounds: list[tuple[int, float]] = field(default_factory=list)


class Rerun:
    """One camera's recordings; give it files in order of time."""

    def __init__(self, camera: int, detector: Detector, masks: Masks) -> None:
        # Its time is that of the footage: nothing is ever late here.
        self._clock = FakeClock()
        self._detector = detector
        hooks = Hooks(onlookers=[self], mask=masks.privacy, ignored=masks.motion)
        self._feed = Feed(self._clock)
        self._watch = Watch(camera, "balanced", self._feed, self._clock, hooks)
        self._teller = Teller(camera, self._clock)
        self._faults = CameraFaults()
        self._seen = Seen()

    def see(self, path: Path, beat: Callable[[], bool]) -> Seen | None:
        """Look at one file; OSError when it cannot be read, and what is damaged in it is left out. ``beat``
        is called all along and says whether to go on; None when not."""
        self._seen = Seen()
        for number, piece in enumerate(pieces(path)):
            if number == 0:
                self._feed.put(piece.stream_format.video)
                self._work()
            self._clock.advance(piece.ticks / TICKS_PER_SECOND)
            for unit in piece.units:
                if unit.track is Track.VIDEO:
                    self._feed.put(unit)
                    self._work()
            if not beat():
                return None
        return self._seen

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:  # noqa: ARG002
        """See Onlooker: the picture as a whole."""
        found = self._faults.look(at_ms, small)
        if found is not None:
            self._seen.faults.append((at_ms, tuple(sorted(found))))

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:
        """See Onlooker; frames are taken where they are made."""

    def ended(self, camera: int) -> None:
        """See Onlooker."""

    def _work(self) -> None:
        while self._watch.step():
            while self._watch.mailbox.waiting:
                ended, look = self._watch.mailbox.take()
                if ended:
                    self._teller.end()
                    self._watch.busy = False
                if look is not None:
                    self._look(look)

    def _look(self, look: Look) -> None:
        wanted = self._teller.wants(look)
        if wanted:
            crops = self._teller.crops(look, self._detector.shown)
            (found,) = detect_in(self._detector, [(look.picture, crops)])
            self._teller.detected(look, found, crops)
        else:
            self._teller.passed(look)
        self._watch.busy = self._teller.watching
        frame = self._teller.frame(look, detected=wanted)
        if frame is not None:
            self._seen.frames.append(frame)


def renumbered(frames: Sequence[TrackedFrame], names: Mapping[int, int], shift: int) -> list[TrackedFrame]:
    """The same frames with tracks called as in ``names``; others move up by ``shift``, so that no number of
    an earlier look is used twice."""
    return [
        replace(
            frame,
            objects=tuple(
                replace(item, track=names.get(item.track, item.track + shift)) for item in frame.objects
            ),
        )
        for frame in frames
    ]


def same_objects(known: TrackedFrame | None, again: TrackedFrame | None) -> dict[int, int]:
    """How tracks of a second look at the same instant are called in the first, by place alone."""
    names: dict[int, int] = {}
    free = list(known.objects) if known is not None else []
    for item in again.objects if again is not None else ():
        best = max(free, key=lambda other: overlap(other.box, item.box), default=None)
        if best is not None and overlap(best.box, item.box) > _SAME:
            names[item.track] = best.track
            free.remove(best)
    return names
