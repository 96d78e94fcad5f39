"""Sound and picture together after an hour of drift: measured on the file a person downloads.

A camera is played through the ingest clock, the fragment writer, the catalog and the download, faster than
life. Every picture and frame of sound carries the instant at which it was taken, so the file's own
timestamps, read by FFmpeg's demuxer, say by how much lips and voice are apart.
"""

from __future__ import annotations

import io
import random
import struct
from bisect import bisect_left

import av
import pytest
from tests.play.conftest import START_MS, Archive

from beholden.ingest.feed import Feed
from beholden.ingest.rtp.aac import make_config
from beholden.ingest.rtp.packet import SenderReport
from beholden.ingest.status import SourceStatus
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track
from beholden.model.time import TICKS_PER_MS
from beholden.play.mp4 import plan_span
from beholden.record.fmp4 import FragmentWriter, build_init

MOST_MS = 40.0
# Without sender reports nothing is known but when packets were read: on a tick of 100 ms.
MOST_WITHOUT_REPORTS_MS = 140.0
RATE, FRAME = 16_000, 1024
FPS = 5
NTP_UNIX = 2_208_988_800
SETS = (
    bytes.fromhex("6764001facd9405005bb011000000300100000030320f183196000"),
    bytes.fromhex("68ebe3cb22c0"),
)


class Camera:
    """A camera whose two clocks run wrong by parts per million, and whose packets are read every 100 ms."""

    def __init__(self, seconds: float, audio_ppm: float, video_ppm: float, reports: bool) -> None:
        self.seconds = seconds
        self.audio_rate = RATE * (1 + audio_ppm / 1e6)
        self.video_rate = 90_000 * (1 + video_ppm / 1e6)
        self.reports = reports
        self.chance = random.Random(1)

    def play(self, feed: Feed) -> None:
        """All of it, in order of arrival."""
        frames = int(self.seconds * self.audio_rate / FRAME)
        happenings = [(n / FPS, 0, n) for n in range(int(self.seconds * FPS))]
        happenings += [(n * FRAME / self.audio_rate, 1, n) for n in range(frames)]
        happenings += [(float(n), 2, n) for n in range(0, int(self.seconds), 5) if self.reports]
        happenings.sort()
        arrived = 0.0
        for at, kind, number in happenings:
            arrived = max(arrived, at + self.chance.uniform(0.002, 0.030))
            tick = -(-arrived // 0.1) * 0.1
            feed.arrival_ms = START_MS + round(tick * 1000)
            stamp = struct.pack(">Q", round(at * 1e6))
            if kind == 0:
                sample = struct.pack(">IB", 13, 0x65) + b"\x88\x84\x00\x00" + stamp
                feed.picture(self._video(at), number % FPS == 0, [sample], len(sample))
            elif kind == 1:
                feed.audio_frame((7 + number * FRAME) & 0xFFFFFFFF, b"\x21" + stamp, FRAME, False)
            else:
                ntp = round((START_MS / 1000 + at + NTP_UNIX) * 2**32)
                feed.sender_report(Track.VIDEO, SenderReport(1, ntp, self._video(at)))
                feed.sender_report(Track.AUDIO, SenderReport(2, ntp, 7 + round(at * self.audio_rate)))

    def _video(self, at: float) -> int:
        return (4_294_000_000 + round(at * self.video_rate)) & 0xFFFFFFFF


class Recorded:
    """A sink that writes files of a minute and indexes them, as a recorder does, without a thread."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.format: StreamFormat | None = None
        self.units: list[AccessUnit] = []

    def on_format(self, stream_format: StreamFormat) -> None:
        self.format = stream_format

    def on_discontinuity(self) -> None:
        raise AssertionError("drift is no jump")

    def on_access_unit(self, unit: AccessUnit) -> None:
        full = self.units and unit.pts - self.units[0].pts >= 60 * 90_000
        if unit.key and unit.track is Track.VIDEO and full:
            self.end(unit.pts)
        self.units.append(unit)

    def end(self, next_pts: int | None = None) -> None:
        """Write the file."""
        assert self.format is not None
        writer, parts, entries = FragmentWriter(), [], []
        video: list[AccessUnit] = []
        audio: list[AccessUnit] = []

        def close(following: int | None) -> None:
            made = writer.fragment(video, audio, following)
            parts.append(b"".join(made.parts))
            entries.append(made.entry)
            video.clear()
            audio.clear()

        for unit in self.units:
            if unit.track is Track.VIDEO and unit.key and video:
                close(unit.pts)
            (video if unit.track is Track.VIDEO else audio).append(unit)
        close(next_pts)
        self.archive.store(self.units[0].pts // TICKS_PER_MS, build_init(self.format), parts, entries)
        self.units = []


def apart_ms(data: bytes) -> list[float]:
    """For each frame of sound: how much later it is played than the picture of the same instant is shown."""
    with av.open(io.BytesIO(data)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        pictures: list[tuple[float, float]] = []
        sounds: list[tuple[float, float]] = []
        for packet in container.demux(video, audio):
            if packet.size:
                taken = struct.unpack(">Q", bytes(packet)[-8:])[0] / 1e6
                shown = float(packet.pts * packet.time_base)
                (pictures if packet.stream is video else sounds).append((taken, shown - taken))
    pictures.sort()
    found = []
    for taken, delay in sounds:
        at = min(bisect_left(pictures, (taken,)), len(pictures) - 1)
        found.append((delay - pictures[at][1]) * 1000)
    return found


DRIFTS = [
    (3600, 100, 0, True),
    (3600, 100, 0, False),
    (1800, -300, 50, True),
    (1800, 500, -500, True),
    (1800, -100, 20, False),
]


@pytest.mark.parametrize(("seconds", "audio_ppm", "video_ppm", "reports"), DRIFTS)
def test_sound_stays_with_the_picture(
    archive: Archive, seconds: int, audio_ppm: float, video_ppm: float, reports: bool
) -> None:
    """Within 40 ms from the first second to the last, by the camera's sender reports; no sound is lost but
    what the drift itself makes too much. Without reports drift does not add up either."""
    sink = Recorded(archive)
    audio = AudioFormat("aac", RATE, 1, make_config(RATE, 1))
    feed = Feed(sink, SourceStatus(), "h264", audio)
    feed.arrival_ms = START_MS
    feed.parameter_sets(SETS)
    Camera(seconds, audio_ppm, video_ppm, reports).play(feed)
    sink.end()
    span = plan_span(archive.footage, archive.camera, START_MS + 500, START_MS + seconds * 1000 - 500)
    assert span.gaps == 0
    assert abs(span.duration_ms - seconds * 1000) < 2000
    leave = type("Leave", (), {"require": lambda *_: None})()
    found = apart_ms(b"".join(span.pieces(leave)))
    assert len(found) == pytest.approx(seconds * RATE / FRAME, rel=0.002)
    worst, most = max(found, key=abs), MOST_MS if reports else MOST_WITHOUT_REPORTS_MS
    assert abs(worst) <= most, f"{worst:.1f} ms at worst; at the end {found[-1]:.1f}"
