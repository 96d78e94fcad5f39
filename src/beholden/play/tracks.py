"""What a player must know before the first fragment: init segments, read and written.

A track is kept as its sample entry (``avc1``, ``hvc1``, ``av01``, ``mp4v``, ``mp4a``, ``Opus``, ``fLaC``,
``ulaw``, ``alaw``, ``twos``) byte for byte, so a recorded track can be put in another init segment without
understanding its codec.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from beholden.model.media import StreamFormat
from beholden.record import fmp4
from beholden.record.fmp4 import Mp4Error
from beholden.record.fmp4.boxes import AUDIO_TRACK, box, children, find, full_box

_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_ENTRY_HEAD = {"vide": 86, "soun": 36}
_CONFIG_BOXES = (b"avcC", b"hvcC", b"av1C", b"esds", b"dOps", b"dfLa")


@dataclass(frozen=True, slots=True)
class TrackDescription:
    """One track: ``entry`` is its sample entry box, ``timescale`` ticks a second; sound has no size."""

    id: int
    handler: str
    timescale: int
    entry: bytes
    width: int = 0
    height: int = 0

    @property
    def coding(self) -> str:
        """The sample entry's four characters: avc1, hvc1, av01, mp4v, mp4a, Opus, fLaC, ulaw, alaw, twos."""
        return self.entry[4:8].decode("ascii", "replace")

    @property
    def channels(self) -> int:
        """Channels of a sound track."""
        return int.from_bytes(self.entry[24:26], "big")

    def config(self) -> bytes:
        """The decoder configuration: the content of avcC, hvcC, av1C and so on; empty when there is none."""
        for kind, inner, stop in children(self.entry, _ENTRY_HEAD[self.handler]):
            if kind in _CONFIG_BOXES:
                return self.entry[inner:stop]
        return b""


def tracks_of(stream_format: StreamFormat) -> list[TrackDescription]:
    """The tracks of a stream as they come from a camera: video, then audio when there is any."""
    return parse_init(fmp4.build_init(stream_format))


def flac_track(rate: int, channels: int, block: int = 4608) -> TrackDescription:
    """A FLAC track of 16-bit samples, as "Encapsulation of FLAC in ISO Base Media File Format" 0.0.4 says.

    ``block`` is the most samples a frame has. The STREAMINFO says nothing of length or checksum, as in any
    live stream.
    """
    packed = rate << 44 | (channels - 1) << 41 | 15 << 36
    info = struct.pack(">HH", 16, block) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    config = full_box(b"dfLa", 0, 0, b"\x80" + len(info).to_bytes(3, "big"), info)
    return TrackDescription(AUDIO_TRACK, "soun", rate, _sound_entry(b"fLaC", channels, rate, config))


def build_init(tracks: Sequence[TrackDescription]) -> bytes:
    """ftyp and moov for fragments of these tracks."""
    extends = [full_box(b"trex", 0, 0, struct.pack(">5I", track.id, 1, 0, 0, 0)) for track in tracks]
    header = movie_header(1000, 0, max(track.id for track in tracks) + 1)
    moov = box(b"moov", header, *(_trak(track) for track in tracks), box(b"mvex", *extends))
    return box(b"ftyp", b"iso5", struct.pack(">I", 512), b"iso5iso6mp41") + moov


def movie_header(timescale: int, duration: int, next_track: int) -> bytes:
    """The mvhd box; ``duration`` in ticks of ``timescale``, 0 where fragments tell it."""
    times = struct.pack(">QQIQ", 0, 0, timescale, duration)
    rest = struct.pack(">IH10x", 0x10000, 0x100) + _UNITY_MATRIX + bytes(24) + struct.pack(">I", next_track)
    return full_box(b"mvhd", 1, 0, times, rest)


def track_header(track: TrackDescription, number: int, duration: int) -> bytes:
    """The tkhd box of a track that is shown; ``duration`` in the movie's ticks."""
    volume = 0x100 if track.handler == "soun" else 0
    return full_box(
        b"tkhd",
        1,
        3,
        struct.pack(">QQIIQ8x", 0, 0, number, 0, duration),
        struct.pack(">HHHH", 0, 0, volume, 0) + _UNITY_MATRIX,
        struct.pack(">II", track.width << 16, track.height << 16),
    )


def media_box(track: TrackDescription, sample_table: bytes, duration: int) -> bytes:
    """The mdia box around a track's sample table; ``duration`` in the track's own ticks."""
    mdhd = full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, track.timescale, duration, 0x55C4, 0))
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), track.handler.encode(), bytes(12), b"Beholden\0")
    sound = track.handler == "soun"
    header = full_box(b"smhd", 0, 0, bytes(4)) if sound else full_box(b"vmhd", 0, 1, bytes(8))
    data_in_file = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    return box(b"mdia", mdhd, hdlr, box(b"minf", header, data_in_file, sample_table))


def parse_init(init: bytes) -> list[TrackDescription]:
    """The tracks of an init segment; Mp4Error when it is not one."""
    try:
        start, end = find(init, (b"moov",))
        traks = [(inner, stop) for kind, inner, stop in children(init, start, end) if kind == b"trak"]
        return [_parse_trak(init, inner, stop) for inner, stop in traks]
    except (struct.error, IndexError, StopIteration) as error:
        raise Mp4Error("the init segment is damaged") from error


def _parse_trak(init: bytes, start: int, end: int) -> TrackDescription:
    head, head_end = find(init, (b"tkhd",), start, end)
    media, _ = find(init, (b"mdia", b"mdhd"), start, end)
    handler, _ = find(init, (b"mdia", b"hdlr"), start, end)
    table, table_end = find(init, (b"mdia", b"minf", b"stbl", b"stsd"), start, end)
    _, entry, entry_end = next(children(init, table + 8, table_end))
    (number,) = struct.unpack_from(">I", init, head + (20 if init[head] == 1 else 12))
    width, height = struct.unpack_from(">II", init, head_end - 8)
    (timescale,) = struct.unpack_from(">I", init, media + (20 if init[media] == 1 else 12))
    kind = init[handler + 8 : handler + 12].decode("latin-1")
    if kind not in _ENTRY_HEAD:
        raise Mp4Error("a track is neither picture nor sound")
    return TrackDescription(number, kind, timescale, init[entry - 8 : entry_end], width >> 16, height >> 16)


def _trak(track: TrackDescription) -> bytes:
    empty = [full_box(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc")]
    empty += [full_box(b"stsz", 0, 0, bytes(8)), full_box(b"stco", 0, 0, bytes(4))]
    table = box(b"stbl", full_box(b"stsd", 0, 0, struct.pack(">I", 1), track.entry), *empty)
    return box(b"trak", track_header(track, track.id, 0), media_box(track, table, 0))


def _sound_entry(coding: bytes, channels: int, rate: int, config: bytes = b"") -> bytes:
    head = bytes(6) + struct.pack(">H", 1) + bytes(8) + struct.pack(">HHHHI", channels, 16, 0, 0, rate << 16)
    return box(coding, head, config)
