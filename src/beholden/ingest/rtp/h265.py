"""H.265 over RTP (RFC 7798): single NAL units, aggregation packets (AP) and fragments (FU), without DON."""

from __future__ import annotations

import struct

from beholden.ingest.rtp.compiled import CompiledDepacketiser
from beholden.ingest.rtp.fragmented import Beginning
from beholden.ingest.rtp.video import ParameterSetSink, PictureSink

_LAST_SLICE = 31
_FIRST_IRAP, _LAST_IRAP = 16, 21
_VPS, _SPS, _PPS = 32, 33, 34
_SEI = (39, 40)
_AP, _FU = 48, 49


class H265Depacketiser(CompiledDepacketiser):
    """Slices and SEI become the sample; parameter sets go to ``on_parameter_sets``; the rest is left out."""

    _codec = 1
    _fields = struct.Struct(">HHHHI4xHB")
    _folded = struct.Struct(">QQHB")

    def __init__(
        self,
        channel: int,
        payload_type: int,
        on_picture: PictureSink,
        on_parameter_sets: ParameterSetSink,
        known: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(channel, payload_type, on_picture, on_parameter_sets)
        self._sets: dict[int, bytes] = {}
        for nal in known:
            self._parameter_set(nal)

    def _begins(self, header: int, fu: int) -> Beginning | None:
        kind = fu & 63
        if not self._is_fragment(header) or fu & 0xC0 != 0x80 or kind > _LAST_SLICE:
            return None
        own = (header & 0x81FF) | kind << 9
        return Beginning(_FIRST_IRAP <= kind <= _LAST_IRAP, kind, own.to_bytes(2, "big"))

    def _is_slice(self, kind: int) -> bool:
        return kind <= _LAST_SLICE

    def _is_fragment(self, header: int) -> bool:
        return header >> 9 & 63 == _FU and _is_ours(header.to_bytes(2, "big"))

    def _payload(self, data: bytes, start: int, end: int) -> None:
        if end - start < 3:
            return
        if not _is_ours(data[start : start + 2]):
            self._note_foreign()
            return
        kind = (data[start] >> 1) & 63
        if kind == _FU:
            self._fragment(data, start, end)
            return
        if self._fragment_at >= 0:
            self._end_fragment()
        if kind == _AP:
            self._aggregate(data, start + 2, end)
        elif kind < _AP:
            self._take(data[start:end])

    def _fragment(self, data: bytes, start: int, end: int) -> None:
        fu = data[start + 2]
        if fu & 0x80:
            kind = fu & 63
            header = bytes(((data[start] & 0x81) | (kind << 1), data[start + 1]))
            self._begin_fragment(kind, header, data[start + 3 : end])
            if kind <= _LAST_SLICE:
                self._slice(end - start > 3 and data[start + 3] >= 0x80, _FIRST_IRAP <= kind <= _LAST_IRAP)
        elif self._fragment_at < 0:
            self._damaged = True
            return
        else:
            self._parts.append(data[start + 3 : end])
        if fu & 0x40:
            self._end_fragment()

    def _end_fragment(self) -> None:
        at, kind, parts = self._fragment_at, self._fragment_kind, self._parts
        self._fragment_at = -1
        pieces = parts[at + 1 :]
        if kind <= _LAST_SLICE:
            parts[at] = sum(map(len, pieces)).to_bytes(4, "big")
        else:
            del parts[at:]
            self._take(b"".join(pieces))

    def _take(self, nal: bytes) -> None:
        if len(nal) < 3:
            return
        kind = (nal[0] >> 1) & 63
        if kind <= _LAST_SLICE:
            self._slice(nal[2] >= 0x80, _FIRST_IRAP <= kind <= _LAST_IRAP)
            self._parts += (len(nal).to_bytes(4, "big"), nal)
        elif kind in _SEI:
            self._parts += (len(nal).to_bytes(4, "big"), nal)
        elif kind in (_VPS, _SPS, _PPS):
            self._parameter_set(nal)

    def _parameter_set(self, nal: bytes) -> None:
        kind = (nal[0] >> 1) & 63
        if kind not in (_VPS, _SPS, _PPS) or self._sets.get(kind) == nal:
            return
        self._sets[kind] = nal
        if len(self._sets) == 3:
            self._on_parameter_sets((self._sets[_VPS], self._sets[_SPS], self._sets[_PPS]))


def _is_ours(head: bytes) -> bool:
    # The first layer, and a temporal id: what looks like H.265 but is H.264 has neither.
    return not head[0] & 1 and 0 < head[1] < 8
