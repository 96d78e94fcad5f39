"""The init segment: ftyp and moov, which say how to decode, and the way back."""

from __future__ import annotations

import struct

from beholden.model.av1 import parse_sequence_header
from beholden.model.media import AudioCodec, AudioFormat, StreamFormat, VideoCodec, VideoFormat
from beholden.model.time import TICKS_PER_SECOND
from beholden.record.fmp4.boxes import AUDIO_TRACK, VIDEO_TRACK, Mp4Error, box, children, find, full_box
from beholden.record.fmp4.parameter_sets import avc_has_shape, avc_shape, hevc_profile, hevc_shape

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_VIDEO_ENTRIES: dict[bytes, VideoCodec] = {b"avc1": "h264", b"hvc1": "h265", b"av01": "av1", b"mp4v": "mjpeg"}
_VIDEO_KINDS = {codec: entry for entry, codec in _VIDEO_ENTRIES.items()}
_CONFIGURATIONS = {"h264": b"avcC", "h265": b"hvcC", "av1": b"av1C", "mjpeg": b"esds"}
_AUDIO_ENTRIES: dict[str, AudioCodec] = {
    "mp4a": "aac",
    "Opus": "opus",
    "ulaw": "pcmu",
    "alaw": "pcma",
    "twos": "l16",
}
_AUDIO_KINDS = {codec: entry.encode() for entry, codec in _AUDIO_ENTRIES.items()}
_AAC, _JPEG = 0x40, 0x6C  # object types, ISO/IEC 14496-1 table 5
_VISUAL, _SOUND = 4, 5  # stream types
_VIDEO_ENTRY_BYTES = 78
_AUDIO_ENTRY_BYTES = 28


def build_init(stream_format: StreamFormat) -> bytes:
    """ftyp + moov: video is track 1 at 90 kHz, audio (when there is any) track 2 at its sampling rate.

    The same format always gives the same bytes. Motion JPEG is ``mp4v`` with object type 0x6C, as the MP4
    registration authority has it. G.711 and L16 use the QuickTime entries ``ulaw``, ``alaw`` and ``twos``
    (16 bits, big endian), which ffmpeg and VLC read and browsers do not. ValueError for an AV1 sequence
    header that makes no sense.
    """
    tracks = [_video_track(stream_format.video)]
    if stream_format.audio is not None:
        tracks.append(_audio_track(stream_format.audio))
    next_track = struct.pack(">I", len(tracks) + 1)
    movie = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIII", 0, 0, 1000, 0),
        struct.pack(">IHH8x", 0x10000, 0x100, 0),
        _MATRIX,
        bytes(24),
        next_track,
    )
    defaults = [
        full_box(b"trex", 0, 0, struct.pack(">5I", number + 1, 1, 0, 0, 0)) for number in range(len(tracks))
    ]
    brands = box(b"ftyp", b"iso5", struct.pack(">I", 512), b"iso5iso6mp41")
    return brands + box(b"moov", movie, *tracks, box(b"mvex", *defaults))


def parse_init(init: bytes) -> StreamFormat:
    """The format an init segment was built from; Mp4Error when it is not one of ours."""
    try:
        return _parse_init(init)
    except (struct.error, IndexError, StopIteration, UnicodeDecodeError) as error:
        raise Mp4Error("the init segment is damaged") from error


def _parse_init(init: bytes) -> StreamFormat:
    start, end = find(init, (b"moov",))
    video: VideoFormat | None = None
    audio: AudioFormat | None = None
    for kind, inner, stop in children(init, start, end):
        if kind != b"trak":
            continue
        handler, _ = find(init, (b"mdia", b"hdlr"), inner, stop)
        entries, entries_end = find(init, (b"mdia", b"minf", b"stbl", b"stsd"), inner, stop)
        entry, entry_start, entry_end = next(children(init, entries + 8, entries_end))
        if init[handler + 8 : handler + 12] == b"vide":
            video = _parse_video(init, entry, entry_start, entry_end)
        else:
            clock, _ = find(init, (b"mdia", b"mdhd"), inner, stop)
            (rate,) = struct.unpack_from(">I", init, clock + 12)
            audio = _parse_audio(init, entry.decode(), entry_start, entry_end, rate)
    if video is None:
        raise Mp4Error("there is no video track")
    return StreamFormat(video, audio)


