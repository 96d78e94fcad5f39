"""The first half of seeing, for one camera: from coded pictures to looks (decode, motion)."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

import cv2
import structlog

from beholden.analyse.decode import Decoded, DecodeError, Decoder
from beholden.analyse.feed import Feed, Item, Lost
from beholden.analyse.hooks import Hooks
from beholden.analyse.motion import Motion, MotionDetector
from beholden.analyse.quarantine import Quarantine
from beholden.model.media import AccessUnit, VideoFormat
from beholden.model.time import Clock

log = structlog.get_logger()

INTERVAL_MS = 200  # five analysed pictures a second
_EARLY_MS = 20  # pictures do not come on the dot
_JUMP_MS = 10_000
_MOST_FAILURES = 25  # in a row: a second or two of undecodable pictures
_RATE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Look:
    """One picture worth looking at, what moved in it, and the time since the one analysed before."""

    picture: Decoded
    motion: Motion
    interval_ms: int


class Mailbox:
    """Room for one look between two threads: the newest wins, and an end is not lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._look: Look | None = None
        self._ended = False

    def put(self, look: Look) -> None:
        """Replace a look nobody has taken; what moved in that one still counts."""
        with self._lock:
            old = self._look
            if old is not None and old.motion.regions and not look.motion.regions:
                look = replace(look, motion=replace(look.motion, regions=old.motion.regions))
            self._look = look

    def end(self) -> None:
        """The stream ended or jumped in time: what was in view must be let go."""
        with self._lock:
            self._look, self._ended = None, True

    def take(self) -> tuple[bool, Look | None]:
        """(whether the stream ended before, the newest look or None)."""
        with self._lock:
            taken = self._ended, self._look
            self._look, self._ended = None, False
            return taken


class Watch:
    """Decodes one camera's stream and looks for motion. All calls but ``mode`` come from one thread."""

    def __init__(self, camera: int, mode: str, feed: Feed, clock: Clock, hooks: Hooks | None = None) -> None:
        self.camera = camera
        self._hooks = hooks or Hooks()
        self.mode = mode  # "always" | "keyframes"
        self.feed = feed
        self.mailbox = Mailbox()
        self.quarantine = Quarantine(clock, _MOST_FAILURES)
        self.motion_fraction = 0.0
        self.last_picture_ms = 0
        self.last_look_at = clock.monotonic()
        self._clock = clock
        self._decoder: Decoder | None = None
        self._motion = MotionDetector()
        self._need_key = True
        self._last_ms = 0
        self._due_ms = 0
        self._looks: deque[float] = deque(maxlen=100)

    @property
    def keyframes_only(self) -> bool:
        """As asked for, or because the CPU is short."""
        return self.mode == "keyframes" or self.feed.overloaded

    @property
    def fps(self) -> float:
        """Pictures analysed a second, of late."""
        since = self._clock.monotonic() - _RATE_SECONDS
        return sum(moment > since for moment in self._looks.copy()) / _RATE_SECONDS

    def step(self) -> bool:
        """Handle the next item of the feed; False when there is none."""
        item = self.feed.take()
        if item is None:
            return False
        self._handle(item)
        return True

    def _handle(self, item: Item) -> None:
        if isinstance(item, Lost):
            self._need_key = True
            if item.stream_ended:
                self._forget()
        elif isinstance(item, VideoFormat):
            self._open(item)
        elif not self.quarantine.active:
            self._handle_unit(item)

    def _open(self, video: VideoFormat) -> None:
        if self._decoder is not None and self._decoder.video == video:
            return
        self._forget()
        try:
            self._decoder = Decoder(video)
        except DecodeError as error:
            self._decoder = None
            self._failed(str(error))

    def _handle_unit(self, unit: AccessUnit) -> None:
        if self._decoder is None or (not unit.key and (self._need_key or self.keyframes_only)):
            self._need_key = True
            return
        decode = self._decoder.decode_keyframe if self.keyframes_only else self._decoder.decode
        try:
            pictures = decode(unit.data(), unit.pts)
            for picture in pictures:
                self._see(picture)
        except (DecodeError, cv2.error) as error:
            self._failed(str(error))
            return
        self._need_key = False
        if pictures:
            self.quarantine.succeeded()

    def _see(self, picture: Decoded) -> None:
        if not -1000 < picture.at_ms - self._last_ms < _JUMP_MS and self._last_ms:
            self._forget()
        self.last_picture_ms = picture.at_ms
        if picture.at_ms < self._due_ms - _EARLY_MS:
            return
        interval = picture.at_ms - self._last_ms if self._last_ms else INTERVAL_MS
        if interval <= 0:
            return
        self._last_ms = picture.at_ms
        self._due_ms = max(self._due_ms + INTERVAL_MS, picture.at_ms + INTERVAL_MS // 2)
        masked = self._hooks.masked(self.camera, picture)
        if masked is None:
            return
        picture = masked
        motion = self._motion.look(picture.luma(), picture.at_ms)
        self.motion_fraction = motion.fraction
        self._hooks.tell_motion(self.camera, picture.at_ms, motion)
        self.last_look_at = self._clock.monotonic()
        self._looks.append(self.last_look_at)
        self.mailbox.put(Look(picture, motion, interval))

    def _failed(self, reason: str) -> None:
        if self.quarantine.failed(reason):
            self._need_key = True
            self._forget()
            log.warning("analysis paused", camera=self.camera, cause=reason)

    def _forget(self) -> None:
        self._motion = MotionDetector()
        self._last_ms = self._due_ms = 0
        self.mailbox.end()
