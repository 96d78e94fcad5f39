"""What is known of one object while it is in view: where it is, whether it moves, what it seems to be."""

from __future__ import annotations

import enum
from collections import defaultdict

from beholden.analyse.decode import Decoded
from beholden.analyse.geometry import area, blend, overlap, strides_apart, touches_edge
from beholden.analyse.track import group_of
from beholden.model.event import Box, Detection, ObjectClass

STILL_MS = 60_000  # not moved for so long: standing, parked
_STRIDE = 0.4  # of its own size: the least that counts as moving
_SAME_PLACE = 0.6  # overlap with where it rested
_BETTER_STILL = 1.25  # how much better a picture must be to replace the still
_STILL_EVERY_MS = 1000
_SMOOTH = 0.35
_SPEED_MS = 2000
_TRUST_SHARE = 0.15
_TRUSTED_PERSON, _TRUSTED = 0.46, 0.36  # of the score by and large


class Stage(enum.Enum):
    """CANDIDATE: not yet sure. REPORTED: has an open event. RESTING: known to be here, not reported."""

    CANDIDATE = 1
    REPORTED = 2
    RESTING = 3


class Sighting:
    """One object from its first detection on. Times are epoch milliseconds."""

    def __init__(self, detection: Detection, picture: Decoded, stir: float = 0.0) -> None:
        self.stage = Stage.CANDIDATE
        self.group = group_of(detection.kind)
        self.first_ms = self.last_ms = picture.at_ms
        self.hits = 0
        self.moved = False
        self.missed_ms = 0
        self.score = self.score_now = 0.0
        self.trust = detection.score
        self.stir = 1.0  # the least share of its box that differed from the background, in all sights
        self.best_box = self.box = self.smooth = self._origin = self.anchor = detection.box
        self.anchor_ms = picture.at_ms
        self.best: Decoded | None = picture
        self.best_ms = picture.at_ms
        self._best_value = 0.0
        self._speed = (0.0, 0.0)  # of its centre, pictures per millisecond
        self._votes: defaultdict[ObjectClass, float] = defaultdict(float)
        self.see(detection, picture, stir)

    @property
    def kind(self) -> ObjectClass:
        """The class it was taken for most, weighted by score."""
        return max(self._votes, key=lambda kind: self._votes[kind])

    @property
    def trusted(self) -> bool:
        """Whether the detector is sure of it by and large, and not just once."""
        return self.trust >= (_TRUSTED_PERSON if self.kind is ObjectClass.PERSON else _TRUSTED)

    @property
    def shift(self) -> float:
        """How far it is now from where it was first seen, in sizes of its own."""
        return strides_apart(self._origin, self.box)

    def see(self, detection: Detection, picture: Decoded, stir: float = 0.0) -> bool:
        """One more detection of it; a share ``stir`` of its box differs from the background. Returns whether
        this is its new best still."""
        self.stir = min(self.stir, stir)
        self._learn_speed(detection.box, picture.at_ms)
        self.last_ms = picture.at_ms
        self.hits += 1
        self.box = detection.box
        self.score_now = detection.score
        self.trust += (detection.score - self.trust) * _TRUST_SHARE
        self.score = max(self.score, detection.score)
        self._votes[detection.kind] += detection.score
        self._follow(detection.box, picture.at_ms)
        return self._consider(detection, picture)

    def expected(self, at_ms: int) -> Box:
        """Where it should be by now, going on as it went."""
        elapsed = at_ms - self.last_ms
        across, down = self._speed[0] * elapsed, self._speed[1] * elapsed
        box = self.box
        return Box(box.left + across, box.top + down, box.right + across, box.bottom + down)

    def still_for(self, at_ms: int) -> int:
        """Milliseconds since it last moved."""
        return at_ms - self.anchor_ms

    def rest(self) -> None:
        """Its event is over, it stays: from now on only moving away counts."""
        self.stage = Stage.RESTING
        self.best = None
        self.moved = False
        self._origin = self.anchor = self.smooth

    def begin_again(self, picture: Decoded) -> None:
        """It moved after resting: a new event may begin."""
        self.stage = Stage.CANDIDATE
        self.first_ms = self.last_ms
        self.score = 0.0
        self._best_value = 0.0
        self.best, self.best_ms = picture, picture.at_ms

    def _learn_speed(self, box: Box, at_ms: int) -> None:
        elapsed = at_ms - self.last_ms
        if not 0 < elapsed < _SPEED_MS:
            return
        old = self.box
        now = (
            (box.left + box.right - old.left - old.right) / 2 / elapsed,
            (box.top + box.bottom - old.top - old.bottom) / 2 / elapsed,
        )
        share = _SMOOTH if self.hits > 2 else 1.0
        self._speed = (
            self._speed[0] + (now[0] - self._speed[0]) * share,
            self._speed[1] + (now[1] - self._speed[1]) * share,
        )

    def _follow(self, box: Box, at_ms: int) -> None:
        self.smooth = blend(self.smooth, box, _SMOOTH)
        if overlap(self.smooth, self.anchor) < _SAME_PLACE:
            self.anchor, self.anchor_ms = self.smooth, at_ms
        # The centre counts, not the size: something that passes in front hides a part of what stands.
        self.moved = self.moved or strides_apart(self._origin, self.smooth) > _STRIDE

    def _consider(self, detection: Detection, picture: Decoded) -> bool:
        if self.stage is Stage.RESTING:
            return False
        value = area(detection.box) * detection.score * (0.5 if touches_edge(detection.box) else 1.0)
        soon = self.hits > 1 and picture.at_ms - self.best_ms < _STILL_EVERY_MS
        if value <= self._best_value * (2.0 if soon else _BETTER_STILL):
            return False
        self._best_value = value
        self.best, self.best_ms, self.best_box = picture, picture.at_ms, detection.box
        return True
