"""Following objects from picture to picture by motion and overlap (ByteTrack). No appearance, ever.

A track's number is local to its camera and means nothing after the track has ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import supervision
from trackers import ByteTrackTracker
from trackers.core.bytetrack.tracklet import ByteTrackTracklet

from beholden.analyse.geometry import overlap
from beholden.analyse.likeness import Likeness, SteadyEstimator
from beholden.model.event import Detection, ObjectClass

# May go on with a track, not begin one. People are found surely; what is half taken for one often is none.
WEAKEST_PERSON_TO_FOLLOW, WEAKEST_TO_FOLLOW = 0.3, 0.2
WEAKEST_TO_BEGIN = 0.45
_LOST_SECONDS = 3.0
_FPS = 5.0

# Classes a detector confuses from one picture to the next are followed as one group.
_GROUPS = {
    ObjectClass.PERSON: 0,
    ObjectClass.CAR: 1,
    ObjectClass.BUS: 1,
    ObjectClass.TRUCK: 1,
    ObjectClass.BICYCLE: 2,
    ObjectClass.MOTORCYCLE: 2,
    ObjectClass.ANIMAL: 3,
    ObjectClass.BAG: 4,
}
_ONE_OBJECT = 0.6  # overlap of boxes of one group
_APART = 16.0  # groups are laid this many picture widths apart, so that boxes of two never overlap
_SCALE = 1000.0  # the filter's noise is tuned to pixels


def group_of(kind: ObjectClass) -> int:
    """Classes of one group may be the same object."""
    return _GROUPS[kind]


@dataclass(frozen=True, slots=True)
class Tracked:
    """A detection and the number of the track it belongs to."""

    track: int
    detection: Detection


class Tracker:
    """The tracks of one camera."""

    def __init__(self) -> None:
        self._inner = ByteTrackTracker(
            lost_track_buffer=round(_LOST_SECONDS * 30),  # counted in thirtieths of a second
            frame_rate=_FPS,
            track_activation_threshold=WEAKEST_TO_BEGIN,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=0.1,
            high_conf_det_threshold=WEAKEST_TO_BEGIN,  # these are matched first
            state_estimator_class=SteadyEstimator,
            iou=Likeness(),
        )
        self._last_ms: int | None = None
        self._alone = itertools.count(1)
        self._numbers = itertools.count(1)
        self._born: list[tuple[ByteTrackTracklet, int]] = []  # seen once, and what number each has
        self._number_of: dict[int, int] = {}  # by the number that the library gives at second sight

    @property
    def active(self) -> bool:
        """Whether anything is being followed, or may be."""
        return bool(self._inner.tracks)

    def update(self, detections: Sequence[Detection], at_ms: int, *, sparse: bool = False) -> list[Tracked]:
        """Detections of the next picture, with tracks; those without one are left out. A track has its number
        from its first detection on, and is forgotten when the next picture does not show it again.

        Time that steps back (a camera's clock was set) forgets all tracks. ``sparse`` pictures (keyframes
        only) are too far apart to follow anything: each sure detection gets a number of its own.
        """
        if sparse:
            self.forget()
            return [
                Tracked(-next(self._alone), item) for item in detections if item.score >= WEAKEST_TO_BEGIN
            ]
        if self._last_ms is not None and at_ms <= self._last_ms:
            self.forget()
        self._last_ms = at_ms
        strong = merged([item for item in detections if item.score >= _weakest(item.kind)])
        found = self._inner.update(_packed(strong), timestamp=at_ms / 1000)
        if found.tracker_id is None:
            return []
        indices = np.asarray(found.data.get("index", ()), np.int64).tolist()
        pairs = [
            (track, strong[index]) for track, index in zip(found.tracker_id.tolist(), indices, strict=True)
        ]
        self._name()
        followed = [Tracked(self._number_of[track], item) for track, item in pairs if track >= 0]
        return followed + self._begin([item for track, item in pairs if track < 0])

    def _name(self) -> None:
        """Let what was seen again keep the number of its first sight."""
        for track, number in self._born:
            if track.tracker_id >= 0:
                self._number_of[track.tracker_id] = number
        alive = self._inner.tracks
        self._born = [
            (track, number) for track, number in self._born if track in alive and track.tracker_id < 0
        ]
        known = self._number_of
        self._number_of = {
            each.tracker_id: known.get(each.tracker_id) or next(self._numbers)
            for each in alive
            if each.tracker_id >= 0
        }

    def _begin(self, unfollowed: Sequence[Detection]) -> list[Tracked]:
        """Number what the library follows from now on: it says so only at second sight."""
        known = [track for track, _ in self._born]
        fresh = [track for track in self._inner.tracks if track.tracker_id < 0 and track not in known]
        begun = [item for item in unfollowed if item.score >= WEAKEST_TO_BEGIN]
        tracked = [Tracked(next(self._numbers), item) for item in begun]
        # As many of each; were it ever not so, a track would have another number at second sight, no more.
        self._born += [(track, item.track) for track, item in zip(fresh, tracked, strict=False)]
        return tracked

    def forget(self) -> None:
        """Drop all tracks."""
        self._inner.reset()
        self._born.clear()
        self._number_of.clear()
        self._last_ms = None


def _weakest(kind: ObjectClass) -> float:
    return WEAKEST_PERSON_TO_FOLLOW if kind is ObjectClass.PERSON else WEAKEST_TO_FOLLOW


def merged(detections: Sequence[Detection]) -> list[Detection]:
    """One detection for each object, best first.

    A detector often takes one vehicle for a car and a truck at once and is half sure of each. They are
    one object, and that there is some vehicle is surer than each: 1 - (1 - a)(1 - b). The class stays the
    surest one's.
    """
    found: list[Detection] = []
    for item in sorted(detections, key=lambda each: -each.score):
        place = next((i for i, other in enumerate(found) if _same(item, other)), None)
        if place is None:
            found.append(item)
        elif found[place].kind is not item.kind:
            surer = 1 - (1 - found[place].score) * (1 - item.score)
            found[place] = replace(found[place], score=surer)
    return found


def _same(first: Detection, second: Detection) -> bool:
    return group_of(first.kind) == group_of(second.kind) and overlap(first.box, second.box) > _ONE_OBJECT


def _packed(detections: Sequence[Detection]) -> supervision.Detections:
    boxes = np.array([_laid_out(item) for item in detections], np.float64).reshape(-1, 4)
    return supervision.Detections(
        xyxy=boxes,
        confidence=np.array([item.score for item in detections], np.float64),
        class_id=np.zeros(len(detections), np.int64),
        data={"index": np.arange(len(detections))},
    )


def _laid_out(item: Detection) -> tuple[float, float, float, float]:
    box, shift = item.box, group_of(item.kind) * _APART
    return (
        (box.left + shift) * _SCALE,
        box.top * _SCALE,
        (box.right + shift) * _SCALE,
        box.bottom * _SCALE,
    )
