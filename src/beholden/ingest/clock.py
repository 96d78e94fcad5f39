"""The map from RTP time to the site's wall clock.

``wall = offset + media``, in integers. The offset is anchored when the first picture arrives and then follows
the *earliest* arrivals (``arrival - media``), because a network and a 100 ms tick only ever delay. It follows
slowly, at keyframes, by at most 1000 parts per million, so that time never runs backwards and the drift of
any camera (20 ppm is normal, 500 is bad) is taken out. A jump is never smoothed over: see
``VideoClock.place``.
"""

from __future__ import annotations

from typing import Final

from beholden.model.time import TICKS_PER_SECOND

JUMP_TICKS: Final = TICKS_PER_SECOND  # a step of media time over this is a jump
BRIDGE_SLACK_TICKS: Final = TICKS_PER_SECOND * 12 // 100  # from arrivals, until the keyframe after a jump
LOST_TOUCH_TICKS: Final = 2 * TICKS_PER_SECOND  # so far from arrival, the map is wrong and is made anew
CORRECT_EVERY_TICKS: Final = 10 * TICKS_PER_SECOND
MOST_PPM: Final = 500
AUDIO_SLACK_MS: Final = 30  # sound so far from its picture on average is put right: people notice 45
AUDIO_JITTER_MS: Final = 60  # a single frame this far from its place is moved at once
REPORT_TRUST_MS: Final = 2_000  # sender reports that put sound further from its arrival are wrong

_SMOOTHED: Final = 16  # frames over which drift is measured
_WRAP: Final = 1 << 32
_HALF: Final = 1 << 31
_MASK: Final = _WRAP - 1
_FAR: Final = 1 << 80


def signed_step(stamp: int, before: int) -> int:
    """The distance between two 32-bit RTP timestamps, negative for backwards."""
    return ((stamp - before + _HALF) & _MASK) - _HALF


