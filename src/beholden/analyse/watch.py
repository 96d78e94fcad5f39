"""The first half of seeing, for one camera: from coded pictures to looks (decode, motion).

A camera in mode "balanced" is quiet while nothing happens: only its keyframes are decoded, and the coded
pictures in between are kept. When a keyframe differs from the background, what was kept since the one before
is decoded after all, and every picture from then on until it is quiet again.
"""

from __future__ import annotations

import contextlib
from collections import deque

import cv2
import structlog

from beholden.analyse.decode import Decoded, DecodeError, Decoder
from beholden.analyse.feed import Feed, Item, Lost
from beholden.analyse.gop import LONGEST_MS, Gop, UsualRate
from beholden.analyse.hooks import Hooks
from beholden.analyse.mailbox import Backlog, Look, Mailbox
from beholden.analyse.motion import Motion, MotionDetector
from beholden.analyse.note import DecodingNote
from beholden.analyse.quarantine import Quarantine
from beholden.model.media import AccessUnit, VideoFormat
from beholden.model.time import Clock, ticks_to_ms

log = structlog.get_logger()

INTERVAL_MS = 200  # five analysed pictures a second
_EARLY_MS = 20  # pictures do not come on the dot
_JUMP_MS = 10_000
_MOST_FAILURES = 25  # in a row: a second or two of undecodable pictures
_RATE_SECONDS = 5.0
_CALM_MS = 4000  # without motion: quiet again
_PROBE_MS = 60_000  # how often a quiet GOP is decoded for no reason at all


