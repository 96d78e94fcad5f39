"""Whether a recorded stream is kept now: its mode, its schedule, and what analysis sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from beholden.model.camera import CameraConfig, RecordingMode
from beholden.record.schedule import Schedule

# News of an event may come so much later than its first picture.
LATE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Seeing:
    """What analysis says of one camera.

    ``trouble`` says why it cannot be relied on ("" when it watches); ``well_ms`` is when it was last known
    to watch. ``start_ms`` is when the event that lasts, or the last one, began; ``end_ms`` when the last one
    ended (0: none is known).
    """

    lasting: bool = False
    start_ms: int = 0
    end_ms: int = 0
    trouble: str = ""
    well_ms: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to keep what comes. ``since_ms``: keep also what memory still has from then on. ``why`` is the
    gap's detail when nothing is kept; ``trouble`` tells a person why more is kept than asked for."""

    keep: bool
    since_ms: int = 0
    why: str = ""
    trouble: str = ""


class Latch:
    """One camera's rule, asked about once a second and at news. When in doubt, it keeps (recorder rule 1)."""

    def __init__(self, camera: CameraConfig, zone: tzinfo) -> None:
        self._until_ms = 0
        self.configure(camera, zone)

    def configure(self, camera: CameraConfig, zone: tzinfo) -> None:
        """The camera's settings and the site's zone, as they are now."""
        self._camera = camera
        self._schedule = Schedule(camera.windows, zone)

    @property
    def listens(self) -> bool:
        """Whether it ever depends on analysis."""
        camera = self._camera
        if camera.mode is RecordingMode.SCHEDULE:
            return any(window.mode is RecordingMode.EVENTS for window in camera.windows)
        return camera.mode is RecordingMode.EVENTS

    @property
    def prelude_seconds(self) -> float:
        """How far back memory must reach."""
        return self._camera.pre_seconds + LATE_SECONDS if self.listens else 0.0

    def judge(self, now_ms: int, live: bool, seeing: Seeing) -> Verdict:
        """Whether to keep now. ``live`` says whether pictures arrive at all."""
        mode: RecordingMode | None = self._camera.mode
        if mode is RecordingMode.SCHEDULE:
            mode = self._schedule.mode_at(now_ms)
        if mode is None:
            self._until_ms = 0
            return Verdict(False, why="Its schedule keeps nothing at this time.")
        if mode is RecordingMode.CONTINUOUS:
            return Verdict(True)
        return self._judge_events(now_ms, live, seeing)

    def _judge_events(self, now_ms: int, live: bool, seeing: Seeing) -> Verdict:
        pre_ms, post_ms = self._camera.pre_seconds * 1000, self._camera.post_seconds * 1000
        trouble = self._trouble(seeing)
        if not live:
            # Who cuts a cable is kept: memory goes to the disk, and analysis must first watch again.
            self._until_ms = now_ms + max(post_ms, LATE_SECONDS * 1000)
            return Verdict(True, trouble=trouble)
        if trouble:
            self._until_ms = now_ms + post_ms
            return Verdict(True, (seeing.well_ms or now_ms) - pre_ms, trouble=trouble)
        if seeing.lasting:
            self._until_ms = now_ms + post_ms
        elif seeing.end_ms:
            self._until_ms = max(self._until_ms, seeing.end_ms + post_ms)
        if seeing.lasting or now_ms < self._until_ms:
            return Verdict(True, seeing.start_ms - pre_ms)
        return Verdict(False, why="It records around events, and there was none.")

    def _trouble(self, seeing: Seeing) -> str:
        if self._camera.analyse == "off":
            return "This camera records on events, but its analysis is off: everything is kept."
        if seeing.trouble:
            return f"Everything is kept, because events may be missed. {seeing.trouble}"
        return ""
