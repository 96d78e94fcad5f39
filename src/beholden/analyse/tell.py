"""The second half of seeing, for one camera: from detections to events (track, events)."""

from __future__ import annotations

from collections.abc import Sequence

from beholden.analyse.detect.crops import Crop, Size, plan, seen_in
from beholden.analyse.events import SPARSE_MS, EventChange, EventMaker
from beholden.analyse.mailbox import Look
from beholden.analyse.quarantine import Quarantine
from beholden.analyse.track import Tracker
from beholden.analyse.vain import Vain
from beholden.model.event import Box, Detection
from beholden.model.frame import TrackedFrame
from beholden.model.time import Clock

_CONFIRM_MS = 1000  # how often what stands still is looked at, to see whether it is still there
_MOST_FAILURES = 3
_MOST_CROPS = 3
_MOST_CLOSE_UPS = 6  # of a main stream's keyframe, one in a second or two
_WHOLE_MS = 2000  # how often the whole picture is shown while something moves


class Teller:
    """What is in view of one camera. All calls come from one thread."""

    def __init__(self, camera: int, clock: Clock) -> None:
        self._tracker = Tracker()
        self._events = EventMaker(camera)
        self._camera = camera
        self._looked_ms = 0
        self._whole_ms = 0
        self._told_ms = 0
        self._told_objects = False
        self._vain = Vain()
        self.quarantine = Quarantine(clock, _MOST_FAILURES)
        self.detector_ms = 0.0
        self.found: Sequence[Detection] = ()  # in the last picture the detector was shown

    @property
    def open_events(self) -> int:
        """How many events last now."""
        return self._events.open

    @property
    def watching(self) -> bool:
        """Whether something is in view that must not be lost sight of."""
        return self._events.watching

    def frame(self, look: Look, *, detected: bool) -> TrackedFrame | None:
        """What is in view, to be handed on: whenever the detector looked, about once a second while anything
        rests, and once when the last object has left."""
        at_ms = look.picture.at_ms
        objects = self._events.in_view(at_ms)
        due = detected or (at_ms - self._told_ms >= _CONFIRM_MS if objects else self._told_objects)
        if not due or (detected and not objects and not self._told_objects):
            return None
        if not objects and self._events.watching:
            return None  # out of sight, not gone yet
        self._told_ms, self._told_objects = at_ms, bool(objects)
        return TrackedFrame(self._camera, at_ms, objects)

    def wants(self, look: Look, least_ms: int = 0) -> bool:
        """Whether the detector should see this picture: something moved, nobody can say what moves, or
        something known needs to be confirmed; and the last look was ``least_ms`` ago. What moves where
        looking was in vain is looked at less often."""
        elapsed = look.picture.at_ms - self._looked_ms
        if self.quarantine.active or 0 <= elapsed < least_ms:
            return False
        if look.motion.settling:
            return True
        if look.motion.regions:
            wait = 0 if self._events.watching else self._vain.patience_ms(look.motion, look.picture.at_ms)
            return not 0 <= elapsed < wait
        return self._events.watching and not 0 <= elapsed < _CONFIRM_MS

    def crops(self, look: Look, shown: Size) -> list[Crop]:
        """What of the picture the detector is to be shown: where something moves or is followed, and now and
        then all of it."""
        at_ms, size = look.picture.at_ms, (look.picture.width, look.picture.height)
        whole = (
            look.motion.settling
            or look.interval_ms > SPARSE_MS
            or not 0 <= at_ms - self._whole_ms < _WHOLE_MS
        )
        boxes = [] if whole else self._lively(look)
        crops = plan(size, shown, boxes, _MOST_CROPS)
        if crops[0].area == size[0] * size[1]:
            self._whole_ms = at_ms
        return crops

    def close_ups(self, look: Look, size: Size, shown: Size) -> list[Crop]:
        """The same of the main stream's picture of that moment; none where nothing moves or is followed."""
        boxes = self._lively(look)
        crops = plan(size, shown, boxes, _MOST_CLOSE_UPS)
        return crops if boxes and crops[0].area < size[0] * size[1] else []

    def _lively(self, look: Look) -> list[Box]:
        """Where something moves or is followed."""
        return [*look.motion.regions, *self._events.followed(look.picture.at_ms)]

    def detected(
        self, look: Look, detections: Sequence[Detection], crops: Sequence[Crop] = ()
    ) -> list[EventChange]:
        """What the detector found in a picture it was shown, in whole or in these crops."""
        self._looked_ms, self.found = look.picture.at_ms, detections
        sparse = look.interval_ms > SPARSE_MS
        tracked = self._tracker.update(detections, look.picture.at_ms, sparse=sparse)
        self._vain.looked(look.motion, look.picture.at_ms, found=bool(tracked))
        size = look.picture.width, look.picture.height
        return self._events.update(
            tracked,
            look.picture,
            look.motion,
            look.interval_ms,
            lambda box: not crops or seen_in(crops, box, size),
        )

    def passed(self, look: Look) -> list[EventChange]:
        """A picture the detector was not shown."""
        return self._events.tick(look.picture.at_ms, look.interval_ms)

    def end(self) -> list[EventChange]:
        """The stream ended, jumped, or is not analysed any more."""
        self._tracker.forget()
        self._told_ms, self._told_objects = 0, False
        return self._events.close()