def _track(
    number: int, handler: bytes, timescale: int, header: bytes, entry: bytes, size: tuple[int, int]
) -> bytes:
    width, height = size
    volume = 0x100 if handler == b"soun" else 0
    track_header = full_box(
        b"tkhd",
        0,
        3,
        struct.pack(">IIIII8x", 0, 0, number, 0, 0),
        struct.pack(">HHHH", 0, 0, volume, 0),
        _MATRIX,
        struct.pack(">II", width << 16, height << 16),
    )
    media_header = full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, 0x55C4, 0))
    name = full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), b"Beholden\0")
    here = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    samples = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    return box(b"trak", track_header, box(b"mdia", media_header, name, box(b"minf", header, here, samples)))


def _video_track(video: VideoFormat) -> bytes:
    entry = box(
        _VIDEO_KINDS[video.codec],
        struct.pack(">6xH16x", 1),
        struct.pack(">HHIIIH32x", video.width, video.height, 0x480000, 0x480000, 0, 1),
        struct.pack(">Hh", 24, -1),
        _configuration(video),
    )
    header = full_box(b"vmhd", 0, 1, bytes(8))
    return _track(VIDEO_TRACK, b"vide", TICKS_PER_SECOND, header, entry, (video.width, video.height))


def _configuration(video: VideoFormat) -> bytes:
    if video.codec == "h264":
        return _avc_configuration(video.parameter_sets)
    if video.codec == "h265":
        return _hevc_configuration(video.parameter_sets)
    if video.codec == "av1":
        return _av1_configuration(video.parameter_sets[0])
    return _elementary_stream(VIDEO_TRACK, _JPEG, _VISUAL, b"")


def _av1_configuration(sequence_header: bytes) -> bytes:
    # "AV1 Codec ISO Media File Format Binding", 2.3.3.
    header = parse_sequence_header(sequence_header)
    shape = header.tier << 7 | (header.depth > 8) << 6 | (header.depth == 12) << 5 | header.monochrome << 4
    shape |= header.subsampling[0] << 3 | header.subsampling[1] << 2 | header.position
    return box(b"av1C", bytes((0x81, header.profile << 5 | header.level, shape, 0)), sequence_header)


def _avc_configuration(sets: tuple[bytes, ...]) -> bytes:
    sps, pictures = sets[0], sets[1:]
    body = bytearray(b"\x01" + sps[1:4] + b"\xff\xe1" + _counted(sps) + bytes((len(pictures),)))
    for nal in pictures:
        body += _counted(nal)
    if avc_has_shape(sps):
        shape = avc_shape(sps)
        body += bytes(
            (0xFC | shape.chroma, 0xF8 | shape.luma_depth - 8 & 7, 0xF8 | shape.chroma_depth - 8 & 7, 0)
        )
    return box(b"avcC", bytes(body))


def _hevc_configuration(sets: tuple[bytes, ...]) -> bytes:
    sps = sets[1]
    profile, layers = hevc_profile(sps)
    shape = hevc_shape(sps)
    temporal = ((layers >> 1 & 7) + 1) << 3 | (layers & 1) << 2 | 3  # layers, nesting, 4-byte lengths
    fields = struct.pack(
        ">HBBBBHBB",
        0xF000,
        0xFC,
        0xFC | shape.chroma,
        0xF8 | shape.luma_depth - 8 & 7,
        0xF8 | shape.chroma_depth - 8 & 7,
        0,
        temporal,
        len(sets),
    )
    arrays = b"".join(struct.pack(">BH", 0x80 | nal[0] >> 1 & 63, 1) + _counted(nal) for nal in sets)
    return box(b"hvcC", b"\x01", profile, fields, arrays)


def _counted(nal: bytes) -> bytes:
    return struct.pack(">H", len(nal)) + nal


