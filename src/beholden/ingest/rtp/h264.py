"""H.264 over RTP (RFC 6184): single NAL units, STAP-A and FU-A; packetization modes 0 and 1."""

from __future__ import annotations

import struct

from beholden.ingest.nal import NalError, h264_pps_id
from beholden.ingest.rtp.compiled import CompiledDepacketiser
from beholden.ingest.rtp.fragmented import Beginning
from beholden.ingest.rtp.video import ParameterSetSink, PictureSink

_SLICE, _IDR, _SEI, _SPS, _PPS = 1, 5, 6, 7, 8
_PARTITIONS = (2, 3, 4)  # of a profile no camera has; H.265 looks like this
_STAP_A, _FU_A = 24, 28
_RECOVERY_POINT = 6


class H264Depacketiser(CompiledDepacketiser):
    """Slices and SEI become the sample; parameter sets go to ``on_parameter_sets``; the rest (access
    unit delimiters, filler, ends of sequence, private types) is left out."""

    _codec = 0
    _fields = struct.Struct(">HHHHI4xBB")
    _folded = struct.Struct(">QQBB")

    def __init__(
        self,
        channel: int,
        payload_type: int,
        on_picture: PictureSink,
        on_parameter_sets: ParameterSetSink,
        known: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(channel, payload_type, on_picture, on_parameter_sets)
        self._sps = b""
        self._pps: dict[int, bytes] = {}
        self._old_pps: dict[int, bytes] = {}
        for nal in known:
            self._parameter_set(nal)

    def _begins(self, header: int, fu: int) -> Beginning | None:
        kind = fu & 31
        if not self._is_fragment(header) or fu & 0xC0 != 0x80 or kind not in (_SLICE, _IDR):
            return None
        return Beginning(kind == _IDR, kind, bytes(((header & 0xE0) | kind,)))

    def _is_slice(self, kind: int) -> bool:
        return 1 <= kind <= _IDR

    def _is_fragment(self, header: int) -> bool:
        return header & 31 == _FU_A

    def _payload(self, data: bytes, start: int, end: int) -> None:
        indicator = data[start]
        kind = indicator & 31
        if kind == _FU_A:
            self._fragment(data, start, end)
            return
        if self._fragment_at >= 0:
            self._end_fragment()
        if kind == _STAP_A:
            self._aggregate(data, start + 1, end)
        elif kind in _PARTITIONS:
            self._note_foreign()
        elif 0 < kind < _STAP_A:
            self._take(data[start:end])

    def _fragment(self, data: bytes, start: int, end: int) -> None:
        if end - start < 2:
            return
        fu = data[start + 1]
        if fu & 0x80:
            kind = fu & 31
            self._begin_fragment(kind, bytes(((data[start] & 0xE0) | kind,)), data[start + 2 : end])
            if 1 <= kind <= _IDR:
                self._slice(end - start > 2 and data[start + 2] >= 0x80, kind == _IDR)
        elif self._fragment_at < 0:
            self._damaged = True
            return
        else:
            self._parts.append(data[start + 2 : end])
        if fu & 0x40:
            self._end_fragment()

    def _end_fragment(self) -> None:
        at, kind, parts = self._fragment_at, self._fragment_kind, self._parts
        self._fragment_at = -1
        pieces = parts[at + 1 :]
        if 1 <= kind <= _IDR:
            parts[at] = sum(map(len, pieces)).to_bytes(4, "big")
        else:
            del parts[at:]
            self._take(b"".join(pieces))

    def _take(self, nal: bytes) -> None:
        kind = nal[0] & 31
        if 1 <= kind <= _IDR:
            self._slice(len(nal) > 1 and nal[1] >= 0x80, kind == _IDR)
            self._parts += (len(nal).to_bytes(4, "big"), nal)
        elif kind == _SEI:
            # A recovery point with nothing left to recover is where cameras without IDR may be entered.
            if nal[1:2] == bytes((_RECOVERY_POINT,)) and nal[3:4] >= b"\x80":
                self._key = True
            self._parts += (len(nal).to_bytes(4, "big"), nal)
        elif kind in (_SPS, _PPS):
            self._parameter_set(nal)

    def _parameter_set(self, nal: bytes) -> None:
        if b"\x00\x00\x01" in nal:  # some cameras put several NAL units with start codes in one packet
            first, *others = (piece.rstrip(b"\x00") for piece in nal.split(b"\x00\x00\x01"))
            for piece in (first, *others):
                if piece:
                    self._take(piece)
            return
        if nal[0] & 31 == _SPS:
            if nal == self._sps or len(nal) < 4:
                return
            self._sps, self._old_pps, self._pps = nal, self._pps, {}
        elif nal[0] & 31 == _PPS and not self._new_pps(nal):
            return
        pps = self._pps or self._old_pps
        if self._sps and pps:
            self._on_parameter_sets((self._sps, *pps.values()))

    def _new_pps(self, nal: bytes) -> bool:
        try:
            number = h264_pps_id(nal)
        except NalError:
            return False
        if self._pps.get(number) == nal or number > 255:
            return False
        self._pps[number] = nal
        return True