class VideoClock:
    """Places pictures. Units: 90 kHz ticks; ``stamp`` is the 32-bit RTP timestamp, results are ticks
    since the Unix epoch.

    ``bridging`` says that pictures are placed by their arrival until the next keyframe. ``unread`` is how
    long before ``arrival`` a picture may have arrived: the time since the read before.

    ``after_pts`` is the newest time already given for this stream (0: none). The first picture comes
    later than that, unless that would put it more than 2 s from its arrival (somebody set the clock back).
    """

    def __init__(self, after_pts: int = 0) -> None:
        self.jumped = False
        self.newest = after_pts
        self.offset = 0
        self.running = False
        self.unread = 0
        self._media = 0
        self._stamp = 0
        self._arrival = 0
        self._interval = 0
        self._earliest = _FAR
        self._corrected_at = 0
        self.bridging = False
        self._still_stamp = -1
        self._still = 0

    def media_of(self, stamp: int) -> int:
        """A timestamp near the newest picture's, unwrapped."""
        return self._media + signed_step(stamp, self._stamp)

    def place(self, stamp: int, key: bool, arrival: int) -> int:
        """The time of one picture, in decode order; sets ``jumped`` when it begins a new map.

        A step of media time over 1 s (or three of the usual intervals) that the arrivals do not confirm, or a
        keyframe that goes backwards, is a jump. A new map can begin only where a file can: at a keyframe.
        Pictures between a jump and the next keyframe are bridged on, one interval after the other, within
        120 ms of their arrivals.
        """
        if not self.running:
            return self._begin(stamp, arrival)
        step = ((stamp - self._stamp + _HALF) & _MASK) - _HALF
        if 0 < step <= JUMP_TICKS and not key:  # nearly all
            self._stamp, self._arrival, self._interval = stamp, arrival, step
            media = self._media = self._media + step
            if arrival - media < self._earliest:  # noqa: PLR1730 (this is the hot path)
                self._earliest = arrival - media
            pts = media + self.offset
            if pts > self.newest:  # noqa: PLR1730
                self.newest = pts
            return pts
        waited = arrival - self._arrival
        self._stamp = stamp
        self._arrival = arrival
        self._media += step
        limit = max(JUMP_TICKS, 3 * self._interval)
        if (
            (step == 0 and self._stands_still(stamp))
            or step > limit
            or step < -JUMP_TICKS
            or (key and step != 0 and self._media + self.offset <= self.newest)
        ):
            self._interval = step if step > 0 and abs(step - waited) <= JUMP_TICKS else self._interval
            return self._anchor(arrival) if key else self._bridge(waited, arrival)
        if step > 0:
            self._interval = step
        self._earliest = min(self._earliest, arrival - self._media)
        if key and (self.bridging or self._out_of_touch()):
            return self._anchor(arrival)
        pts = self._media + self.offset
        if step == 0:
            pts = self.newest + 1
        self.newest = max(self.newest, pts)
        return pts

    def _stands_still(self, stamp: int) -> bool:
        # Two pictures of one time may be the fields of one; more are a clock that stands.
        if stamp != self._still_stamp:
            self._still_stamp, self._still = stamp, 0
        self._still += 1
        return self._still > 2

    def _begin(self, stamp: int, arrival: int) -> int:
        self.running = True
        self._stamp = self._media = stamp
        self._arrival = arrival
        pts = self._anchor(arrival)
        self.jumped = False
        return pts

    def _anchor(self, arrival: int) -> int:
        pts, following = arrival, self.newest + self._interval
        if self._interval and arrival - self.unread <= following <= arrival:
            pts = following  # for all we know, nothing was left out
        elif pts <= self.newest < arrival + LOST_TOUCH_TICKS:
            pts = self.newest + 1
        self.offset = pts - self._media
        self.newest = pts
        self.jumped = True
        self.bridging = False
        self._earliest = _FAR
        self._corrected_at = self._media
        return pts

    def _bridge(self, waited: int, arrival: int) -> int:
        # Evenly, but never far from the arrivals: where the map begins anew there must be no hole.
        interval = self._interval or TICKS_PER_SECOND // 30
        late = arrival - self.newest - interval
        if waited > JUMP_TICKS:
            interval = waited
        elif late > BRIDGE_SLACK_TICKS + self.unread:
            interval += late - BRIDGE_SLACK_TICKS - self.unread
        elif late < -BRIDGE_SLACK_TICKS:
            interval = max(1, interval // 4)
        pts = self.newest + interval
        self.offset = pts - self._media
        self.newest = pts
        self.bridging = True
        return pts

    def _out_of_touch(self) -> bool:
        # At a keyframe: correct the offset if it is time; True if no correction can help.
        elapsed = self._media - self._corrected_at
        if elapsed < CORRECT_EVERY_TICKS:
            return False
        error = self._earliest - self.offset
        if abs(error) > LOST_TOUCH_TICKS:
            return True
        most = elapsed * MOST_PPM // 1_000_000
        corrected = self.offset + max(-most, min(most, error))
        self.offset = max(corrected, self.newest + 1 - self._media)
        self._earliest = _FAR
        self._corrected_at = self._media
        return False


class AudioClock:
    """Places audio frames on the video's wall clock. Units: samples at ``rate``; results are samples since
    the Unix epoch.

    With sender reports for both tracks, sound is put where the camera says it belongs beside the picture;
    without, where its earliest arrivals put it, followed by at most 500 parts per million. Frames follow one
    another exactly as long as they are within 30 ms of that place on average, and each within 60 ms; else a
    gap is left, or a frame that would overlap is dropped.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._running = self._anchored = False
        self._media = 0
        self._stamp = 0
        self._offset = 0
        self._earliest = _FAR
        self._checked_at = 0
        self._check_at = 0  # ten seconds later
        self._next = -1
        self._slack = AUDIO_SLACK_MS * rate // 1000
        self._jitter = AUDIO_JITTER_MS * rate // 1000
        self._drift = 0  # from where frames are to where they belong, smoothed
        self._link: tuple[int, int] | None = None  # (video media ticks, audio media samples) of one instant

    def restart(self) -> None:
        """The video's map began anew: forget where sound was."""
        self._anchored = False
        self._next = -1

    def media_of(self, stamp: int) -> int:
        """A timestamp near the newest frame's, unwrapped."""
        return self._media + signed_step(stamp, self._stamp)

    def link(self, video_media: int, audio_media: int) -> None:
        """This audio instant and this video instant are one."""
        self._link = (video_media, audio_media)

    def place(self, stamp: int, samples: int, arrival_ms: int, video: VideoClock, hole: bool) -> int | None:
        """The time of one frame; None when it must be dropped because it would overlap what is there."""
        arrival = arrival_ms * self.rate // 1000
        step = ((stamp - self._stamp + _HALF) & _MASK) - _HALF
        media = self._media + step
        if 0 < step <= self.rate and self._anchored and media < self._check_at:  # nearly all
            self._media, self._stamp = media, stamp
            if arrival - media < self._earliest:  # noqa: PLR1730 (this is the hot path)
                self._earliest = arrival - media
        else:
            self._advance(stamp, arrival)
        target = self._offset + self._media if self._link is None else self._target(arrival, video)
        expected = self._next
        near = target - expected
        self._drift += (near - self._drift) // _SMOOTHED
        slack, jitter = self._slack, self._jitter
        close = -jitter <= near <= jitter and -slack <= self._drift <= slack
        if expected >= 0 and close and not (hole and near > 0):
            pts = expected
        elif expected < 0 or near > 0:
            pts = target
            self._drift = 0
        else:
            self._drift += samples
            return None
        self._next = pts + samples
        return pts

    def _advance(self, stamp: int, arrival: int) -> None:
        step = signed_step(stamp, self._stamp) if self._running else stamp
        self._media += step
        self._stamp = stamp
        if abs(step) > self.rate:
            self._link = None
            self._anchored = False
        self._running = True
        early = arrival - self._media
        if not self._anchored:
            self._anchored = True
            self._offset = self._earliest = early
            self._note_check()
        elif early < self._earliest:
            self._earliest = early
        if self._media - self._checked_at > 10 * self.rate:
            error = self._earliest - self._offset
            most = (self._media - self._checked_at) * MOST_PPM // 1_000_000
            self._offset += error if abs(error) > self._jitter else max(-most, min(most, error))
            self._earliest = _FAR
            self._note_check()

    def _note_check(self) -> None:
        self._checked_at = self._media
        self._check_at = self._media + 10 * self.rate

    def _target(self, arrival: int, video: VideoClock) -> int:
        if self._link is not None:
            ticks, samples = self._link
            target = (ticks + video.offset) * self.rate // TICKS_PER_SECOND + self._media - samples
            if abs(target - arrival) <= REPORT_TRUST_MS * self.rate // 1000:
                return target
        return self._offset + self._media
