"""Coded frames to RTP payloads.

H.264 by RFC 6184 (single NAL units and FU-A), H.265 by RFC 7798 (single NAL units and FUs), AAC by RFC 3640
(AAC-hbr, one access unit a packet), G.711 and Opus as they are (RFC 3551, RFC 7587).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

MAX_PAYLOAD = 1400
"""Bytes of payload in one packet: an Ethernet frame less IP, UDP, RTP and a tunnel's headers."""

_START_CODE = re.compile(b"\x00\x00\x01")

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


def _fragments(body: bytes, header: Callable[[int], bytes]) -> list[bytes]:
    room = MAX_PAYLOAD - len(header(0))
    payloads = []
    for at in range(0, len(body), room):
        edge = (0x80 if at == 0 else 0) | (0x40 if at + room >= len(body) else 0)
        payloads.append(header(edge) + body[at : at + room])
    return payloads
