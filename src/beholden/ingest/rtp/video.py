"""What video depacketisers share: pictures out of packets, and the rule for lost ones.

**The rule for lost packets.** A picture with a hole in it is dropped and counted, and the pictures after
it are kept: a decoder conceals better than we do, and the next keyframe mends it. After a hole a picture is
kept only when its first slice is there.

**The end of a picture** is the marker bit or a change of timestamp. A camera that sets the marker inside a
picture is found out by a later slice with the same timestamp; from then on only the timestamp counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from beholden.ingest.rtp.audio import AudioDepacketiser
from beholden.ingest.rtp.packet import Sequence, parse_header
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamState
from beholden.model.gap import GapCause

MAX_PICTURE_BYTES: Final = 16 << 20
MAX_PICTURE_PARTS: Final = 65_536
_MAX_FOREIGN: Final = 8  # so many units of another codec in a row are no accident

PictureSink = Callable[[int, bool, list[bytes], int], None]
"""Called with (RTP timestamp, key, parts, size)."""
ParameterSetSink = Callable[[tuple[bytes, ...]], None]


class VideoDepacketiser:
    """Base of all. ``walk`` is the hot path: for H.264 and H.265 it handles the middle fragments of large NAL
    units itself, which are nine packets of ten; ``packet`` handles any packet, and gives the same result."""

    def __init__(
        self, channel: int, payload_type: int, on_picture: PictureSink, on_parameter_sets: ParameterSetSink
    ) -> None:
        self.channel = channel
        self.payload_type = payload_type
        self.sequence = Sequence()
        self.packets = 0
        self.dropped = 0
        self._on_picture = on_picture
        self._on_parameter_sets = on_parameter_sets
        self._parts: list[bytes] = []
        self._stamp = -1
        self._emitted_stamp = -1
        self._key = False
        self._has_slice = False
        self._damaged = False
        self._foreign = 0
        self._after_hole = False
        self._trust_marker = True
        self._fragment_at = -1  # index in _parts of the open fragmented NAL unit's length
        self._fragment_kind = 0
        self._joined = 0  # pieces of the open picture that are joined with others in _parts
        self._sound: AudioDepacketiser | None = None
        self._sound_channel = -1

    def hear(self, sound: AudioDepacketiser, channel: int) -> None:
        """Its packets are on this channel of the same reads: ``walk`` may take them as well."""
        self._sound, self._sound_channel = sound, channel

    def walk(self, data: bytes, position: int, size: int) -> int:
        """Consume interleaved frames from ``data[position:size]`` while they are whole and of this
        channel; returns where it stopped."""
        while position + 4 <= size and data[position] == 0x24 and data[position + 1] == self.channel:
            end = position + 4 + ((data[position + 2] << 8) | data[position + 3])
            if end > size:
                break
            self.packet(data, position + 4, end)
            position = end
        return position

    def packet(self, data: bytes, start: int, end: int) -> None:
        """Take the RTP packet in ``data[start:end]``, whatever it is."""
        header = parse_header(data, start, end)
        if header is None:
            return
        start, end, marker, payload_type, sequence, stamp, ssrc = header
        if payload_type != self.payload_type:
            # Some cameras send private data on the same channel, numbered with the pictures or apart.
            if sequence == self.sequence.expected:
                self.sequence.accept(sequence, ssrc)
            return
        use, hole = self.sequence.accept(sequence, ssrc)
        if not use:
            return
        self.ordered(data, start, end, marker, stamp, hole)

    def ordered(self, data: bytes, start: int, end: int, marker: bool, stamp: int, hole: bool) -> None:
        """Take a packet of pictures whose turn it is: payload ``data[start:end]``, after a hole or not."""
        self.packets += 1
        if hole:
            self._note_hole(stamp)
        if stamp != self._stamp:
            self._end_picture()
            self._stamp = stamp
            self._after_hole = hole or self._emitted_stamp < 0
        if start < end:
            self._payload(data, start, end)
        if marker and self._trust_marker and (self._has_slice or self._damaged):
            self._end_picture()
        if len(self._parts) + self._joined > 256:
            self.check_size()

    def _note_hole(self, stamp: int) -> None:
        if self._fragment_at >= 0:
            del self._parts[self._fragment_at :]
            self._fragment_at = -1
            self._damaged = True
        if self._parts or (stamp == self._stamp and stamp != self._emitted_stamp):
            self._damaged = True
        self._after_hole = True

    def check_size(self) -> None:
        """Refuse a picture that grows without end."""
        parts = self._parts
        pieces = len(parts) + self._joined
        if pieces > MAX_PICTURE_PARTS or (pieces > 256 and sum(map(len, parts)) > MAX_PICTURE_BYTES):
            raise self._too_large()

    def _too_large(self) -> SourceError:
        self._parts = []
        self._joined = 0
        return SourceError(
            StreamState.UNSUPPORTED,
            GapCause.STREAM_UNSUPPORTED,
            "picture_too_large",
            "The camera sent a picture of more than 16 MiB without an end.",
            "Lower the camera's resolution or bit rate, or restart it.",
        )

    def _note_foreign(self) -> None:
        # What this codec's cameras never send: the picture is spoilt, and soon the stream is another one.
        self._damaged = True
        self._foreign += 1
        if self._foreign >= _MAX_FOREIGN:
            raise SourceError(
                StreamState.OFFLINE,
                GapCause.CAMERA_LOST,
                "codec_changed",
                "The camera changed its video codec in the middle of the stream.",
                "The stream is being opened again; nothing needs to be done.",
            )

    def _payload(self, data: bytes, start: int, end: int) -> None:
        raise NotImplementedError

    def _take(self, nal: bytes) -> None:
        raise NotImplementedError

    def _end_fragment(self) -> None:
        raise NotImplementedError

    def _aggregate(self, data: bytes, position: int, end: int) -> None:
        # STAP-A and AP: NAL units with two-byte lengths.
        while position + 2 <= end:
            length = (data[position] << 8) | data[position + 1]
            position += 2
            if position + length > end:
                self._damaged = True
                return
            if length:
                self._take(data[position : position + length])
            position += length

    def _begin_fragment(self, kind: int, header: bytes, payload: bytes) -> None:
        if self._fragment_at >= 0:
            self._end_fragment()  # no hole in the numbers: the camera forgets the end bit
        self._fragment_at = len(self._parts)
        self._fragment_kind = kind
        self._parts += (b"", header, payload)

    def _slice(self, first_of_picture: bool, key: bool) -> None:
        if not self._has_slice:
            if not first_of_picture:
                if self._after_hole:
                    self._damaged = True
                elif self._stamp == self._emitted_stamp:
                    self._trust_marker = False
                    self._damaged = True
            self._has_slice = True
        if key:
            self._key = True

    def _end_picture(self) -> None:
        if self._fragment_at >= 0:
            self._end_fragment()
        parts, self._parts, self._joined = self._parts, [], 0
        if self._damaged:
            self.dropped += self._emitted_stamp >= 0  # joining in the middle of a picture is no loss
        elif self._has_slice:
            self._emitted_stamp = self._stamp
            self._after_hole = False
            self._foreign = 0
            self._on_picture(self._stamp, self._key, parts, sum(map(len, parts)))
        self._key = self._has_slice = self._damaged = False
