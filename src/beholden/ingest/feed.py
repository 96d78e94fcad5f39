"""From depacketised pictures and frames to the sink: format first, times on the wall, counters kept.

Nothing is handed over before the first keyframe whose parameter sets are known; sound waits for it too.
"""

from __future__ import annotations

from typing import Final

from beholden.ingest.clock import AudioClock, VideoClock
from beholden.ingest.nal import NalError
from beholden.ingest.picture_format import picture_format
from beholden.ingest.rtp.packet import SenderReport
from beholden.ingest.status import SourceStatus
from beholden.model.media import (
    AccessUnit,
    AudioFormat,
    StreamFormat,
    StreamSink,
    Track,
    VideoCodec,
    VideoFormat,
)
from beholden.model.time import TICKS_PER_MS, TICKS_PER_SECOND

_PICTURE: Final = Track.VIDEO
_SOUND: Final = Track.AUDIO
_NTP_UNIX_SECONDS: Final = 2_208_988_800  # from 1900 to 1970


class Feed:
    """Delivers one pull's media. Set ``arrival_ms`` before handing over what one read brought."""

    def __init__(
        self,
        sink: StreamSink,
        status: SourceStatus,
        codec: VideoCodec,
        audio: AudioFormat | None,
        after_pts: int = 0,
    ) -> None:
        self.arrival_ms = 0
        self._sink = sink
        self._hand_over = sink.on_access_unit
        self._status = status
        self._codec: VideoCodec = codec
        self._audio = audio
        self._clock = VideoClock(after_pts)
        self._audio_clock = AudioClock(audio.rate) if audio else None
        self._resuming = after_pts > 0
        self._video: VideoFormat | None = None
        self._new_format = False
        self._started = False
        self._key_pts = 0
        self._gop_pictures = 0
        self._gop_bytes = 0
        self._reports: dict[Track, SenderReport] = {}

    def parameter_sets(self, sets: tuple[bytes, ...]) -> None:
        """The camera's parameter sets, from its description or in band; garbage is passed over."""
        try:
            video = picture_format(self._codec, sets)
        except NalError:
            return
        if video != self._video:
            self._video = video
            self._new_format = True

    def without_audio(self) -> None:
        """The camera offered sound but does not send it after all."""
        self._audio = self._audio_clock = None

    def picture(self, stamp: int, key: bool, parts: list[bytes], size: int) -> None:
        """One picture, in decode order. ``stamp`` is its RTP timestamp."""
        if key:
            if self._video is None:
                return
        elif not self._started:
            return
        clock, arrival_ms = self._clock, self.arrival_ms
        pts = clock.place(stamp, key, arrival_ms * TICKS_PER_MS)
        if key:
            self._begin_gop(pts)
        status = self._status
        status.pictures += 1
        status.last_unit_ms = arrival_ms
        status.newest_pts = clock.newest
        self._gop_pictures += 1
        self._gop_bytes += size
        self._hand_over(AccessUnit(_PICTURE, pts, key, parts, size, arrival_ms))

    def audio_frame(self, stamp: int, frame: bytes, samples: int, hole: bool) -> None:
        """One audio frame. ``stamp`` is its RTP timestamp, ``samples`` its exact duration."""
        clock = self._audio_clock
        if clock is None or not self._started:
            return
        pts = clock.place(stamp, samples, self.arrival_ms, self._clock, hole)
        if pts is not None:
            size = len(frame)
            self._gop_bytes += size
            self._hand_over(AccessUnit(_SOUND, pts, True, (frame,), size, self.arrival_ms, samples))

    def read_after(self, seconds: float) -> None:
        """What comes now arrived within so many seconds before ``arrival_ms``: since the read before."""
        self._clock.unread = round(seconds * TICKS_PER_SECOND)

    @property
    def bridging(self) -> bool:
        """Whether pictures are placed by their arrival until the next keyframe."""
        return self._clock.bridging

    def sender_report(self, track: Track, report: SenderReport) -> None:
        """What the camera's clock said at an RTP timestamp."""
        self._reports[track] = report
        if track is Track.VIDEO:
            camera_ms = (report.ntp * 1000 >> 32) - _NTP_UNIX_SECONDS * 1000
            self._status.clock_offset_ms = camera_ms - self.arrival_ms
        video, audio = self._reports.get(Track.VIDEO), self._reports.get(Track.AUDIO)
        if video and audio and self._audio_clock and self._started:
            since_video = (audio.ntp - video.ntp) * TICKS_PER_SECOND >> 32
            self._audio_clock.link(
                self._clock.media_of(video.timestamp) + since_video,
                self._audio_clock.media_of(audio.timestamp),
            )

    def _begin_gop(self, pts: int) -> None:
        jumped = self._clock.jumped or (self._resuming and not self._started)
        self._clock.jumped = False
        if jumped:
            self._sink.on_discontinuity()
            if self._audio_clock:
                self._audio_clock.restart()
        elif self._started:
            self._measure(pts - self._key_pts)
        if self._new_format and self._video is not None:
            self._new_format = False
            self._status.format = StreamFormat(self._video, self._audio)
            self._sink.on_format(self._status.format)
        self._started = True
        self._key_pts = pts
        self._gop_pictures = self._gop_bytes = 0

    def _measure(self, gop_ticks: int) -> None:
        if gop_ticks > 0:
            seconds = gop_ticks / TICKS_PER_SECOND
            self._status.gop_seconds = round(seconds, 3)
            self._status.fps = round(self._gop_pictures / seconds, 2)
            self._status.kbps = round(self._gop_bytes * 8 / seconds / 1000, 1)
