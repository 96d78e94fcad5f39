"""A media file read once and packetised once: what a virtual camera plays in a loop.

Every GOP is one buffer of RTP packets in RTSP interleaved framing (``$``, channel, length, packet). Playing
it again means patching sequence numbers, timestamps and SSRCs in that buffer (see ``playout``).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

from beholden.demo import packetise
from beholden.model.av1 import parse_sequence_header
from beholden.model.errors import BeholdenError

VIDEO_RATE = 90_000
FRAMING = 4
"""Bytes of interleaved framing before each RTP packet."""
PCM_SECONDS = 0.02
"""How much G.711 or L16 is in a packet."""


@dataclass(frozen=True, slots=True)
class ClipTrack:
    """One track as its SDP describes it. ``rate`` is the RTP clock in Hz; ``parameter_sets`` raw NAL
    units."""

    index: int
    kind: str
    codec: str
    payload_type: int
    rate: int
    rtpmap: str
    fmtp: str = ""
    parameter_sets: tuple[bytes, ...] = ()
    channels: int = 1


class Picture(NamedTuple):
    """One coded picture of a GOP with the audio up to the next: ``at`` seconds from the clip's start,
    its bytes and packets in the GOP, its number in the clip."""

    at: float
    first_byte: int
    end_byte: int
    first_packet: int
    end_packet: int
    number: int
    key: bool


@dataclass(slots=True)
class Gop:
    """A keyframe and what follows. Arrays have one entry per packet: ``offsets`` of the framing byte,
    ``tracks``, ``times`` in the track's RTP clock from the clip's start, ``order`` within its track."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    tracks: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    counts: list[int]
    pictures: list[Picture]


@dataclass(slots=True)
class Clip:
    """A packetised file: ``seconds`` is the length of one round of the loop."""

    path: Path
    tracks: list[ClipTrack]
    gops: list[Gop]
    seconds: float
    width: int
    height: int

    @property
    def picture_count(self) -> int:
        """Pictures in one round."""
        return sum(len(gop.pictures) for gop in self.gops)

    @property
    def video(self) -> ClipTrack:
        """The video track."""
        return next(track for track in self.tracks if track.kind == "video")


class _Frame(NamedTuple):
    at: float
    track: int
    key: bool
    payloads: list[bytes]
    due: float  # when it is sent, in decode order: differs from when it is shown with B-pictures


@dataclass(slots=True)
class _Building:
    """A GOP while its packets are gathered."""

    data: bytearray = field(default_factory=bytearray)
    offsets: list[int] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


def read_clip(path: Path) -> Clip:
    """Read and packetise a file with H.264, H.265, AV1 or Motion JPEG video and, if any, AAC, G.711, L16 or
    Opus audio.

    Raises BeholdenError ``bad_clip`` for a file that cannot be read or has other codecs.
    """
    try:
        with av.open(str(path)) as container:
            return _read(path, container)
    except (av.FFmpegError, OSError) as error:
        raise BeholdenError(
            "bad_clip",
            f"The clip {path.name} cannot be read: {error}.",
            "Delete it; it is made again at the next start.",
        ) from error


def _read(path: Path, container: av.container.InputContainer) -> Clip:
    streams = [s for s in container.streams if s.type in ("video", "audio")]
    tracks = [_track(index, stream) for index, stream in enumerate(streams)]
    index_of = {stream.index: index for index, stream in enumerate(streams)}
    frames: list[_Frame] = []
    delays: dict[int, int] = {}
    for packet in container.demux(streams):
        at = packet.pts if packet.pts is not None else packet.dts
        if packet.size and at is not None and packet.time_base is not None:
            track = tracks[index_of[packet.stream_index]]
            sent = packet.dts if packet.dts is not None and track.kind == "video" else at
            delay = delays.setdefault(track.index, at - sent)
            due = float((sent + delay) * packet.time_base)
            frames += _frames(track, float(at * packet.time_base), due, packet.is_keyframe, bytes(packet))
    frames.sort(key=lambda frame: (frame.due, tracks[frame.track].kind != "video"))
    video = container.streams.video[0]
    start, seconds = _extent(sorted(frame.at for frame in frames if tracks[frame.track].kind == "video"))
    played = [frame for frame in frames if -1e-6 <= frame.at - start < seconds - 1e-6]
    return Clip(path, tracks, list(_gops(tracks, played, start)), seconds, video.width, video.height)


