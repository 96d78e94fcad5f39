"""The fallback: a Source through PyAV (FFmpeg) in a thread, for servers our own client cannot talk to.

Imported only when such a camera is there; the one file of this room that may import ``av``.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import av
import av.error

from beholden.ingest import refusal
from beholden.ingest.feed import Feed
from beholden.ingest.rtp import jpeg
from beholden.ingest.source import SourceError
from beholden.ingest.status import SourceStatus
from beholden.model import av1
from beholden.model.camera import StreamAddress
from beholden.model.media import AudioCodec, AudioFormat, StreamSink, VideoCodec
from beholden.model.time import TICKS_PER_SECOND, Clock

_VIDEO: dict[str, VideoCodec] = {
    "h264": "h264",
    "hevc": "h265",
    "libdav1d": "av1",
    "av1": "av1",
    "mjpeg": "mjpeg",
}
_AUDIO: dict[str, AudioCodec] = {
    "aac": "aac",
    "pcm_mulaw": "pcmu",
    "pcm_alaw": "pcma",
    "opus": "opus",
    "pcm_s16be": "l16",
}
_TIMEOUT_SECONDS = 10.0
_MAX_QUEUED_BYTES = 32 << 20


@dataclass(slots=True)
class _Packet:
    video: bool
    stamp: int | None  # in 90 kHz ticks or samples
    key: bool
    data: bytes
    samples: int


@dataclass(slots=True)
class _Tracks:
    codec: VideoCodec
    extradata: bytes
    audio: AudioFormat | None
    interval: int  # usual ticks from one picture to the next


class _Reader(threading.Thread):
    """Demuxes into a bounded queue and wakes the loop through a pipe."""

    def __init__(self, url: str, verify: bool) -> None:
        super().__init__(name="pyav", daemon=True)
        self._url = url
        self._verify = "1" if verify else "0"
        self.queue: deque[_Tracks | _Packet | SourceError] = deque()
        self.queued = 0
        self.stop = threading.Event()
        self.wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._skipping = False

    def run(self) -> None:
        try:
            self._demux()
        except av.error.HTTPUnauthorizedError:
            self._put(refusal.login_refused())
        except (av.error.InvalidDataError, av.error.DecoderNotFoundError, av.error.DemuxerNotFoundError):
            self._put(refusal.not_rtsp(b""))
        except (av.error.FFmpegError, OSError):
            # The error's own text names the URL with its password: it is not repeated.
            self._put(refusal.closed(False, False))
        else:
            self._put(refusal.closed(True, True))
        finally:
            os.close(self._wake_write)

    def _demux(self) -> None:
        options = {
            "rtsp_flags": "prefer_tcp",
            "tls_verify": self._verify,
            "allowed_media_types": "video+audio",
        }
        timeout = (_TIMEOUT_SECONDS, _TIMEOUT_SECONDS)
        with av.open(self._url, options=options, timeout=timeout) as container:
            video = next((one for one in container.streams.video if one.codec_context.name in _VIDEO), None)
            if video is None:
                found = refusal.no_video([one.codec_context.name.upper() for one in container.streams.video])
                self._put(found)
                return
            audio = next((one for one in container.streams.audio if one.codec_context.name in _AUDIO), None)
            self._put(
                _Tracks(
                    _VIDEO[video.codec_context.name],
                    bytes(video.codec_context.extradata or b""),
                    _format(audio),
                    round(TICKS_PER_SECOND / (video.average_rate or video.guessed_rate or 25)),
                )
            )
            for packet in container.demux([one for one in (video, audio) if one is not None]):
                # A closed camera yields an empty packet, not an exception.
                if self.stop.is_set() or not packet.size:
                    return
                self._offer(_take(packet, packet.stream_index == video.index))

    def _offer(self, packet: _Packet) -> None:
        # A loop that does not come round costs whole GOPs, never memory without bound.
        if self._skipping and packet.video and packet.key and self.queued < _MAX_QUEUED_BYTES // 2:
            self._skipping = False
        if self.queued > _MAX_QUEUED_BYTES:
            self._skipping = True
        if not self._skipping:
            self._put(packet)

    def _put(self, item: _Tracks | _Packet | SourceError) -> None:
        self.queue.append(item)
        if isinstance(item, _Packet):
            self.queued += len(item.data)
        try:
            os.write(self._wake_write, b"\0")
        except (BlockingIOError, BrokenPipeError):
            return


class PyAvSource:
    """One pull through PyAV. See ``source.Source`` for the contract."""

    def __init__(self, address: StreamAddress, sink: StreamSink, clock: Clock, *, after_pts: int = 0) -> None:
        self.status = SourceStatus(transport="pyav")
        self._address = address
        self._sink = sink
        self._clock = clock
        self._after_pts = after_pts
        self._reader: _Reader | None = None
        self._feed: Feed | None = None
        self._codec: VideoCodec = "h264"
        self._length_size = 0
        self._interval = 0
        self._held: list[_Packet] = []
        self._sets: dict[int, bytes] = {}

    def poll(self, now: float) -> None:  # noqa: ARG002 (the contract; FFmpeg keeps its own time)
        if self._reader is None:
            certificate = self._address.certificate
            if self._address.url.startswith("rtsps:") and certificate not in ("verify", "any"):
                raise refusal.pin_not_checked()
            self._reader = _Reader(_with_login(self._address), certificate != "any")
            self._reader.start()
        reader = self._reader
        _drain(reader.wake_read)
        if self._feed is not None:
            self._feed.arrival_ms = self._clock.now_ms()
        while reader.queue:
            item = reader.queue.popleft()
            if isinstance(item, SourceError):
                raise item
            if isinstance(item, _Tracks):
                self._begin(item)
            else:
                reader.queued -= len(item.data)
                self._deliver(item)

    def fileno(self) -> int | None:
        return self._reader.wake_read if self._reader is not None else None

    def wants_write(self) -> bool:
        return False

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop.set()  # it ends with its next packet or timeout; nobody waits for it
            os.close(reader.wake_read)

    def _begin(self, tracks: _Tracks) -> None:
        self.status.connected = self.status.playing = True
        self._codec = tracks.codec
        self._interval = tracks.interval
        self._feed = Feed(self._sink, self.status, tracks.codec, tracks.audio, self._after_pts)
        self._feed.arrival_ms = self._clock.now_ms()
        if tracks.codec in ("av1", "mjpeg"):
            return  # every keyframe carries all there is to know
        # The extradata says how NAL units are framed; the packets are never sniffed.
        if tracks.extradata[:1] == b"\x01":
            self._length_size = (tracks.extradata[4 if tracks.codec == "h264" else 21] & 3) + 1
            sets = _avcc_sets(tracks.extradata) if tracks.codec == "h264" else _hvcc_sets(tracks.extradata)
        else:
            sets = _split_annex_b(tracks.extradata)
        for nal in sets:
            self._parameter_set(nal)

    def _deliver(self, packet: _Packet) -> None:
        feed = self._feed
        assert feed is not None
        self.status.packets += 1
        self.status.bytes += len(packet.data)
        if not packet.video:
            if packet.stamp is not None and packet.samples > 0:
                feed.audio_frame(packet.stamp & 0xFFFFFFFF, packet.data, packet.samples, False)
            return
        # The first packet has no time of its own and is the first keyframe: it is held until the next tells.
        if packet.stamp is None:
            if len(self._held) < 64:
                self._held.append(packet)
            return
        for place, held in enumerate(self._held):
            self._picture(held, packet.stamp - (len(self._held) - place) * self._interval)
        self._held.clear()
        self._picture(packet, packet.stamp)

    def _picture(self, packet: _Packet, stamp: int) -> None:
        feed = self._feed
        assert feed is not None
        if self._codec in ("av1", "mjpeg"):
            sets, sample = (_av1_sample if self._codec == "av1" else _jpeg_sample)(packet.data)
            if sets:
                feed.parameter_sets(sets)
            feed.picture(stamp & 0xFFFFFFFF, packet.key, [sample], len(sample))
            return
        nals = (
            _split_lengths(packet.data, self._length_size)
            if self._length_size
            else _split_annex_b(packet.data)
        )
        parts: list[bytes] = []
        for nal in nals:
            if self._is_kept(nal):
                parts += (len(nal).to_bytes(4, "big"), nal)
            else:
                self._parameter_set(nal)
        if parts:
            feed.picture(stamp & 0xFFFFFFFF, packet.key, parts, sum(map(len, parts)))

    def _is_kept(self, nal: bytes) -> bool:
        if self._codec == "h264":
            return 1 <= nal[0] & 31 <= 6
        return nal[0] >> 1 & 63 <= 31 or nal[0] >> 1 & 63 in (39, 40)

    def _parameter_set(self, nal: bytes) -> None:
        kind = nal[0] & 31 if self._codec == "h264" else nal[0] >> 1 & 63
        wanted = (7, 8) if self._codec == "h264" else (32, 33, 34)
        if kind in wanted and self._sets.get(kind) != nal:
            self._sets[kind] = nal
            if len(self._sets) == len(wanted) and self._feed is not None:
                self._feed.parameter_sets(tuple(self._sets[one] for one in wanted))


def _av1_sample(data: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """(the sequence header, if there is one; the temporal unit as it is kept)."""
    try:
        units = [av1.sized(obu) for obu in av1.split(data) if av1.obu_type(obu) != av1.TEMPORAL_DELIMITER]
    except ValueError:
        return (), data
    headers = tuple(obu for obu in units if av1.obu_type(obu) == av1.SEQUENCE_HEADER)
    return headers[:1], b"".join(units)


def _jpeg_sample(data: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """(the frame header, if there is one; the file as it came)."""
    return tuple(jpeg.segments(data).get(jpeg.SOF0, ())), data


def _take(packet: Any, video: bool) -> _Packet:
    rate = TICKS_PER_SECOND if video else packet.stream.codec_context.sample_rate
    stamp = None if packet.pts is None else int(packet.pts * packet.time_base * rate)
    samples = int((packet.duration or 0) * packet.time_base * rate)
    if not video and not samples:
        context = packet.stream.codec_context
        width = (2 if context.name == "pcm_s16be" else 1) * context.channels
        samples = context.frame_size or packet.size // width
    return _Packet(video, stamp, bool(packet.is_keyframe), bytes(packet), samples)


def _format(audio: Any) -> AudioFormat | None:
    if audio is None:
        return None
    context = audio.codec_context
    codec = _AUDIO[context.name]
    config = bytes(context.extradata or b"") if codec == "aac" else b""
    return AudioFormat(codec, context.sample_rate, context.channels, config)


def _with_login(address: StreamAddress) -> str:
    parts = urlsplit(refusal.checked_url(address.url))
    if not address.username:
        return parts.geturl()
    login = f"{quote(address.username, safe='')}:{quote(address.password, safe='')}"
    return urlunsplit((parts.scheme, f"{login}@{parts.netloc}", parts.path, parts.query, ""))


def _split_annex_b(data: bytes) -> list[bytes]:
    return [nal for piece in data.split(b"\x00\x00\x01") if (nal := piece.rstrip(b"\x00"))]


def _split_lengths(data: bytes, size: int) -> list[bytes]:
    nals, position = [], 0
    while position + size <= len(data):
        length = int.from_bytes(data[position : position + size], "big")
        position += size
        if length and position + length <= len(data):
            nals.append(data[position : position + length])
        position += length
    return nals


def _avcc_sets(extradata: bytes) -> list[bytes]:
    # ISO/IEC 14496-15 5.3.3.1: count and lengths of SPS, then of PPS.
    sets: list[bytes] = []
    position = 5
    for mask in (31, 255):
        if position >= len(extradata):
            break
        count, position = extradata[position] & mask, position + 1
        for _ in range(count):
            length = int.from_bytes(extradata[position : position + 2], "big")
            sets.append(extradata[position + 2 : position + 2 + length])
            position += 2 + length
    return [nal for nal in sets if nal]


def _hvcc_sets(extradata: bytes) -> list[bytes]:
    # ISO/IEC 14496-15 8.3.3.1: arrays of NAL units by type.
    sets: list[bytes] = []
    position = 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        count = int.from_bytes(extradata[position + 1 : position + 3], "big")
        position += 3
        for _ in range(min(count, 16)):
            length = int.from_bytes(extradata[position : position + 2], "big")
            sets.append(extradata[position + 2 : position + 2 + length])
            position += 2 + length
    return [nal for nal in sets if nal]


def _drain(descriptor: int) -> None:
    try:
        os.read(descriptor, 65_536)
    except BlockingIOError:
        return
