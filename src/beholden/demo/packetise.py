"""Coded frames to RTP payloads.

H.264 by RFC 6184 (single NAL units and FU-A), H.265 by RFC 7798 (single NAL units and FUs), AAC by RFC 3640
(AAC-hbr, one access unit a packet), G.711, L16 and Opus as they are (RFC 3551, RFC 7587),
AV1 by its payload format 1.0 (OBUs aggregated and cut to fill packets) and Motion JPEG by RFC 2435.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from beholden.ingest.rtp import jpeg
from beholden.model import av1

MAX_PAYLOAD = 1400
"""Bytes of payload in one packet: an Ethernet frame less IP, UDP, RTP and a tunnel's headers."""

_START_CODE = re.compile(b"\x00\x00\x01")

_JPEG_KINDS = {0x21: 0, 0x22: 1}
_OWN_TABLES = 255  # Q: the tables come with every picture

H264_SLICES = frozenset({1, 2, 3, 4, 5})
H265_SLICES = frozenset(range(32))


def split_annex_b(data: bytes) -> list[bytes]:
    """The NAL units between start codes."""
    return [nal for nal in (part.rstrip(b"\x00") for part in _START_CODE.split(data)) if nal]


def split_length_prefixed(data: bytes) -> list[bytes]:
    """The NAL units behind 4-byte lengths, as MP4 stores them.

    Which of the two a file uses is told by its decoder configuration; it must not be guessed from the bytes,
    for a length of 256..511 looks like a start code.
    """
    units = []
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        units.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return units


def h264_type(nal: bytes) -> int:
    """nal_unit_type of an H.264 NAL unit."""
    return nal[0] & 31


def h265_type(nal: bytes) -> int:
    """nal_unit_type of an H.265 NAL unit."""
    return (nal[0] >> 1) & 63


def h264_payloads(nal: bytes) -> list[bytes]:
    """One NAL unit as one payload, or as FU-A fragments when it is too big for a packet."""
    if len(nal) <= MAX_PAYLOAD:
        return [nal]
    indicator = (nal[0] & 0xE0) | 28
    return _fragments(nal[1:], lambda edge: bytes((indicator, edge | (nal[0] & 31))))


def h265_payloads(nal: bytes) -> list[bytes]:
    """One NAL unit as one payload, or as FU fragments (type 49) when it is too big for a packet."""
    if len(nal) <= MAX_PAYLOAD:
        return [nal]
    header = bytes(((nal[0] & 0x81) | (49 << 1), nal[1]))
    return _fragments(nal[2:], lambda edge: header + bytes((edge | h265_type(nal),)))


def aac_payloads(frame: bytes) -> list[bytes]:
    """One AAC access unit behind a 16-bit AU header (13 bits size, 3 bits index), cut when too big."""
    header = struct.pack(">HH", 16, len(frame) << 3)
    room = MAX_PAYLOAD - len(header)
    return [header + frame[at : at + room] for at in range(0, max(1, len(frame)), room)]


def av1_payloads(unit: bytes) -> list[bytes]:
    """A temporal unit: the OBUs one after the other, without sizes, cut where a packet is full."""
    kept_out = (av1.TEMPORAL_DELIMITER, av1.PADDING)
    obus = [av1.unsized(obu) for obu in av1.split(unit) if av1.obu_type(obu) not in kept_out]
    first = 0x08 if any(av1.obu_type(obu) == av1.SEQUENCE_HEADER for obu in obus) else 0
    payloads, packet, continued = [], bytearray(), False
    for obu in obus:
        at = 0
        while at < len(obu):
            room = MAX_PAYLOAD - 1 - len(packet) - 2  # header; what is there; the length of a piece
            if room < 16:
                payloads.append(_av1_packet(first, continued, False, packet))
                packet, continued, first = bytearray(), False, 0
                continue
            piece = obu[at : at + room]
            at += len(piece)
            packet += av1.leb128(len(piece)) + piece
            if at < len(obu):
                payloads.append(_av1_packet(first, continued, True, packet))
                packet, continued, first = bytearray(), True, 0
    if packet:
        payloads.append(_av1_packet(first, continued, False, packet))
    return payloads


def jpeg_payloads(picture: bytes) -> list[bytes]:
    """A baseline JPEG file of 4:2:0 or 4:2:2 with the usual Huffman tables; ValueError for another.

    The size is given in units of eight pixels, upwards: a decoder shows the padding of the last blocks too.
    """
    parts = jpeg.segments(picture)
    frame, sampling = parts[jpeg.SOF0][0], parts[jpeg.SOF0][0][11]
    kind = _JPEG_KINDS.get(sampling)
    if kind is None:
        raise ValueError(f"the sampling {sampling:02x} cannot be sent over RTP")
    width, height = jpeg.size_of(frame)
    tables = _jpeg_tables(parts[jpeg.DQT])
    scan = _jpeg_scan(picture)
    restarts = b""
    if jpeg.DRI in parts:
        kind += 64
        restarts = parts[jpeg.DRI][0][4:6] + b"\xff\xff"  # packets do not begin at restart markers
    first = restarts + struct.pack(">BBH", 0, 0, len(tables)) + tables
    size = (width + 7) // 8 << 8 | (height + 7) // 8
    payloads, at = [], 0
    while at < len(scan):
        head = struct.pack(">II", at, kind << 24 | _OWN_TABLES << 16 | size)
        head += first if at == 0 else restarts
        room = MAX_PAYLOAD - len(head)
        payloads.append(head + scan[at : at + room])
        at += room
    return payloads


def _av1_packet(first: int, continued: bool, goes_on: bool, elements: bytearray) -> bytes:
    return bytes((continued << 7 | goes_on << 6 | first,)) + elements


def _jpeg_tables(segments: list[bytes]) -> bytes:
    """The 8-bit tables 0 and 1 one after the other; table 0 twice when it serves both."""
    tables = {}
    for segment in segments:
        body = segment[4:]
        while body:
            tables[body[0] & 15] = body[1:65]
            body = body[65:]
    return tables[0] + tables.get(1, tables[0])


def _jpeg_scan(picture: bytes) -> bytes:
    start = picture.index(b"\xff\xda")
    start += 2 + int.from_bytes(picture[start + 2 : start + 4], "big")
    return picture[start : picture.rindex(jpeg.END)]


def _fragments(body: bytes, header: Callable[[int], bytes]) -> list[bytes]:
    room = MAX_PAYLOAD - len(header(0))
    payloads = []
    for at in range(0, len(body), room):
        edge = (0x80 if at == 0 else 0) | (0x40 if at + room >= len(body) else 0)
        payloads.append(header(edge) + body[at : at + room])
    return payloads
