"""Decoding and encoding single tracks with PyAV. Runs in worker processes, never in the web role itself."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from beholden.model.errors import BeholdenError
from beholden.model.media import StreamFormat, VideoFormat
from beholden.model.time import TICKS_PER_SECOND
from beholden.play.fragments import Run, Sample
from beholden.play.tracks import TrackDescription, tracks_of

TALLEST = 720
_TICK = Fraction(1, TICKS_PER_SECOND)
_DECODERS = {
    "avc1": "h264",
    "avc3": "h264",
    "hvc1": "hevc",
    "hev1": "hevc",
    "av01": "libdav1d",
    "mp4v": "mjpeg",  # the one kind of it that is recorded
}
_START_CODE = b"\x00\x00\x01"


class VideoDecoder:
    """One coded video track to pictures."""

    def __init__(self, track: TrackDescription, *, low_delay: bool = False) -> None:
        name = _DECODERS.get(track.coding)
        if name is None:
            raise _not_decodable(f"its video is of an unknown kind ({track.coding})")
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, av.VideoCodecContext)
        self._context = context
        if track.coding != "mp4v":
            self._context.extradata = track.config()
        self._context.thread_count = 1
        if low_delay:
            self._context.flags |= 1 << 19  # AV_CODEC_FLAG_LOW_DELAY

    def decode(self, data: bytes, time: int) -> list[av.VideoFrame]:
        """The pictures that are complete after this sample (presentation time in ticks)."""
        packet = av.Packet(data)
        packet.pts, packet.time_base = time, _TICK
        try:
            return list(self._context.decode(packet))
        except av.FFmpegError:
            return []  # a damaged picture is skipped, as players do; a GOP without any is told by the caller

    def rest(self) -> list[av.VideoFrame]:
        """The pictures still held back."""
        try:
            return list(self._context.decode(None))
        except av.FFmpegError:
            return []


def pictures_of(track: TrackDescription, run: Run) -> Iterator[av.VideoFrame]:
    """The pictures of a run that begins with a keyframe, with ``pts`` in ticks."""
    decoder, time = VideoDecoder(track), run.time
    for sample in run.samples:
        yield from decoder.decode(sample.data, time + sample.offset)
        time += sample.duration
    yield from decoder.rest()


def newest_picture(track: TrackDescription, run: Run, at: int) -> av.VideoFrame:
    """The picture shown at tick ``at``: the newest not after it, or the first when all are.

    BeholdenError ``not_decodable`` when none can be decoded.
    """
    newest: av.VideoFrame | None = None
    for frame in pictures_of(track, run):
        if newest is not None and frame.pts is not None and frame.pts > at:
            break
        newest = frame
    if newest is None:
        raise _not_decodable("no picture of it can be decoded")
    return newest


class H264Encoder:
    """Pictures to H.264 for browsers: fast, no reordering, a keyframe only at the start and on request."""

    def __init__(self, width: int, height: int, fps: int = 25) -> None:
        context = av.VideoCodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
        context.thread_count, context.gop_size = 1, 100_000
        context.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets go to the init segment
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": "23",
            "forced-idr": "1",
            # With pictures at uneven times x264 would hold each until the next one says how long it lasts.
            "x264-params": "scenecut=0:bframes=0:force-cfr=1",
        }
        context.open()
        self._context = context
        self._fps, self._count = fps, 0
        self._times: deque[int] = deque()  # of pictures that are in the encoder, which keeps their order
        self.format = VideoFormat("h264", width, height, _parameter_sets(bytes(context.extradata or b"")))

    def encode(self, frame: av.VideoFrame, time: int, *, key: bool = False) -> list[tuple[int, bool, bytes]]:
        """(time in ticks, keyframe, sample) of what is coded after this picture."""
        scaled = frame.reformat(self.format.width, self.format.height, "yuv420p")
        scaled.pts, scaled.time_base = self._count, Fraction(1, self._fps)
        self._count += 1
        scaled.pict_type = av.video.frame.PictureType.I if key else av.video.frame.PictureType.NONE
        self._times.append(time)
        return [self._sample(packet) for packet in self._context.encode(scaled)]

    def rest(self) -> list[tuple[int, bool, bytes]]:
        """What is still held back."""
        return [self._sample(packet) for packet in self._context.encode(None)]

    def _sample(self, packet: av.Packet[av.VideoStream]) -> tuple[int, bool, bytes]:
        return self._times.popleft(), bool(packet.is_keyframe), length_prefixed(bytes(packet))


def browser_size(width: int, height: int) -> tuple[int, int]:
    """Even width and height, at most 720 high, in proportion."""
    if height > TALLEST:
        width, height = round(width * TALLEST / height), TALLEST
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


@functools.lru_cache(maxsize=64)
def h264_track(width: int, height: int) -> TrackDescription:
    """The track that conversion of a video of this size makes; the same for every GOP."""
    return tracks_of(StreamFormat(H264Encoder(*browser_size(width, height)).format))[0]


def convert_video(track: TrackDescription, run: Run) -> Run:
    """A GOP as H.264 with the same times: same start, same end, keyframe first.

    BeholdenError ``not_decodable`` when no picture of it can be decoded.
    """
    encoder = H264Encoder(*browser_size(track.width, track.height))
    coded: list[tuple[int, bool, bytes]] = []
    latest = run.time - 1
    for frame in pictures_of(track, run):
        latest = max(latest + 1, int(frame.pts if frame.pts is not None else latest + 1))
        coded += encoder.encode(frame, latest)
    if latest >= run.time:
        coded += encoder.rest()
    if not coded:
        raise _not_decodable("no picture of it can be decoded")
    ends = [time for time, _, _ in coded[1:]] + [max(run.end, coded[-1][0] + 1)]
    samples = [Sample(data, end - time, key) for (time, key, data), end in zip(coded, ends, strict=True)]
    return Run(track.id, coded[0][0], samples)


def jpeg(frame: av.VideoFrame, tallest: int = 1080, quality: int = 4) -> bytes:
    """A picture as JPEG; ``quality`` is the quantiser, 2 (best) to 31."""
    width, height = frame.width, frame.height
    if height > tallest:
        width, height = round(width * tallest / height), tallest
    context = av.VideoCodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.flags |= 1 << 1  # AV_CODEC_FLAG_QSCALE
    context.global_quality = quality * 118  # FF_QP2LAMBDA
    scaled = frame.reformat(width, height, "yuvj420p", dst_color_range="JPEG")
    scaled.pts, scaled.time_base, scaled.pict_type = 0, Fraction(1, 25), av.video.frame.PictureType.NONE
    return b"".join(bytes(packet) for packet in [*context.encode(scaled), *context.encode(None)])


def length_prefixed(stream: bytes) -> bytes:
    """NAL units behind start codes (ITU-T H.264 Annex B) as MP4 stores them, parameter sets left out."""
    units = [unit for unit in split_annex_b(stream) if unit[0] & 31 not in (6, 7, 8, 9)]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def split_annex_b(stream: bytes) -> list[bytes]:
    """The NAL units between start codes."""
    units = []
    at = stream.find(_START_CODE)
    while at >= 0:
        following = stream.find(_START_CODE, at + 3)
        unit = stream[at + 3 : following if following >= 0 else len(stream)]
        if following >= 0:
            unit = unit.rstrip(b"\x00")  # the zero_byte before a four-byte start code
        if unit:
            units.append(unit)
        at = following
    return units


def blank(width: int, height: int, luma: int = 128) -> av.VideoFrame:
    """A plain picture, for tests and probes."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def _parameter_sets(extradata: bytes) -> tuple[bytes, ...]:
    return tuple(unit for unit in split_annex_b(extradata) if unit[0] & 31 in (7, 8))


def _not_decodable(why: str) -> BeholdenError:
    return BeholdenError(
        "not_decodable", f"This footage cannot be shown: {why}.", "Download it and try another player."
    )