def _audio_track(audio: AudioFormat) -> bytes:
    details = b""
    if audio.codec == "aac":
        details = _elementary_stream(AUDIO_TRACK, _AAC, _SOUND, audio.config)
    elif audio.codec == "opus":
        details = box(b"dOps", struct.pack(">BBHIhB", 0, audio.channels, 0, audio.rate, 0, 0))
    rate = audio.rate << 16 if audio.rate < 0x10000 else 0
    entry = box(
        _AUDIO_KINDS[audio.codec],
        struct.pack(">6xH8x", 1),
        struct.pack(">HHHHI", audio.channels, 16, 0, 0, rate),
        details,
    )
    return _track(AUDIO_TRACK, b"soun", audio.rate, full_box(b"smhd", 0, 0, bytes(4)), entry, (0, 0))


def _elementary_stream(track: int, object_type: int, stream_type: int, config: bytes) -> bytes:
    specific = _descriptor(5, config) if config else b""
    decoder = _descriptor(4, struct.pack(">BB3xII", object_type, stream_type << 2 | 1, 0, 0) + specific)
    return full_box(
        b"esds", 0, 0, _descriptor(3, struct.pack(">HB", track, 0) + decoder + _descriptor(6, b"\2"))
    )


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body  # AudioSpecificConfig is a few bytes: one length byte is enough


def _parse_video(init: bytes, entry: bytes, start: int, end: int) -> VideoFormat:
    width, height = struct.unpack_from(">HH", init, start + 24)
    codec = _VIDEO_ENTRIES.get(entry)
    if codec is None:
        raise Mp4Error("the video codec is not one of ours")
    inner, stop = find(init, (_CONFIGURATIONS[codec],), start + _VIDEO_ENTRY_BYTES, end)
    return VideoFormat(codec, width, height, _sets(codec, init[inner:stop]))


def _sets(codec: VideoCodec, configuration: bytes) -> tuple[bytes, ...]:
    if codec == "h264":
        return _avc_sets(configuration)
    if codec == "h265":
        return _hevc_sets(configuration)
    if codec == "av1":
        try:
            parse_sequence_header(configuration[4:])
        except ValueError as error:
            raise Mp4Error(str(error)) from error
        return (configuration[4:],)
    if len(configuration) < 12 or configuration[11] != _JPEG:
        raise Mp4Error("the video codec is not one of ours")
    return ()


def _avc_sets(configuration: bytes) -> tuple[bytes, ...]:
    sets, position = [], 5
    for mask in (0x1F, 0xFF):
        count = configuration[position] & mask
        position += 1
        for _ in range(count):
            nal, position = _take(configuration, position)
            sets.append(nal)
    return tuple(sets)


def _hevc_sets(configuration: bytes) -> tuple[bytes, ...]:
    sets, position = [], 23
    for _ in range(configuration[22]):
        (count,) = struct.unpack_from(">H", configuration, position + 1)
        position += 3
        for _ in range(count):
            nal, position = _take(configuration, position)
            sets.append(nal)
    return tuple(sets)


def _take(data: bytes, position: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">H", data, position)
    end = position + 2 + length
    if end > len(data):
        raise Mp4Error("a parameter set is cut")
    return data[position + 2 : end], end


def _parse_audio(init: bytes, entry: str, start: int, end: int, rate: int) -> AudioFormat:
    codec = _AUDIO_ENTRIES.get(entry)
    if codec is None:
        raise Mp4Error("the audio codec is not one of ours")
    (channels,) = struct.unpack_from(">H", init, start + 16)
    config = b""
    if codec == "aac":
        inner, stop = find(init, (b"esds",), start + _AUDIO_ENTRY_BYTES, end)
        config = _specific_config(init[inner + 4 : stop])
    return AudioFormat(codec, rate, channels, config)


def _specific_config(descriptors: bytes) -> bytes:
    # ES(3) header is 2 + 3 bytes, DecoderConfig(4) 2 + 13, then DecoderSpecificInfo(5).
    if descriptors[0] != 3 or descriptors[5] != 4 or descriptors[20] != 5:
        raise Mp4Error("the AAC configuration is not laid out as ours")
    return descriptors[22 : 22 + descriptors[21]]