class Watch:
    """Decodes one camera's stream and looks for motion. All calls but ``mode`` and ``busy`` come from one
    thread."""

    def __init__(
        self,
        camera: int,
        mode: str,
        feed: Feed,
        clock: Clock,
        hooks: Hooks | None = None,
        backlog: Backlog | None = None,
        note: DecodingNote | None = None,
    ) -> None:
        self.camera = camera
        self._hooks = hooks or Hooks()
        self._note = note
        self.mode = mode  # "balanced" | "always" | "keyframes"
        self.feed = feed
        self.mailbox = Mailbox(clock, backlog or Backlog())
        self.busy = False  # something is in view that must not be lost sight of
        self.quiet = False
        self.why_full = ""  # why a balanced camera's pictures are all decoded
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
        self._moved_ms = 0
        self._looks: deque[float] = deque(maxlen=100)
        self._gop: Gop | None = None
        self._usual = UsualRate()
        self._probe_ms = 0
        self._guessed = False  # whether the last GOP looked into had stood out by its size
        self._replay: deque[AccessUnit] = deque()
        self._key_ms = 0

    @property
    def keyframes_only(self) -> bool:
        """As asked for, or because the CPU is short."""
        return self.mode == "keyframes" or self.feed.overloaded

    @property
    def fps(self) -> float:
        """Pictures analysed a second, of late."""
        since = self._clock.monotonic() - _RATE_SECONDS
        return sum(moment > since for moment in self._looks.copy()) / _RATE_SECONDS

    @property
    def due(self) -> bool:
        """Whether there is something to be handled at once."""
        return self.feed.urgent or bool(self._replay)

    def step(self) -> bool:
        """Handle the next picture of a replayed GOP, or the next item of the feed; False without one."""
        if self._replay:
            self._handle_unit(self._replay.popleft(), in_line=True)
            return True
        item = self.feed.take()
        if item is None:
            return False
        self._handle(item)
        return True

    def _handle(self, item: Item) -> None:
        if isinstance(item, Lost):
            self._need_key = True
            self._rouse("")
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

    def _handle_unit(self, unit: AccessUnit, *, in_line: bool = False) -> None:
        if self._decoder is None or (not unit.key and (self._need_key or self.keyframes_only)):
            self._need_key = True
            return
        try:
            if not in_line:
                self._settle(unit)
            with self._note.decoding(self.camera) if self._note else contextlib.nullcontext():
                pictures = self._decode(self._decoder, unit, in_line=in_line)
        except (DecodeError, cv2.error) as error:
            self._rouse("")
            self._failed(str(error))
            return
        self._need_key = False
        if pictures:
            self.quarantine.succeeded()

    def _decode(self, decoder: Decoder, unit: AccessUnit, *, in_line: bool) -> int:
        """Decode as the state says; how many pictures came of it."""
        if self.quiet and not self.keyframes_only:
            return self._wait_and_see(decoder, unit)
        decode = decoder.decode_keyframe if self.keyframes_only else decoder.decode
        pictures = decode(unit.data(), unit.pts)
        for picture in pictures:
            self._see(picture, in_line=in_line)
        return len(pictures)

    def _settle(self, unit: AccessUnit) -> None:
        """Become quiet at a keyframe when nothing has moved for a while and nothing is in view."""
        if not unit.key:
            return
        at_ms = ticks_to_ms(unit.pts)
        first, often = not self._key_ms, 0 < at_ms - self._key_ms <= LONGEST_MS
        self._key_ms = at_ms
        if self.mode != "balanced" or self.keyframes_only:
            self._rouse("")
        elif not often:
            self._rouse("" if first else "its keyframes come too rarely to wait for them")
        elif not self.quiet and not self.busy and not self._replay and at_ms - self._moved_ms >= _CALM_MS:
            self.quiet = self.feed.patient = True
            self.why_full = ""
            self._gop = None
            self._probe_ms = self._probe_ms or at_ms + _first_probe_ms(self.camera)

    def _wait_and_see(self, decoder: Decoder, unit: AccessUnit) -> int:
        """A quiet camera's next unit: keep it, or compare a keyframe with the background."""
        if not unit.key:
            if self._gop is not None and not self._gop.add(unit):
                self._wake(self._gop, [unit], "its keyframes come too rarely to wait for them")
            return 0
        before, self._gop = self._gop, Gop(unit)
        pictures = decoder.glance(unit.data(), unit.pts)
        for picture in pictures:
            masked = self._hooks.masked(self.camera, picture)
            if masked is None:
                continue
            trial = self._motion.copy()
            motion = trial.look(masked.luma(), masked.at_ms)
            if motion.regions or motion.settling or self._looked_into(decoder, before, unit):
                self._wake(before, [unit], "something moves")
                break
            self._motion = trial
            self._pass_on(masked, motion, in_line=False)
        return len(pictures)

    def _looked_into(self, decoder: Decoder, before: Gop | None, unit: AccessUnit) -> bool:
        """Whether there was reason to decode the GOP before, and something moves in it."""
        return before is not None and self._suspicious(before, unit) and self._moves_in(decoder, before)

    def _suspicious(self, before: Gop, unit: AccessUnit) -> bool:
        at_ms = ticks_to_ms(unit.pts)
        self._guessed = self._usual.stands_out(before)
        if not self._guessed and at_ms < self._probe_ms:
            return False
        self._probe_ms = at_ms + _PROBE_MS
        return True

    def _moves_in(self, decoder: Decoder, gop: Gop) -> bool:
        """Decode a whole GOP to see whether something moves in it."""
        trial, due_ms, moves = self._motion.copy(), 0, False
        for unit in gop.units:
            for picture in decoder.decode(unit.data(), unit.pts):
                if picture.at_ms < due_ms - _EARLY_MS or moves:
                    continue
                due_ms = picture.at_ms + INTERVAL_MS
                masked = self._hooks.masked(self.camera, picture)
                moves = masked is not None and bool(
                    trial.look(masked.luma(), masked.at_ms, self._hooks.ignored(self.camera)).regions
                )
            if moves:
                break
        decoder.reset()
        if self._guessed:
            self._usual.judged(right=moves)
        return moves

    def _wake(self, before: Gop | None, after: list[AccessUnit], why: str) -> None:
        """From the keyframe before on, decode everything."""
        self._rouse(why)
        self._moved_ms = ticks_to_ms(after[-1].pts)
        self._replay.extend([*(before.units if before is not None else []), *after])

    def _rouse(self, why: str) -> None:
        self.quiet = self.feed.patient = False
        self.why_full = why
        self._gop = None

    def _see(self, picture: Decoded, *, in_line: bool) -> None:
        if not -1000 < picture.at_ms - self._last_ms < _JUMP_MS and self._last_ms:
            self._forget()
        self.last_picture_ms = picture.at_ms
        if picture.at_ms < self._due_ms - _EARLY_MS:
            return
        masked = self._hooks.masked(self.camera, picture)
        if masked is not None and picture.at_ms > self._last_ms:
            self._pass_on(masked, self._motion.look(masked.luma(), picture.at_ms), in_line=in_line)

    def _pass_on(self, picture: Decoded, motion: Motion, *, in_line: bool) -> None:
        at_ms = picture.at_ms
        interval = at_ms - self._last_ms if self._last_ms else INTERVAL_MS
        self._last_ms = self.last_picture_ms = at_ms
        self._due_ms = max(self._due_ms + INTERVAL_MS, at_ms + INTERVAL_MS // 2)
        if motion.regions or motion.settling:
            self._moved_ms = at_ms
        self.motion_fraction = motion.fraction
        self._hooks.tell_motion(self.camera, picture, motion)
        self.last_look_at = self._clock.monotonic()
        self._looks.append(self.last_look_at)
        self.mailbox.put(Look(picture, motion, interval), in_line=in_line)

    def _failed(self, reason: str) -> None:
        if self.quarantine.failed(reason):
            self._need_key = True
            self._forget()
            log.warning("analysis paused", camera=self.camera, cause=reason)

    def _forget(self) -> None:
        self._motion = MotionDetector()
        self._last_ms = self._due_ms = self._moved_ms = self._probe_ms = self._key_ms = 0
        self._replay.clear()
        self._rouse("")
        self._usual = UsualRate()
        self.mailbox.end()


def _first_probe_ms(camera: int) -> int:
    """Cameras become quiet together when watching begins; their probes are spread over half a minute."""
    return _PROBE_MS + camera * 7 % 30 * 1000