def _extent(times: list[float]) -> tuple[float, float]:
    """Start of the first picture, and seconds to the end of the last."""
    length = times[-1] - times[0]
    return times[0], length + (length / (len(times) - 1) if len(times) > 1 else 1.0)


def _frames(track: ClipTrack, at: float, due: float, key: bool, data: bytes) -> Iterator[_Frame]:
    if track.kind == "video":
        yield _Frame(at, track.index, key, _picture_payloads(track, key, data), due)
    elif track.codec == "aac":
        yield _Frame(at, track.index, False, packetise.aac_payloads(data), at)
    elif track.codec == "opus":
        yield _Frame(at, track.index, False, [data], at)
    else:
        width = track.channels * (2 if track.codec == "l16" else 1)
        size = round(PCM_SECONDS * track.rate) * width
        for offset in range(0, len(data), size):
            place = at + offset / width / track.rate
            yield _Frame(place, track.index, False, [data[offset : offset + size]], place)


def _picture_payloads(track: ClipTrack, key: bool, data: bytes) -> list[bytes]:
    if track.codec == "av1":
        return packetise.av1_payloads(data)
    if track.codec == "mjpeg":
        return packetise.jpeg_payloads(data)
    units = packetise.split_length_prefixed(data)
    if track.codec == "h264":
        slices = [unit for unit in units if packetise.h264_type(unit) in packetise.H264_SLICES]
        split = packetise.h264_payloads
    else:
        slices = [unit for unit in units if packetise.h265_type(unit) in packetise.H265_SLICES]
        split = packetise.h265_payloads
    payloads = list(track.parameter_sets) if key else []
    for unit in slices:
        payloads += split(unit)
    return payloads


def _gops(tracks: list[ClipTrack], frames: list[_Frame], start: float) -> Iterator[Gop]:
    building: _Building | None = None
    number = -1
    for frame in frames:
        if tracks[frame.track].kind == "video":
            number += 1
            if frame.key:
                if building is not None:
                    yield _finished(building, len(tracks))
                building = _Building()
            if building is not None:
                size, packets = len(building.data), len(building.offsets)
                building.pictures.append(
                    Picture(frame.due - start, size, size, packets, packets, number, frame.key)
                )
        if building is not None:
            _append(building, tracks[frame.track], frame, start)
    if building is not None:
        yield _finished(building, len(tracks))


def _append(building: _Building, track: ClipTrack, frame: _Frame, start: float) -> None:
    ticks = round((frame.at - start) * track.rate)
    marked = track.kind == "video" or track.codec == "aac"  # in others it would mean "after a silence"
    for position, payload in enumerate(frame.payloads):
        marker = 0x80 if marked and position == len(frame.payloads) - 1 else 0
        building.offsets.append(len(building.data))
        building.tracks.append(track.index)
        building.times.append(ticks)
        building.data += struct.pack(">BBH", 0x24, 2 * track.index, 12 + len(payload))
        building.data += struct.pack(">BBHII", 0x80, marker | track.payload_type, 0, 0, 0) + payload
    building.pictures[-1] = building.pictures[-1]._replace(
        end_byte=len(building.data), end_packet=len(building.offsets)
    )


