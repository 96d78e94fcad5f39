"""The hot path of H.264 and H.265: slices cut into fragments, straight from what one read brought.

Nine packets of ten are middle fragments of a large slice. ``walk`` takes a slice in one step, from its first
fragment to its last, with one unpacking and four comparisons a packet; whatever is not exactly so goes
through ``ordered`` and ``packet``, which know all cases and give the same pictures.
"""

from __future__ import annotations

import struct
from typing import ClassVar, Final, NamedTuple

from beholden.ingest.rtp.video import ParameterSetSink, PictureSink, VideoDepacketiser

_PAYLOAD_AT: Final = 16  # from '$'
_CHECK_PARTS: Final = 256


class Beginning(NamedTuple):
    """What the first fragment of a slice says: ``header`` is the NAL unit's own."""

    key: bool
    kind: int
    header: bytes


class FragmentedDepacketiser(VideoDepacketiser):
    """Base of the two. Subclasses say how long a payload header is, and read the first bytes of payloads."""

    # '$' and channel | length | V,P,X,CC,M,PT | sequence | timestamp | (ssrc) | payload header | FU header
    _fields: ClassVar[struct.Struct]
    # The same as (all up to the sequence, timestamp and ssrc, payload header, FU header): of two packets that
    # follow each other and differ in nothing but their payloads, the first number of one is the other's plus
    # one.
    _folded: ClassVar[struct.Struct]

    def __init__(
        self, channel: int, payload_type: int, on_picture: PictureSink, on_parameter_sets: ParameterSetSink
    ) -> None:
        super().__init__(channel, payload_type, on_picture, on_parameter_sets)
        self._mine = 0x2400 | channel
        self._plain = 0x8000 | payload_type
        self._beginnings: dict[int, Beginning] = {}

    def _begins(self, header: int, fu: int) -> Beginning | None:
        """What a payload with this payload header and FU header begins; None for anything but the first
        fragment of a slice."""
        raise NotImplementedError

    def _is_fragment(self, header: int) -> bool:
        """Whether a payload header is that of fragments."""
        raise NotImplementedError

    def _is_slice(self, kind: int) -> bool:
        """Whether a NAL unit of this kind is a slice."""
        raise NotImplementedError

    def walk(self, data: bytes, position: int, size: int) -> int:
        mine, plain, sequence, known = self._mine, self._plain, self.sequence, self._beginnings
        fields, unpack = self._fields.size, self._fields.unpack_from
        last = size - fields - 1
        while position <= last:
            lead, length, head, number, stamp, header, fu = unpack(data, position)
            end = position + 4 + length
            if lead != mine or end > size:
                break
            if number != sequence.expected or head & 0xFF7F != plain or length <= fields - 4:
                self.packet(data, position + 4, end)
                position = end
                continue
            if head == plain:
                if self._fragment_at < 0:
                    first = known.get(header << 8 | fu) or self._learn(header, fu)
                    if first is not None:
                        position = self._slice_from(data, position, size, first)
                        continue
                elif fu < 0x40 and stamp == self._stamp and self._is_fragment(header):
                    position = self._middles(data, position, size)
                    continue
            sequence.expected = (number + 1) & 0xFFFF
            self.ordered(data, position + _PAYLOAD_AT, end, head != plain, stamp, False)
            position = end
        return position

    def _learn(self, header: int, fu: int) -> Beginning | None:
        found = self._begins(header, fu)
        if found is not None:
            self._beginnings[header << 8 | fu] = found
        return found

    def _slice_from(self, data: bytes, position: int, size: int, first: Beginning) -> int:
        # A slice from its first fragment on, as far as it is there: what ``ordered`` does packet by packet.
        key, kind, own = first
        fields, folded = self._fields.size, self._folded.unpack_from
        ahead, timed, header, _ = folded(data, position)
        stride = 4 + (ahead >> 32 & 0xFFFF)
        stamp = timed >> 32
        if stamp != self._stamp:
            if self._parts or self._damaged:
                self._end_picture()
            self._stamp = stamp
            self._after_hole = self._emitted_stamp < 0
        parts = self._parts
        at, append = len(parts), parts.append
        parts += (b"", own, data[position + fields : position + stride])
        if parts[-1][0] >= 0x80 and not self._has_slice:
            self._has_slice, self._key = True, self._key or key
        else:
            self._slice(parts[-1][0] >= 0x80, key)
        full = size - stride
        position += stride
        ahead += 1
        while position <= full:
            found, when, what, fu = folded(data, position)
            if found != ahead or fu != kind or when != timed or what != header:
                break
            append(data[position + fields : position + stride])
            position += stride
            ahead += 1
        self.packets += len(parts) - at - 2
        self.sequence.expected = number = ahead & 0xFFFF
        self._fragment_at, self._fragment_kind = at, kind
        if position < size - fields:
            lead, length, head, found, when, what, fu = self._fields.unpack_from(data, position)
            end = int(position + 4 + length)
            if (
                found == number
                and fu == kind | 0x40
                and when == stamp
                and what == header
                and lead == self._mine
                and head & 0xFF7F == self._plain
                and position + fields < end <= size
            ):
                size = len(own) + (len(parts) - at - 2) * (stride - fields) + end - position - fields
                append(data[position + fields : end])
                self._close_slice(size, head != self._plain)
                return end
        if len(parts) > _CHECK_PARTS:
            self.check_size()
        return position

    def _close_slice(self, size: int, marker: bool) -> None:
        # The open fragmented slice is whole: ``size`` bytes. With the marker, so is its picture.
        at, parts = self._fragment_at, self._parts
        self._fragment_at = -1
        self.packets += 1
        self.sequence.expected = (self.sequence.expected + 1) & 0xFFFF
        parts[at] = size.to_bytes(4, "big")
        if not marker or not self._trust_marker or self._damaged:
            if marker and self._trust_marker:
                self._end_picture()
            elif len(parts) > _CHECK_PARTS:
                self.check_size()
            return
        self._parts = []
        self._emitted_stamp = self._stamp
        self._after_hole = self._has_slice = False
        key, self._key = self._key, False
        self._foreign = 0
        self._on_picture(self._stamp, key, parts, size + 4 + (sum(map(len, parts[:at])) if at else 0))

    def _middles(self, data: bytes, position: int, size: int) -> int:
        # Fragments that go on with an open NAL unit; the first is known to be one.
        fields, folded = self._fields.size, self._folded.unpack_from
        ahead, timed, header, kind = folded(data, position)
        stride = 4 + (ahead >> 32 & 0xFFFF)
        parts = self._parts
        before, full = len(parts), size - stride
        while position <= full:
            found, when, what, fu = folded(data, position)
            if found != ahead or fu != kind or when != timed or what != header:
                break
            parts.append(data[position + fields : position + stride])
            position += stride
            ahead += 1
        self.packets += len(parts) - before
        self.sequence.expected = ahead & 0xFFFF
        if len(parts) > _CHECK_PARTS:
            self.check_size()
        return position
