"""Motion JPEG over RTP (RFC 2435): scans in fragments, from which whole JPEG files are built again.

Quantisation tables are computed from Q, or come in the first fragment of a picture, and are then remembered
for pictures that leave them out. Pictures wider or higher than the format can say (2040) bring their JPEG
headers in an RTP header extension, as ONVIF's streaming specification has it.
"""

from __future__ import annotations

import struct

from beholden.ingest.rtp import jpeg
from beholden.ingest.rtp.video import ParameterSetSink, PictureSink, VideoDepacketiser

_MAIN = struct.Struct(">BBHBBBB").unpack_from
_WITH_RESTARTS = 64
_TABLES_IN_BAND = 128
_NEVER_REMEMBERED = 255
_ONVIF_EXTENSIONS = (0xFFD8, 0xFFFF)


class MjpegDepacketiser(VideoDepacketiser):
    """Every picture is a keyframe and a whole JPEG file. ``on_parameter_sets`` is given the frame header
    (SOF0), which says how large pictures are."""

    def __init__(
        self,
        channel: int,
        payload_type: int,
        on_picture: PictureSink,
        on_parameter_sets: ParameterSetSink,
        known: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(channel, payload_type, on_picture, on_parameter_sets)
        self._tables: dict[int, tuple[bytes, ...]] = {}
        self._frame_header = known[0] if known else b""
        self._reached = 0  # bytes of scan so far
        self._extension: dict[int, list[bytes]] = {}

    def packet(self, data: bytes, start: int, end: int) -> None:
        if end - start > 16 and data[start] & 0x10:
            self._extension = _onvif_headers(data, start, end)
        super().packet(data, start, end)
        self._extension = {}

    def _payload(self, data: bytes, start: int, end: int) -> None:
        if end - start < 8:
            self._damaged = True
            return
        _, high, low, kind, quality, width, height = _MAIN(data, start)
        offset, position, interval = high << 16 | low, start + 8, 0
        if kind & _WITH_RESTARTS:
            interval = int.from_bytes(data[position : position + 2], "big")
            position += 4
        self._slice(offset == 0, True)
        if offset == 0:
            self._parts, self._reached = [], 0
            tables, position = self._quantisation(data, position, end, quality)
            header = self._header(kind, interval, (width * 8, height * 8), tables)
            if not header or position > end:
                self._damaged = True
                return
            self._parts.append(header)
        elif offset != self._reached:
            self._damaged = True
            return
        self._parts.append(data[position:end])
        self._reached += end - position

    def _end_picture(self) -> None:
        if self._has_slice and self._parts and self._parts[-1][-2:] != jpeg.END:
            self._parts.append(jpeg.END)
        super()._end_picture()

    def _quantisation(
        self, data: bytes, position: int, end: int, quality: int
    ) -> tuple[tuple[bytes, ...], int]:
        """(tables for luma and chroma, where the scan begins); no tables when they are not known."""
        if quality < _TABLES_IN_BAND:
            return jpeg.tables_of(quality), position
        if position + 4 > end:
            return (), position
        precision, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        position += 4
        if not length:
            return self._tables.get(quality, ()), position
        tables = jpeg.split_tables(data[position : position + length], precision)
        if quality != _NEVER_REMEMBERED:
            self._tables[quality] = tables
        return tables, position + length

    def _header(self, kind: int, interval: int, size: tuple[int, int], tables: tuple[bytes, ...]) -> bytes:
        frame = jpeg.frame_header(kind & ~_WITH_RESTARTS, *size)
        if jpeg.SOF0 in self._extension:
            frame = self._extension[jpeg.SOF0][0]
        quantisation = self._extension.get(jpeg.DQT) or [jpeg.table_segment(tables)]
        if not frame or not quantisation[0]:
            return b""
        if frame != self._frame_header:
            self._frame_header = frame
            self._on_parameter_sets((frame,))
        return jpeg.file_header(b"".join(quantisation) + frame, interval, self._extension.get(jpeg.DHT, []))


def _onvif_headers(data: bytes, start: int, end: int) -> dict[int, list[bytes]]:
    """The JPEG segments in a packet's header extension, by marker; none when it holds something else."""
    at = start + 12 + 4 * (data[start] & 15)
    if at + 4 > end or int.from_bytes(data[at : at + 2], "big") not in _ONVIF_EXTENSIONS:
        return {}
    length = 4 * int.from_bytes(data[at + 2 : at + 4], "big")
    return jpeg.segments(data[at + 4 : min(end, at + 4 + length)])