def _finished(building: _Building, track_count: int) -> Gop:
    tracks = np.array(building.tracks, np.int64)
    order = np.zeros(len(tracks), np.int64)
    counts = []
    for index in range(track_count):
        mine = tracks == index
        counts.append(int(mine.sum()))
        order[mine] = np.arange(counts[-1])
    data = np.frombuffer(bytes(building.data), np.uint8)
    offsets, times = np.array(building.offsets, np.int64), np.array(building.times, np.int64)
    return Gop(data, offsets, tracks, times, order, counts, building.pictures)


def _track(index: int, stream: av.stream.Stream) -> ClipTrack:
    codec = stream.codec_context.name
    extradata = bytes(stream.codec_context.extradata or b"")
    if codec == "h264":
        return _h264_track(index, _avcc_sets(extradata))
    if codec == "hevc":
        return _h265_track(index, _hvcc_sets(extradata))
    if codec in ("libdav1d", "av1"):
        header = parse_sequence_header(extradata[4:])
        fmtp = f"profile={header.profile};level-idx={header.level};tier={header.tier}"
        sets = (extradata[4:],)
        return ClipTrack(index, "video", "av1", 96, VIDEO_RATE, "AV1/90000", fmtp, sets)
    if codec == "mjpeg":
        return ClipTrack(index, "video", "mjpeg", 26, VIDEO_RATE, "JPEG/90000")
    rate = getattr(stream.codec_context, "sample_rate", 0)
    if codec == "aac":
        channels = getattr(stream.codec_context, "channels", 1)
        fmtp = "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3"
        rtpmap = f"MPEG4-GENERIC/{rate}/{channels}"
        return ClipTrack(index, "audio", "aac", 97, rate, rtpmap, f"{fmtp};config={extradata.hex().upper()}")
    if codec in ("pcm_mulaw", "pcm_alaw"):
        name, payload_type = ("PCMU", 0) if codec == "pcm_mulaw" else ("PCMA", 8)
        return ClipTrack(index, "audio", name.lower(), payload_type, rate, f"{name}/{rate}")
    if codec == "pcm_s16be":
        channels = getattr(stream.codec_context, "channels", 1)
        rtpmap = f"L16/{rate}/{channels}"
        return ClipTrack(index, "audio", "l16", 99, rate, rtpmap, channels=channels)
    if codec == "opus":
        return ClipTrack(index, "audio", "opus", 98, 48_000, "opus/48000/2")
    raise BeholdenError(
        "bad_clip",
        f"A virtual camera cannot play {codec}.",
        "Use H.264, H.265, AV1 or MJPEG; AAC, G.711, L16 or Opus.",
    )


def _h264_track(index: int, sets: tuple[bytes, ...]) -> ClipTrack:
    sprop = ",".join(base64.b64encode(nal).decode() for nal in sets)
    fmtp = f"packetization-mode=1;profile-level-id={sets[0][1:4].hex().upper()};sprop-parameter-sets={sprop}"
    return ClipTrack(index, "video", "h264", 96, VIDEO_RATE, "H264/90000", fmtp, sets)


def _h265_track(index: int, sets: tuple[bytes, ...]) -> ClipTrack:
    names = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}
    fmtp = ";".join(f"{names[packetise.h265_type(nal)]}={base64.b64encode(nal).decode()}" for nal in sets)
    return ClipTrack(index, "video", "h265", 96, VIDEO_RATE, "H265/90000", fmtp, sets)


def _avcc_sets(extradata: bytes) -> tuple[bytes, ...]:
    """SPS and PPS of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    sets: list[bytes] = []
    at = 5
    for mask in (31, 255):
        count = extradata[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            sets.append(extradata[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(sets)


def _hvcc_sets(extradata: bytes) -> tuple[bytes, ...]:
    """VPS, SPS and PPS of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
    sets: list[bytes] = []
    at = 23
    for _ in range(extradata[22]):
        count = int.from_bytes(extradata[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            sets.append(extradata[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(nal for nal in sets if packetise.h265_type(nal) in (32, 33, 34))
