"""AV1 over RTP (AOMedia "RTP Payload Format For AV1", 1.0): OBU elements, aggregated and in fragments.

The payload format has no parameter in the session description for the sequence header: it comes in band,
before every key frame. Should a camera send it only once, it is put before later key frames again, so that
every keyframe of a file can be entered.
"""

from __future__ import annotations

from beholden.ingest.rtp.video import ParameterSetSink, PictureSink, VideoDepacketiser
from beholden.model import av1

_KEPT_OUT = frozenset({av1.TEMPORAL_DELIMITER, av1.TILE_LIST, av1.PADDING})
_FRAMES = frozenset({av1.FRAME, av1.FRAME_HEADER})
_OBU = 0  # the one kind of fragment there is


class Av1Depacketiser(VideoDepacketiser):
    """A temporal unit becomes one sample: its OBUs with sizes, less temporal delimiters and padding."""

    def __init__(
        self,
        channel: int,
        payload_type: int,
        on_picture: PictureSink,
        on_parameter_sets: ParameterSetSink,
        known: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(channel, payload_type, on_picture, on_parameter_sets)
        self._header = b""
        self._reduced = False
        for obu in known:
            self._sequence_header(obu)

    def _payload(self, data: bytes, start: int, end: int) -> None:
        head, position = data[start], start + 1
        continued, goes_on, count = bool(head & 0x80), bool(head & 0x40), head >> 4 & 3
        if not continued and self._fragment_at >= 0:
            self._lose_fragment()  # its end never came
        number = 0
        while position < end:
            number += 1
            size = end - position
            if number != count:
                try:
                    size, position = av1.read_leb128(data, position, end)
                except ValueError:
                    size = end + 1
            if position + size > end:
                self._lose_fragment()
                return
            piece = data[position : position + size]
            position += size
            self._element(piece, continued and number == 1, goes_on and position >= end)
        if number < count:
            self._damaged = True

    def _element(self, piece: bytes, continued: bool, goes_on: bool) -> None:
        if continued:
            if self._fragment_at < 0:
                self._damaged = True
                return
            self._parts.append(piece)
            if not goes_on:
                self._end_fragment()
        elif goes_on:
            self._begin_fragment(_OBU, b"", piece)
        elif piece:
            self._take(piece)

    def _lose_fragment(self) -> None:
        if self._fragment_at >= 0:
            del self._parts[self._fragment_at :]
            self._fragment_at = -1
        self._damaged = True

    def _end_fragment(self) -> None:
        obu = b"".join(self._parts[self._fragment_at :])
        del self._parts[self._fragment_at :]
        self._fragment_at = -1
        if obu:
            self._take(obu)

    def _end_picture(self) -> None:
        if self._fragment_at >= 0:
            self._lose_fragment()
        super()._end_picture()

    def _take(self, obu: bytes) -> None:
        kind = av1.obu_type(obu)
        if kind in _KEPT_OUT:
            return
        try:
            obu = av1.sized(obu)
            av1.payload(obu)
            if kind == av1.SEQUENCE_HEADER:
                self._sequence_header(obu)
            elif kind in _FRAMES and not self._has_slice:
                self._first_frame(obu)
            elif kind == av1.TILE_GROUP or kind in _FRAMES:
                self._slice(kind in _FRAMES, False)
        except ValueError:
            self._damaged = True
            return
        self._parts.append(obu)

    def _first_frame(self, obu: bytes) -> None:
        key = bool(self._header) and av1.begins_sequence(obu, self._reduced)
        self._slice(True, key)
        if key and self._header not in self._parts:
            self._parts.append(self._header)

    def _sequence_header(self, obu: bytes) -> None:
        header = av1.parse_sequence_header(obu)
        if obu != self._header:
            self._header, self._reduced = obu, header.reduced
            self._on_parameter_sets((obu,))
